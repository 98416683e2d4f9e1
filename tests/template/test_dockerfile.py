"""The Dockerfile's steps, run in order in a bare folder, and the image's own command and health check."""

import shutil
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.template import matrix
from tests.template.dockerfile import build, moved
from tests.template.rendering import Render, environment, render_all, run
from tests.template.started import started

ROWS: list[matrix.Row] = [
    {
        "service_name": matrix.LONG_SERVICE,
        "endpoints": [{"name": "embed", "framework": "torch"}],
        "deployment": "kubernetes",
    },
    {
        "service_name": "tiny",
        "endpoints": [{"name": "embed", "framework": "python", "kind": "single", "jobs": True}],
        "deployment": "docker",
    },
]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("i", range(len(ROWS)), ids=["torch", "python-and-uv.lock"])
def test_an_image_builds_starts_is_healthy_and_drains(i: int, shared_folder: Path, tmp_path: Path) -> None:
    """From nothing but a Python: dependencies, then the service, which its health check finds and SIGTERM ends."""
    render = render_all(ROWS, shared_folder / "images")[i]
    context = tmp_path / "context"
    shutil.copytree(render.folder, context)
    if i:
        run("make", "lock", cwd=context)
    port = _on_a_free_port(context / "Dockerfile")

    image = build(context, tmp_path / "image")

    assert int(image.says["USER"]) != 0
    assert image.says["STOPSIGNAL"] == "SIGTERM"
    assert sorted(path.name for path in image.workdir.iterdir()) == [".venv", "service.toml", *(["var"] if i else [])]
    env = {**image.env, "PYTHONDONTWRITEBYTECODE": "1"}
    command, health = image.words("CMD"), image.words("HEALTHCHECK")
    assert command[0] == moved(f"/app/.venv/bin/{render.answers['service_name']}", image.root)
    assert subprocess.run(health, env=environment(env), stderr=subprocess.DEVNULL, check=False).returncode != 0
    with started(*command, cwd=image.workdir, log_path=tmp_path / "log", env=env) as service:
        assert service.url.endswith(f":{port}")
        assert subprocess.run(health, env=environment(env), check=False).returncode == 0
        assert httpx.post(f"{service.url}/embed", json={"text": "a quick brown fox"}).status_code == 200
        assert (image.workdir / "var" / "jobs.db").exists() == bool(i)
        assert service.terminate() == 0


def test_an_edit_to_the_source_keeps_the_layer_of_dependencies(renders: list[Render]) -> None:
    """What changes rarely is copied and installed first."""
    for each in renders:
        if each.file("Dockerfile").exists():
            text = each.text("Dockerfile")
            assert text.index("COPY vendor") < text.index("RUN --mount") < text.index("COPY src")


def _on_a_free_port(dockerfile: Path) -> int:
    """Move the image from port 8000 to a free one, so that tests can run side by side."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    dockerfile.write_text(dockerfile.read_text(encoding="utf-8").replace("8000", str(port)), encoding="utf-8")
    return port
