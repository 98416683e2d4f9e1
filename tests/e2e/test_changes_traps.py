"""What plain copier loses on an upgrade, and litgen does not: a test for each trap of docs/upgrading.md.

The newer version is a future one: today's sources with a file renamed, one deleted, one mended, and an answer refused.
"""

import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from litgen_generator.release.cut import set_version
from tests.e2e.changing import Owner
from tests.e2e.conftest import copy_sources
from tests.template.rendering import once, run

OLD_NAME, NEW_NAME = "tests/test_service.py", "tests/test_whole_service.py"
DELETED = ".pre-commit-config.yaml"
MENDED, FIX = "compose.yaml", "# mended by the template\n"
_MENDED_SOURCE = "template/project/{% if deploy_docker %}compose.yaml{% endif %}.jinja"
_MODEL = "generator/litgen_generator/answers/model.py"


def make_future(folder: Path) -> None:
    """The sources of a litgen to come."""
    sources = copy_sources(folder / "sources")
    project = sources / "template" / "project"
    (project / OLD_NAME).rename(project / NEW_NAME)
    (project / DELETED).unlink()
    mended = sources / _MENDED_SOURCE
    mended.write_text(mended.read_text() + FIX)
    model = (sources / _MODEL).read_text()
    assert '"github"' in model
    (sources / _MODEL).write_text(model.replace('"github"', '"gitlab"'))
    set_version(sources, "9.9.9.dev0")
    run(sys.executable, "-m", "litgen_generator.answers.questions", cwd=sources, env=paths(sources))


def paths(sources: Path) -> dict[str, str]:
    """Where Python is to find those sources."""
    return {"PYTHONPATH": f"{sources / 'generator'}:{sources / 'runtime_lib'}"}


@pytest.fixture
def meets_future(owner: Owner, shared_folder: Path) -> Owner:
    """An owner who has a newer litgen, and a project that no answer keeps from it."""
    once(shared_folder / "future", lambda: make_future(shared_folder / "future"))
    owner.edits(".copier-answers.yml", "ci: github", "ci: none")
    owner.workplace.extra |= paths(shared_folder / "future" / "sources")
    return owner


def test_a_file_that_the_template_renames(meets_future: Owner) -> None:
    """The owner's edits go with it."""
    owner = meets_future
    text = owner.text(OLD_NAME)
    owner.writes(OLD_NAME, f"{text}\n\n# mine\n")
    said = owner.does("update")
    assert f"move      {OLD_NAME} → {NEW_NAME}" in said
    assert owner.text(NEW_NAME) == f"{text}\n\n# mine\n"
    assert not (owner.project / OLD_NAME).exists()


def test_a_file_that_the_template_deletes(meets_future: Owner) -> None:
    """Unedited it goes; edited it stays, and is a conflict for its owner to decide."""
    owner = meets_future
    owner.writes(DELETED, f"{owner.text(DELETED)}# mine\n")
    edited = owner.text(DELETED)
    done = owner.litgen("update")
    assert done.returncode == 4, done.stdout + done.stderr
    assert DELETED in done.stderr
    assert owner.text(DELETED) == edited
    owner.does("undo")
    owner.git("checkout", "--quiet", "--", DELETED)
    assert f"delete    {DELETED}" in owner.does("update")


def test_a_file_that_the_owner_has_moved(meets_future: Owner) -> None:
    """The template's fix reaches it where it is now."""
    owner = meets_future
    (owner.project / "ops").mkdir()
    (owner.project / MENDED).rename(owner.project / "ops" / MENDED)
    owner.does("update")
    assert owner.text(f"ops/{MENDED}").endswith(FIX)
    assert not (owner.project / MENDED).exists()


def test_fetch_says_what_copier_would_lose(meets_future: Owner) -> None:
    """File by file: only those that are edited, and that the newer version moves or deletes."""
    owner = meets_future
    assert "Mind your edits" not in owner.does("template", "fetch")
    owner.does("undo")
    for path in (OLD_NAME, DELETED, MENDED, "Makefile"):
        owner.writes(path, f"{owner.text(path)}\n# mine\n")
    said = owner.does("template", "fetch")
    assert f"\n  {DELETED}: deleted\n  {OLD_NAME}: moved to {NEW_NAME}\n" in said
    assert "Makefile" not in said
    assert MENDED not in said


