"""Jobs come into a project that stands, and out of it again."""

from pathlib import Path

import pytest

from tests.workshop import Workshop, litgen, tree_of

RANK = {"name": "rank", "framework": "python", "kind": "single"}
OF_JOBS = {
    "deploy/kubernetes/base/volume.yaml",
    "examples/client.py",
    "examples/receiver.py",
    "tests/test_jobs.py",
    ".env.example",
}


@pytest.fixture
def project(shop: Workshop, tmp_path: Path) -> Path:
    """A project of the newest version, without jobs."""
    answers = {"service_name": "x", "endpoints": [RANK, {**RANK, "name": "sort"}]}
    return shop.new(shop.versions()[-1], answers, tmp_path / "project")


def test_the_last_endpoint_with_jobs_takes_their_volume_with_it(project: Path) -> None:
    """What they have kept is left alone; the answer about webhooks is kept for the next endpoint with jobs."""
    before = tree_of(project)
    assert b"no endpoint takes any" in litgen(project, "set", "webhooks=true").out
    assert litgen(project, "set", "rank.jobs=true").code == 0
    assert tree_of(project).keys() - before.keys() == OF_JOBS
    kept = project / "var" / "jobs.db"
    kept.parent.mkdir()
    kept.write_bytes(b"jobs")
    removed = litgen(project, "remove-endpoint", "rank")
    assert removed.code == 0, removed.error
    assert not tree_of(project).keys() & OF_JOBS
    assert kept.read_bytes() == b"jobs"
    assert "[webhooks]" not in (project / "service.toml").read_text()
    assert litgen(project, "set", "sort.jobs=true").code == 0
    assert "[webhooks]" in (project / "service.toml").read_text()


def test_what_is_turned_on_by_hand_brings_the_rest(project: Path) -> None:
    """As docs/jobs.md has it; the owner's own choices beside it meet no conflict."""
    settings = project / "service.toml"
    text = settings.read_text().replace('path = "/rank"\n', 'path = "/rank"\njobs = true\n')
    settings.write_text(f"{text}\n[jobs]\nkeep_s = 60.0 # mine\n")
    updated = litgen(project, "update")
    assert updated.code == 0, updated.error
    assert tree_of(project).keys() & OF_JOBS == OF_JOBS - {"examples/receiver.py", ".env.example"}
    assert "keep_s = 60.0 # mine" in settings.read_text()
    assert 'store = "sqlite:///var/jobs.db"' in settings.read_text()


def test_an_endpoint_by_hand_that_takes_jobs(project: Path) -> None:
    """README.md speaks of it no more than before; that is said, once, with what shows its jobs."""
    settings = project / "service.toml"
    text = settings.read_text()
    table = text[text.index("[endpoints.rank]") : text.index("[endpoints.rank.workers]")].replace("rank", "own")
    settings.write_text(f"{text}\n{table.rstrip()}\njobs = true\n")
    said = "README.md does not speak of endpoints.own, nor of its jobs: examples/client.py hands one in"
    updated = litgen(project, "update")
    assert updated.code == 0, updated.error
    assert said.encode() in updated.out
    assert "/own" in (project / "examples/client.py").read_text()
    assert "Jobs" not in (project / "README.md").read_text()
    assert said.encode() not in litgen(project, "set", "drain_timeout_s=31").out


@pytest.mark.parametrize("version", [-2])
def test_a_project_from_before_jobs_stays_without(shop: Workshop, tmp_path: Path, version: int) -> None:
    """It is upgraded without a conflict or a question, and takes none."""
    project = shop.new(shop.versions()[version], {"service_name": "x", "endpoints": [RANK]}, tmp_path / "project")
    updated = litgen(project, "update")
    assert updated.code == 0, updated.error
    assert "New question webhooks" not in updated.out.decode() + updated.error
    assert not tree_of(project).keys() & OF_JOBS
    assert "jobs" not in (project / "service.toml").read_text()
    assert "Recreate" not in (project / "deploy/kubernetes/base/deployment.yaml").read_text()
