"""litgen installed from a wheel, and its wheel built from whatever a person may have."""

import re
import sys
import zipfile
from pathlib import Path

import pytest

from litgen_generator.release.cut import set_version
from litgen_generator.release.source import Source
from tests.e2e.conftest import ROOT, Workplace, copy_sources
from tests.template.rendering import once, run


def build(source: Path, target: Path, kind: str) -> Path:
    """Build a wheel or an sdist as pip would, but with the hatchling that is installed."""
    run(sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", target, cwd=source)
    (built,) = target.iterdir()
    return built


def bundles(wheel: Path) -> dict[str, bytes]:
    """The template bundles in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name.endswith(".bundle")}


def installed(wheel: Path, target: Path) -> tuple[str, ...]:
    """The command of a wheel, unpacked where only it is found; its dependencies are those of the tests."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    start = "import sys; sys.path.insert(0, sys.argv.pop(1)); from litgen_generator.__main__ import main; main()"
    return (sys.executable, "-c", start, str(target))


def vendored(project: Path) -> Path:
    """The runtime's wheel in a project."""
    (wheel,) = (project / "vendor").glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generator's wheel, built from a source folder without git."""
    folder = tmp_path_factory.mktemp("wheel")
    return build(copy_sources(folder / "sources"), folder / "wheel", "wheel")


@pytest.mark.slow
def test_an_installed_litgen_makes_a_project(wheel: Path, workplace: Workplace) -> None:
    """Without a checkout, without hatchling's work: the wheel holds the template and the runtime."""
    workplace.command = installed(wheel, workplace.root / "installed")
    project = workplace.new("svc")
    source = Source(ROOT)
    assert vendored(project).name == f"litgen_runtime-{source.runtime_version}-py3-none-any.whl"
    assert f"litgen-runtime=={source.runtime_version}" in (project / "pyproject.toml").read_text()
    updated = workplace.run(sys.executable, "-m", "copier", "update", "--defaults", cwd=project)
    assert updated.returncode == 0, updated.stderr


@pytest.mark.slow
def test_a_wheel_holds_what_each_version_changed(wheel: Path) -> None:
    """Beside every bundle, also that of a version that is not released yet."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"{name.removesuffix('.bundle')}.md" for name in bundles(wheel)} <= names


@pytest.mark.slow
def test_a_wheel_from_an_sdist_is_the_same(wheel: Path, tmp_path: Path) -> None:
    """An sdist loses nothing that a release is made of."""
    sdist = build(copy_sources(tmp_path / "sources"), tmp_path / "sdist", "sdist")
    run("tar", "xzf", sdist, cwd=tmp_path)
    unpacked = tmp_path / sdist.name.removesuffix(".tar.gz")
    assert bundles(build(unpacked, tmp_path / "wheel", "wheel")) == bundles(wheel)


@pytest.mark.slow
def test_a_wheel_does_not_depend_on_a_repository_around_it(wheel: Path, tmp_path: Path) -> None:
    """A repository that ignores half of the sources changes nothing."""
    run("git", "init", "--quiet", cwd=tmp_path)
    (tmp_path / ".gitignore").write_text("vendor/\n*.bundle\nrelease*\n.*\n*.jinja\n")
    sources = copy_sources(tmp_path / "sources")
    assert bundles(build(sources, tmp_path / "wheel", "wheel")) == bundles(wheel)


@pytest.mark.slow
def test_a_changed_line_of_the_runtime_is_seen_in_a_new_project(workplace: Workplace) -> None:
    """A change of the runtime changes its version, and stands in the wheel that a project carries."""
    sources = copy_sources(workplace.root / "sources")
    set_version(sources, "9.9.9.dev0")
    workplace.command = installed(build(sources, workplace.root / "one", "wheel"), workplace.root / "old")
    before = vendored(workplace.new("before"))
    changed = sources / "runtime_lib" / "litgen_runtime" / "__init__.py"
    changed.write_text(f"{changed.read_text()}\nCHANGED_LINE = 1\n")
    workplace.command = installed(build(sources, workplace.root / "two", "wheel"), workplace.root / "new")
    after = vendored(workplace.new("after"))
    assert before.name != after.name
    with zipfile.ZipFile(after) as archive:
        assert b"CHANGED_LINE = 1" in archive.read("litgen_runtime/__init__.py")
        assert after.name.split("-")[1].encode() in archive.read("litgen_runtime/_version.py")


@pytest.mark.slow
def test_a_checkout_makes_the_same_bundle_as_its_wheel(wheel: Path, workplace: Workplace) -> None:
    """A project does not depend on how litgen was installed."""
    (bundle,) = (content for name, content in bundles(wheel).items() if Source(ROOT).tag in name)
    assert (workplace.new("svc") / ".litgen" / "template.bundle").read_bytes() == bundle


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pip_install_gives_a_command(shared_installation: Path, workplace: Workplace) -> None:
    """`pip install .` in a fresh environment gives a `litgen` that works."""
    workplace.command = (str(shared_installation / "bin" / "litgen"),)
    assert re.match(r"litgen, version \d", workplace.litgen("--version").stdout)
    assert vendored(workplace.new("svc")).is_file()


@pytest.fixture(scope="session")
def shared_installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment into which pip installed the source folder, with all that it depends on."""
    folder = tmp_path_factory.getbasetemp().parent / "pip-installation"

    def make() -> None:
        sources = copy_sources(folder / "sources")
        run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
        run(folder / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", sources, cwd=folder)

    once(folder, make)
    return folder / "venv"
