"""Which versions of the template a litgen has, and what each has to say."""

import re
from pathlib import Path

import pytest

from litgen_generator.errors import LitgenError
from litgen_generator.release import carried, current, notices
from litgen_generator.release.current import CARRIED
from litgen_generator.release.source import Source

DEVELOPMENT = "v0.11.0.dev0+vendored.0123abcd"
RELEASES = ["v0.2.0", "v0.2.1", "v0.10.0"]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The releases folder of a development litgen that was installed from a wheel."""
    monkeypatch.setattr(Source, "of_checkout", classmethod(lambda _: None))
    monkeypatch.setattr(current, "CARRIED", tmp_path)
    monkeypatch.setattr(current, "__version__", "0.11.0.dev0")
    for tag in (DEVELOPMENT, *reversed(RELEASES)):
        (tmp_path / f"{tag}.bundle").touch()
        (tmp_path / f"{tag}.md").write_text(f"### Before you deploy\n\n- Of {tag}.\n\n### Added\n\n- Much.\n")
    return tmp_path


def test_versions_are_sorted_by_number(installed: Path) -> None:
    """0.10 comes after 0.2, and the version to come is the last."""
    assert [each.tag for each in carried.versions()] == [*RELEASES, DEVELOPMENT]


def test_a_released_litgen_has_no_development_version(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own release is the last."""
    monkeypatch.setattr(current, "__version__", "0.10.0")
    assert [each.tag for each in carried.versions()] == RELEASES


@pytest.mark.parametrize(
    ("earlier", "later"),
    [("v0.2.0", "v0.10.0"), ("v0.2.0.dev0+vendored.ffffffff", "v0.2.0"), ("v0.2.0.dev9", "v0.2.0.dev10+x")],
)
def test_a_development_version_comes_before_its_release(earlier: str, later: str) -> None:
    """Tags have an order."""
    assert carried.order(earlier) < carried.order(later)


@pytest.mark.parametrize("tag", ["", "v1", "main", "v0.1.0rc1", "runtime-v0.1.0"])
def test_other_tags_have_no_order(tag: str) -> None:
    """They are none of litgen's."""
    with pytest.raises(ValueError, match=re.escape(repr(tag))):
        carried.order(tag)


@pytest.mark.parametrize("asked", ["v0.2.1", "0.2.1"])
def test_a_version_is_found_by_its_tag(installed: Path, asked: str) -> None:
    """With or without the v."""
    assert carried.template_of(asked) == current.Template(installed / "v0.2.1.bundle", "v0.2.1")


def test_a_version_that_is_not_there_is_told(installed: Path) -> None:
    """The message lists those that are."""
    with pytest.raises(LitgenError, match=re.escape(f"no template v9.0.0; expected one of {', '.join(RELEASES)}")):
        carried.template_of("v9.0.0")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("v0.2.0", "v0.10.0", ["v0.2.1", "v0.10.0"]),
        ("v0.1.0", "v0.2.0", ["v0.2.0"]),
        ("v0.2.1", "v0.2.1", []),
        ("v0.10.0", DEVELOPMENT, [DEVELOPMENT]),
        ("v0.11.0.dev0+vendored.ffffffff", DEVELOPMENT, [DEVELOPMENT]),
        (DEVELOPMENT, DEVELOPMENT, []),
    ],
)
def test_what_has_to_be_known_is_told_for_each_version_on_the_way(
    installed: Path, old: str, new: str, told: list[str]
) -> None:
    """From the one after the old version up to the new one."""
    expected = [notices.Notice(tag, f"- Of {tag}.") for tag in told]
    assert notices.between(old, new) == expected


def test_a_version_without_such_a_part_is_left_out(installed: Path) -> None:
    """Nothing is said of it."""
    (installed / "v0.2.1.md").write_text("### Added\n\n- Much.\n")
    assert [notice.version for notice in notices.between("v0.2.0", "v0.10.0")] == ["v0.10.0"]


def test_missing_notes_are_told(installed: Path) -> None:
    """A behaviour change is never kept from an owner in silence."""
    (installed / "v0.2.1.md").unlink()
    with pytest.raises(LitgenError, match=r"v0\.2\.1\.md is missing"):
        notices.between("v0.2.0", "v0.10.0")


def test_every_release_has_its_notes() -> None:
    """Beside each bundle lies what changed, with a date."""
    tags = [path.name.removesuffix(".bundle") for path in CARRIED.glob("v*.bundle")]
    assert tags
    assert all(notices.notes(tag).startswith("Released on 2") for tag in tags)
