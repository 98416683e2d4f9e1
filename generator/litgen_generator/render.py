"""Copier as litgen runs it: from a project's own bundle, with nothing of the owner's settings."""

import os
import pickle
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

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


class _Ahead(NamedTuple):
    """A process that imports copier while this one does something else, and then renders what it is told to."""

    number: int
    orders: BinaryIO
    results: BinaryIO


_ahead: list[_Ahead] = []
"""It, if there is one."""


def start() -> None:
    """Have copier imported ahead, in a process of its own: that takes longer than to render."""
    if "copier" in sys.modules:
        return
    orders, results = os.pipe(), os.pipe()
    number = os.fork()
    if number:
        with suppress(OSError):
            os.setpgid(number, number)
        os.close(orders[0])
        os.close(results[1])
        _ahead.append(_Ahead(number, os.fdopen(orders[1], "wb"), os.fdopen(results[0], "rb")))
        return
    try:
        os.setpgid(0, 0)
        for stopping in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(stopping, signal.SIG_DFL)
        os.close(orders[1])
        os.close(results[0])
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        with os.fdopen(orders[0], "rb") as reading, os.fdopen(results[1], "wb") as writing:
            _serve(reading, writing)
    except Exception:  # noqa: BLE001 - a process has no one above it; the one who waits is told by the closed pipe
        traceback.print_exc()
    finally:
        os._exit(0)


def stop() -> None:
    """End that process, and all that it has started."""
    while _ahead:
        ahead = _ahead.pop()
        with suppress(ProcessLookupError):
            os.killpg(ahead.number, signal.SIGKILL)
        os.waitpid(ahead.number, 0)
        ahead.results.close()
        with suppress(BrokenPipeError):
            ahead.orders.close()


def _serve(orders: BinaryIO, results: BinaryIO) -> None:
    import copier  # noqa: F401 - what this process is for

    while True:
        try:
            jobs, folder = pickle.load(orders)  # noqa: S301 - from the process that this one is a part of
        except EOFError:
            return
        try:
            result: Any = _all_rendered(jobs, folder)
        except LitgenError as error:
            result = error
        except Exception:  # noqa: BLE001 - raised again by the one who waits
            result = RuntimeError(traceback.format_exc())
        pickle.dump(result, results)
        results.flush()


def render_all(jobs: Sequence[Job], folder: Path) -> list[Path]:
    """Render several projects side by side.

    Args:
        jobs: What to render.
        folder: Where; it is made, and each project has a folder of its own in it.

    Returns:
        The projects' folders, in the order of the jobs.

    Raises:
        LitgenError: If one of them cannot be rendered.
    """
    if not _ahead:
        return _all_rendered(jobs, folder)
    try:
        pickle.dump((list(jobs), folder), _ahead[0].orders)
        _ahead[0].orders.flush()
        result: Any = pickle.load(_ahead[0].results)  # noqa: S301 - from a process that this one has started
    except (EOFError, BrokenPipeError):
        raise LitgenError("a render was killed. Run it again.") from None
    except BaseException:
        stop()  # before anybody removes the folder
        raise
    if isinstance(result, Exception):
        raise result
    rendered: list[Path] = result
    return rendered


def _all_rendered(jobs: Sequence[Job], folder: Path) -> list[Path]:
    """Render each in a process of its own but for the first."""
    import copier  # noqa: F401 - once, before the processes part

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

    with _surroundings(folder, scratch), _without_an_index():
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
def _without_an_index() -> Iterator[None]:
    """Leave out what copier asks git about each file, a third of its time: whether it is to mend modes in an index.

    There is none where litgen renders. A copier that does not ask, or does so elsewhere, is left as it is.
    """
    from copier import _main

    asking = "_sync_git_index_executable_bit"
    original = getattr(_main.Worker, asking, None)
    if original is None:
        yield
        return
    setattr(_main.Worker, asking, lambda *_: None)
    try:
        yield
    finally:
        setattr(_main.Worker, asking, original)


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
