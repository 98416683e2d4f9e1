"""The examples: what litgen renders today plus their owners' work, and services that do what they say."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from examples.overlay import Example, examples
from tests.template import golden
from tests.template.rendering import run
from tests.template.started import predictions, sent, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLES = [pytest.param(example, id=name, marks=pytest.mark.xdist_group(name)) for name, example in examples().items()]
MAX_WEIGHTS_BYTES = 2_000_000
KEYS = {"SHUTDOWN_API_KEY": "x" * 32, "WEBHOOK_SECRETS": "whsec_" + "A" * 32}


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> Example:
    """One of the examples."""
    chosen: Example = request.param
    return chosen


@pytest.fixture(scope="module")
def project(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The example as a person makes it: a render with its runtime, then the owner's work."""
    folder = example.render(tmp_path_factory.mktemp("example"))
    example.put_owners_files(folder)
    yield folder
    shutil.rmtree(folder)


def test_an_example_is_what_litgen_renders_now(example: Example, tmp_path: Path) -> None:
    """Rendered again from its answers, with the owner's work, not one file differs."""
    assert "".join(golden.differences(example, tmp_path)) == ""


def test_an_example_passes_its_own_checks(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`make check`: its lint, its types and its tests, with the real model and real input."""
    types = tmp_path_factory.getbasetemp() / "types"  # of torch above all, which the next example knows then
    said = run("make", "check", cwd=project, env={"HF_HUB_OFFLINE": "1", "MYPY_CACHE_DIR": str(types)})
    assert re.search(r"=+ \d+ passed in ", said)


def test_an_example_answers_its_readme(project: Path, example: Example, tmp_path: Path) -> None:
    """Every curl line of its README is answered."""
    if example.name == "summaries":
        pytest.skip("its own tests ask just that")
    run("make", ".venv/installed", cwd=project)
    lines = predictions((project / "README.md").read_text())
    command = (project / ".venv/bin" / example.name, "serve", "--host", "127.0.0.1", "--port", "0")
    with started(*command, cwd=project, log_path=tmp_path / "log", env=KEYS) as service:
        for line in lines:
            assert sent(line, service.url, project).status_code == httpx.codes.OK
        assert service.terminate() == 0


def test_the_weights_of_digits_are_small() -> None:
    """Weights in a repository stay under 2 MB."""
    assert (examples()["digits"].folder / "src/digits/endpoints/classify/weights.pt").stat().st_size < MAX_WEIGHTS_BYTES


@pytest.mark.xdist_group("digits")
def test_digits_is_trained_by_its_script(tmp_path: Path) -> None:
    """The training script says how well it reads the held-out scans, 97 % or better, and saves the weights."""
    example = examples()["digits"]
    folder = example.render(tmp_path)
    example.put_owners_files(folder)
    weights = folder / "src/digits/endpoints/classify/weights.pt"
    weights.unlink()
    run("make", ".venv/installed", cwd=folder)
    said = run(folder / ".venv/bin/python", "-m", "digits.training", cwd=folder)
    accuracy = re.search(r"accuracy on 450 held-out digits: ([\d.]+)%", said)
    assert accuracy
    assert float(accuracy[1]) >= 97
    assert weights.stat().st_size < MAX_WEIGHTS_BYTES