@pytest.mark.parametrize("way", ["one", "both"])
def test_a_file_that_both_have_moved(meets_future: Owner, way: str) -> None:
    """Both copies stay, and the owner says which is wanted, or that both are."""
    owner = meets_future
    mine = "tests/test_mine.py"
    (owner.project / OLD_NAME).rename(owner.project / mine)
    done = owner.litgen("update")
    assert done.returncode == 4, done.stdout + done.stderr
    said = owner.refused("continue", code=4)
    assert mine in said
    assert NEW_NAME in said
    if way == "one":
        (owner.project / NEW_NAME).unlink()
        owner.does("continue")
    else:
        owner.does("continue", "--both")
    owner.does("undo")
    assert not (owner.project / NEW_NAME).exists()
    assert (owner.project / mine).exists()


def test_a_file_that_the_owner_has_deleted(meets_future: Owner) -> None:
    """It stays deleted, on each update."""
    owner = meets_future
    model = "src/svc/endpoints/rank/model.py"
    for path in (MENDED, model):
        (owner.project / path).unlink()
    said = owner.does("update")
    assert f"keep      {MENDED} (you have deleted it" in said
    owner.does("set", "drain_timeout_s=77")
    assert not (owner.project / MENDED).exists()
    assert not (owner.project / model).exists()


def test_an_answer_that_is_no_longer_accepted(meets_future: Owner) -> None:
    """It is never reset in silence: refused, with the flag that gives another one."""
    owner = meets_future
    owner.edits(".copier-answers.yml", "ci: none", "ci: github")
    said = owner.refused("update", code=2)
    assert 'ci is "github"; expected one of "gitlab", "none"' in said
    assert "litgen update --set KEY=VALUE" in said
    owner.does("update", "--set", "ci=none")
    assert yaml.safe_load(owner.text(".copier-answers.yml"))["ci"] == "none"


def test_an_edited_handler_of_an_endpoint_that_goes(owner: Owner) -> None:
    """It stays and is told as a conflict; one that was not edited goes without a trace."""
    model = "src/svc/endpoints/rank/model.py"
    owner.writes(model, f"{owner.text(model)}\nMINE = 1\n")
    done = owner.litgen("remove-endpoint", "rank")
    assert done.returncode == 4, done.stdout + done.stderr
    assert f"{model}: you have edited it" in done.stderr
    assert "MINE = 1" in owner.text(model)
    owner.does("undo")
    owner.git("checkout", "--quiet", "--", model)
    owner.does("remove-endpoint", "rank")
    assert not (owner.project / "src/svc/endpoints/rank").exists()
    assert not (owner.project / "tests/endpoints/test_rank.py").exists()


def test_a_conflict_is_an_exit_code(meets_future: Owner) -> None:
    """4, and the owner's index is not touched."""
    owner = meets_future
    owner.writes(MENDED, f"{owner.text(MENDED)}# mine\n")
    index = (owner.project / ".git" / "index").read_bytes()
    assert owner.litgen("update").returncode == 4
    assert (owner.project / ".git" / "index").read_bytes() == index
    assert "# mine\n=======\n" in owner.text(MENDED)


def test_a_tree_with_edits_that_are_not_committed(meets_future: Owner) -> None:
    """Untracked, staged and plain edits all stay, and two changes need no commit in between."""
    owner = meets_future
    owner.writes("notes.txt", "mine\n")
    owner.edits("Makefile", ".PHONY", "# mine\n.PHONY")
    owner.git("add", "Makefile")
    owner.does("add-endpoint", "third", "--defaults")
    owner.does("update")
    assert owner.text("notes.txt") == "mine\n"
    assert "# mine" in owner.text("Makefile")
    assert "[endpoints.third]" in owner.text("service.toml")


