"""The runtime's wheel and its pin: they follow an upgrade, and a pin that does not is told."""

import pytest

from tests.e2e.changing import OLD, Owner

PYPROJECT = "pyproject.toml"
PIN = f"litgen-runtime=={OLD.removeprefix('v')}+vendored"

pytestmark = pytest.mark.timeout(300)


def test_a_dependency_beside_the_pin(old_owner: Owner) -> None:
    """It conflicts at no upgrade."""
    old_owner.edits(PYPROJECT, "dependencies = [\n", 'dependencies = [\n    "requests>=2",\n')
    old_owner.does("update", "--to", "0.2.0")
    old_owner.edits(PYPROJECT, "it\n]", 'it\n    "tqdm>=4",\n]')
    old_owner.does("update", "--to", "0.3.0")
    text = old_owner.text(PYPROJECT)
    assert '    "requests>=2",\n    "litgen-runtime==0.3.0+vendored", #' in text
    assert '    "tqdm>=4",\n]' in text
    assert "vendor/litgen_runtime-0.3.0+vendored-py3-none-any.whl" in text


def test_a_pin_that_is_kept(old_owner: Owner) -> None:
    """A conflict; who keeps the old one is told that there is no such wheel, by `continue` and by `status`."""
    old_owner.edits(PYPROJECT, f'"vendor/litgen_runtime-{PIN[16:]}-py3', f'"./vendor/litgen_runtime-{PIN[16:]}-py3')
    assert old_owner.litgen("update", "--to", "0.3.0").returncode == 4
    head, _, rest = old_owner.text(PYPROJECT).partition("<<<<<<< yours\n")
    mine, _, rest = rest.partition("=======\n")
    tail = rest.partition(">>>>>>> template v0.3.0\n")[2]
    old_owner.writes(PYPROJECT, head + mine + tail)
    said = old_owner.refused("continue", code=4)
    assert "./vendor/litgen_runtime-0.1.0+vendored-py3-none-any.whl, which is not there" in said
    assert "litgen_runtime-0.3.0+vendored" in said
    old_owner.writes(PYPROJECT, old_owner.text(PYPROJECT).replace("0.1.0+vendored", "0.3.0+vendored"))
    old_owner.does("continue")
    assert old_owner.litgen("status", "--check").returncode in (0, 6)
    old_owner.edits(PYPROJECT, "litgen_runtime-0.3.0", "litgen_runtime-0.1.0")
    done = old_owner.litgen("status", "--check")
    assert done.returncode == 5
    assert "which is not there" in done.stdout
