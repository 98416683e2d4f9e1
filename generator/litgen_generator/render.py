"""Copier as litgen runs it: from a project's own bundle, with nothing of the owner's settings."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from litgen_generator import git
from litgen_generator.answers.model import Answers
from litgen_generator.errors import LitgenError
from litgen_generator.release.current import Template

BUNDLE = ".litgen/template.bundle"
"""Where a project carries its template; copier records this path, so that a plain `copier update` finds it."""


def render(template: Template, answers: Answers, folder: Path, scratch: Path) -> None:
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
                data=answers.model_dump(mode="json", exclude_none=True),
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