def test_settings_of_copier_do_not_leak(owner: Owner) -> None:
    """What a person has told copier for other templates is not told to this one."""
    settings = owner.workplace.home / ".config" / "copier" / "settings.yml"
    settings.parent.mkdir(parents=True)
    settings.write_text("defaults: {description: Leaked., deployment: none, project_name: leaked}\ntrust: []\n")
    owner.workplace.extra["COPIER_SETTINGS_PATH"] = str(settings)
    assert "Nothing to change" in owner.does("update")
    owner.does("add-endpoint", "third", "--defaults")
    assert "Leaked" not in "".join(content.decode(errors="replace") for _, content in owner.files().values())


def test_no_terminal_and_no_flags(meets_future: Owner) -> None:
    """An update needs nobody at a terminal: it takes the defaults of new questions, and says so."""
    assert "Done." in meets_future.does("update")


def test_a_preview_shows_the_difference(meets_future: Owner) -> None:
    """Line by line, and nothing is written."""
    owner = meets_future
    before = owner.files()
    words = (*owner.workplace.command, "update", "--diff")
    done = owner.workplace.run("sh", "-c", 'exec "$@" > ../patch', "-", *words, cwd=owner.project)
    assert done.returncode == 0, done.stderr
    assert f"\n+{FIX}".encode() in (owner.workplace.folder / "patch").read_bytes()
    assert owner.files() == before


def test_nothing_asks_for_trust(owner: Owner) -> None:
    """The template has no tasks, migrations or extensions: nothing of it runs on the owner's machine."""
    unpacked = owner.workplace.folder / "template"
    owner.git("clone", "--quiet", str(owner.project / ".litgen" / "template.bundle"), str(unpacked))
    settings = (unpacked / "copier.yml").read_text()
    assert not [key for key in ("_tasks", "_migrations", "_jinja_extensions") if key in settings]


def test_one_family_of_versions(owner: Owner) -> None:
    """The bundle that a project carries holds versions of the form v1.2.3 only, so that copier records those."""
    listed = owner.git("bundle", "list-heads", ".litgen/template.bundle").splitlines()
    tags = [line.split("refs/tags/")[1] for line in listed if "refs/tags/" in line]
    assert tags
    assert all(tag.startswith("v") for tag in tags)


def test_the_drain_of_service_toml_reaches_the_manifest(old_owner: Owner) -> None:
    """Set by hand to 120, then an update: the pod's grace period follows, and no pod dies while it drains."""
    drain = tomllib.loads(old_owner.text("service.toml"))["shutdown"]["drain_timeout_s"]
    (line,) = (line for line in old_owner.text("service.toml").splitlines() if line.startswith("drain_timeout_s"))
    old_owner.edits("service.toml", line, line.replace(str(drain), "120"))
    old_owner.does("update")
    text = old_owner.text("deploy/kubernetes/base/deployment.yaml")
    (grace,) = (each for each in text.splitlines() if "terminationGracePeriodSeconds" in each)
    assert int(grace.split(":")[1].split("#")[0]) >= 120
    assert tomllib.loads(old_owner.text("service.toml"))["shutdown"]["drain_timeout_s"] == 120


def test_a_template_that_lies_nowhere_else(owner: Owner) -> None:
    """The project carries its template and names it relatively: moved and without litgen's sources, copier finds it."""
    answers = yaml.safe_load(owner.text(".copier-answers.yml"))
    assert answers["_src_path"] == ".litgen/template.bundle"
    moved = Owner(owner.workplace, owner.project.rename(owner.workplace.root / "moved"))
    moved.copier("--vcs-ref=:current:", "--data", "drain_timeout_s=120.0")
    assert "drain_timeout_s = 120" in moved.text("service.toml")


def test_the_folder_of_the_process_stays(owner: Owner) -> None:
    """Each render has a process of its own: copier changes the folder of the one that it is in."""
    code = (
        "import os; from pathlib import Path; from litgen_generator.change.project import Project;"
        "from litgen_generator.change.engine import Wish, planned; here = os.getcwd();"
        "project = Project.find(Path.cwd());"
        "planned(project, Wish('', project.template, lambda answers: answers)).__enter__();"
        "assert os.getcwd() == here; print(here)"
    )
    done = owner.workplace.run(sys.executable, "-c", code, cwd=owner.project)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(owner.project)
