"""Copier as litgen runs it: from a project's own bundle, with nothing of the owner's settings."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from litgen_generator import git
from litgen_generator.errors import LitgenError
from litgen_generator.release.current import Template

BUNDLE = ".litgen/template.bundle"
"""Where a project carries its template; copier records this path, so that a plain `copier update` finds it."""


class Job(NamedTuple):
    """One project to be rendered.

    Args:
        template: The version of the template.
        answers: What the service is to be.
    """

    template: Template
    answers: Mapping[str, Any]


def render_all(jobs: Sequence[Job], folder: Path) -> list[Path]:
    """Render several projects side by side, each in a process of its own but for the first.

    Args:
        jobs: What to render.
        folder: Where; it is made, and each project has a folder of its own in it.

    Returns:
        The projects' folders, in the order of the jobs.

    Raises:
        LitgenError: If one of them cannot be rendered.
    """
    import copier  # noqa: F401 - once, before the processes part; it takes longer than to render

    rooms = [folder / str(number) for number in range(len(jobs))]
    for room in rooms:
        (room / "project").mkdir(parents=True)
        (room / "scratch").mkdir()
    children = [_started(job, room) for job, room in zip(jobs[1:], rooms[1:], strict=True)]
    try:
        _render_in(jobs[0], rooms[0])
        while children:
            _, status = os.waitpid(children[0], 0)
            children.pop(0)
            if status:
                said = next((room / "error" for room in rooms if (room / "error").exists()), None)
                raise LitgenError(said.read_text(encoding="utf-8") if said else "a render was killed. Run it again.")
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return [room / "project" for room in rooms]


def _started(job: Job, room: Path) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        _render_in(job, room)
        code = 0
    except LitgenError as error:
        (room / "error").write_text(str(error), encoding="utf-8")
    finally:
        os._exit(code)


def _render_in(job: Job, room: Path) -> None:
    render(job.template, job.answers, room / "project", room / "scratch")


def render(template: Template, answers: Mapping[str, Any], folder: Path, scratch: Path) -> None:
    """Write a project into an empty folder.

    Args:
        template: The version of the template.
        answers: What the service is to be.
        folder: The project's folder.
        scratch: Where copier's temporary files go.

    Raises:
        LitgenError: In one sentence, if copier or git fails.
    """
    git.require()
    bundle = folder / BUNDLE
    bundle.parent.mkdir(parents=True)
    shutil.copyfile(template.bundle, bundle)

    import copier
    import copier.errors
    import jinja2
    from plumbum import ProcessExecutionError

    with _surroundings(folder, scratch):
        try:
            copier.run_copy(
                BUNDLE,
                ".",
                data=dict(answers),
                vcs_ref=template.tag,
                defaults=True,
                overwrite=True,
                quiet=True,
                settings=copier.Settings(),
            )
        except ProcessExecutionError as error:
            said = str(error.stderr).strip() or f"exit code {error.retcode}"
            raise LitgenError(f"git failed while the template was rendered: {said}") from error
        except (copier.errors.CopierError, jinja2.TemplateError, ValueError) as error:
            question, _, reasons = str(error).partition("': ")
            if question.startswith("Validation error"):
                raise LitgenError(f"the template {template.tag} does not take these answers:\n{reasons}") from error
            raise LitgenError(f"the template {template.tag} could not be rendered: {error}") from error


@contextmanager
def _surroundings(folder: Path, scratch: Path) -> Iterator[None]:
    """Work in `folder`, with temporary files in `scratch` and a git that sees none of the owner's settings.

    Copier takes all three from the process, and the last from plumbum, which read it at its import.
    """
    from plumbum import local

    temporary = tempfile.tempdir
    with local.cwd(folder), local.env():
        local.env.clear()
        local.env.update(git.neutral_environment())
        tempfile.tempdir = str(scratch)
        try:
            yield
        finally:
            tempfile.tempdir = temporary
