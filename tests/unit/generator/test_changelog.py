"""The changelog's sections, and what is read out of them."""

import pytest

from litgen_generator.errors import LitgenError
from litgen_generator.release import changelog

TEXT = """\
# Changelog

## Unreleased

Streams, uploads and
time limits: many more.

### Before you deploy

- Runs are stopped at `run_limit_s`.
  Raise it.

### Added

- Streams.

## 0.1.0 - 2026-11-21

- The first.
"""


def test_a_release_takes_what_is_unreleased() -> None:
    """The section gets its heading; the notes are the section, after a line with the date."""
    changed, notes = changelog.released(TEXT, "0.2.0", "2026-12-01")
    assert "## Unreleased\n\n## 0.2.0 - 2026-12-01\n\nStreams, uploads" in changed
    assert notes.startswith("Released on 2026-12-01.\n\nStreams, uploads and\n")
    assert notes.endswith("- Streams.\n")
    assert changelog.released_on(notes) == "2026-12-01"
    assert changelog.unreleased(changed) == ""


@pytest.mark.parametrize("text", ["# Changelog\n", "## Unreleased\n\n## 0.1.0\n\n- Old.\n", ""])
def test_nothing_is_released_unsaid(text: str) -> None:
    """A release without a word about it is refused."""
    with pytest.raises(LitgenError, match="nothing under '## Unreleased'"):
        changelog.released(text, "0.2.0", "2026-12-01")


def test_what_is_not_released_has_no_date() -> None:
    """Only a release's notes begin with one."""
    assert changelog.released_on(changelog.unreleased(TEXT)) is None


def test_the_part_before_you_deploy_ends_at_the_next_heading() -> None:
    """It is told without the rest of the section."""
    assert (
        changelog.before_you_deploy(changelog.unreleased(TEXT)) == "- Runs are stopped at `run_limit_s`.\n  Raise it."
    )


@pytest.mark.parametrize("text", ["", "### Added\n\n- Before you deploy: nothing.\n", "### Before you deploy\n"])
def test_a_version_may_have_nothing_to_say_before(text: str) -> None:
    """Only the heading itself begins that part."""
    assert changelog.before_you_deploy(text) == ""


@pytest.mark.parametrize(
    ("notes", "summary"),
    [
        (changelog.unreleased(TEXT), "Streams, uploads and time limits"),
        ("Released on 2026-12-01.\n\nMany streams. And more.\n", "Many streams"),
        ("Released on 2026-12-01.\n\n### Added\n\n- `a`: b\n  c; d\n- e\n", "`a`"),
        ("### Fixed\n\n- A `1.5 s` pause\n- e\n", "A `1.5 s` pause"),
        ("", ""),
    ],
)
def test_a_version_is_summed_up_by_its_first_words(notes: str, summary: str) -> None:
    """They are the first sentence, or the first point where there is none."""
    assert changelog.summary(notes) == summary
