"""Renders as services: installed by their own make, passing their own tests, answering and draining."""

import json
import shutil
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from tests.template import matrix
from tests.template.rendering import Render, run
from tests.template.started import predictions, sent, started

KEY = "a-key-for-this-test-only"
SECRETS = {"SHUTDOWN_API_KEY": KEY, "API_KEYS": f"alice:{KEY}", "WEBHOOK_SECRETS": "whsec_" + "A" * 32}
PATIENT = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 504] # X-Request-Timeout is one of the parameters that are tried
"""
JUDGING = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "5xx", 401, 422] # what a form must hold is for the model to say
"""
KNOWN = f"""
[auth.openapi.bearer]
bearer = "{KEY}"
"""
ROWS = [
    pytest.param(i, id=matrix.title(row), marks=pytest.mark.xdist_group(f"row-{i}"))
    for i, row in enumerate(matrix.booted())
]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", params=ROWS)
def project(
    request: pytest.FixtureRequest, renders: list[Render], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Render]:
    """A row, in a folder where it can be installed."""
    row = matrix.booted()[request.param]
    render = next(each for each in renders if each.answers == row)
    folder = tmp_path_factory.mktemp("project") / "project"
    shutil.copytree(render.folder, folder)
    yield Render(row, folder)
    shutil.rmtree(folder)


def without_torch() -> list[matrix.Row]:
    """Return the rows that are quickly installed."""
    return [row for row in matrix.booted() if all(e["framework"] == "python" for e in row["endpoints"])]


def without_gpus(row: matrix.Row) -> dict[str, str]:
    """Return the settings under which a row runs here, in the environment's words."""
    return {
        f"LITGEN__ENDPOINTS__{endpoint['name'].upper()}__WORKERS__DEVICES": "auto"
        for endpoint in row["endpoints"]
        if "cuda" in endpoint["devices"]
    }


def vectors(answer: httpx.Response, endpoint: matrix.Row) -> list[Sequence[float]]:
    """Return what an endpoint answered: at least one vector, in the form of its kind."""
    if endpoint.get("kind") == "stream":
        events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
        assert len(events) > 1
        return [json.loads(event)["vector"] for event in events]
    if endpoint.get("output") == "bytes":
        return [[number for (number,) in struct.iter_unpack("<f", answer.content)]]
    return [answer.json()["vector"]]


def test_a_render_installs_and_passes_its_own_tests(project: Render) -> None:
    """`make test`, the one command that the README promises, makes the environment and succeeds."""
    said = run("make", "test", cwd=project.folder)
    answers = project.answers
    jobs = sum(endpoint.get("jobs", False) for endpoint in answers["endpoints"])
    about_jobs = jobs + (3 if answers["webhooks"] else 1) if jobs else 0
    assert f"{3 * len(answers['endpoints']) + 6 + answers['api_keys'] + about_jobs} passed" in said


def test_a_render_answers_as_its_readme_says_and_drains(project: Render, tmp_path: Path) -> None:
    """Started by its own command, it answers every curl line of its README, and ends with 0."""
    run("make", ".venv/installed", cwd=project.folder)
    program = project.file(".venv/bin") / project.answers["service_name"]
    readme = project.text("README.md")
    asks = [line.replace("$API_KEY", KEY) for line in predictions(readme)]
    stops = [line.replace("$SHUTDOWN_API_KEY", KEY) for line in readme.splitlines() if line.startswith("curl -X POST")]
    with started(
        *(program, "serve", "--host", "127.0.0.1", "--port", "0"),
        cwd=project.folder,
        log_path=tmp_path / "log",
        env={**without_gpus(project.answers), **SECRETS},
    ) as service:
        for line, endpoint in zip(asks, project.answers["endpoints"], strict=True):
            answer = sent(line, service.url, project.folder)
            assert answer.status_code == 200, answer.text
            assert all(len(vector) == 64 for vector in vectors(answer, endpoint))
        if project.answers["shutdown_api"]:
            assert sent(stops[0], service.url, project.folder).is_success
            assert service.exit_code() == 0
        else:
            assert service.terminate() == 0
        assert KEY not in service.log()
        with pytest.raises(httpx.ConnectError):
            httpx.get(service.url + "/livez")


@pytest.mark.parametrize(
    "kind",
    [{"kind": "batch", "input": "json"}, {"kind": "stream", "input": "json"}, {"input": "bytes"}, {"input": "upload"}],
    ids=lambda kind: "-".join(kind.values()),
)
def test_schemathesis_finds_nothing(renders: list[Render], tmp_path: Path, kind: dict[str, str]) -> None:
    """What a generated service says of itself in OpenAPI is what it does, whatever is sent."""
    rows = [row for row in without_torch() if not row["endpoints"][0].get("jobs")]
    row = next(row for row in rows if kind.items() <= row["endpoints"][0].items())
    folder = tmp_path / "project"
    shutil.copytree(next(each for each in renders if each.answers == row).folder, folder)
    run("make", ".venv/installed", cwd=folder)
    tool = Path(sys.executable).with_name("schemathesis")
    program = folder / ".venv/bin" / row["service_name"]
    with started(
        *(program, "serve", "--host", "127.0.0.1", "--port", "0"),
        cwd=folder,
        log_path=tmp_path / "log",
        env={**without_gpus(row), **SECRETS},
    ) as service:
        wishes = PATIENT + (JUDGING if kind["input"] == "upload" else "") + (KNOWN if row["api_keys"] else "")
        (tmp_path / "schemathesis.toml").write_text(wishes)
        options = ("--max-examples", "25", "--seed", "7", "--checks", "all", "--phases", "examples,coverage,fuzzing")
        run(str(tool), "run", service.url + "/openapi.json", *options, cwd=tmp_path)
        assert service.terminate() == 0


def test_without_uv_pip_does_the_same(renders: list[Render], tmp_path: Path) -> None:
    """`make test` succeeds where there is no uv: venv and pip install the wheel in vendor/ and the rest."""
    row = without_torch()[0]
    folder = tmp_path / "project"
    shutil.copytree(next(each for each in renders if each.answers == row).folder, folder)
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("make", "sh", "touch"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    (tools / "python3").symlink_to(sys.executable)
    run("make", "test", cwd=folder, env={"PATH": str(tools)})
    assert not (folder / "uv.lock").exists()
