"""Which template an installed litgen uses."""

from pathlib import Path

import pytest

from litgen_generator.errors import LitgenError
from litgen_generator.release import current as releases
from litgen_generator.release.source import Source


@pytest.fixture
def carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bundles of a litgen that was installed from a wheel."""
    monkeypatch.setattr(Source, "of_checkout", classmethod(lambda _: None))
    monkeypatch.setattr(releases, "CARRIED", tmp_path)
    for tag in ("v0.1.0", "v0.1.1", "v0.2.0.dev0+vendored.0123abcd"):
        (tmp_path / f"{tag}.bundle").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("version", "tag"), [("0.1.0", "v0.1.0"), ("0.1.1", "v0.1.1"), ("0.2.0.dev0", "v0.2.0.dev0+vendored.0123abcd")]
)
def test_it_is_that_of_its_own_version(carried: Path, monkeypatch: pytest.MonkeyPatch, version: str, tag: str) -> None:
    """Older releases are carried for upgrades; a new project gets the one of this version."""
    monkeypatch.setattr(releases, "__version__", version)
    assert releases.current() == releases.Template(carried / f"{tag}.bundle", tag)


def test_a_missing_one_is_told(carried: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation says what to do."""
    monkeypatch.setattr(releases, "__version__", "9.9.9")
    with pytest.raises(LitgenError, match="Install litgen-generator again"):
        releases.current()
