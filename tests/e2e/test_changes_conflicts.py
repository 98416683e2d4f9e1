"""A conflict from beginning to end: told, listed, resolved, gone on with, or taken back."""

import json

import pytest

from tests.e2e.changing import Owner

DEPLOYMENT = "deploy/kubernetes/base/deployment.yaml"
GRACE = "terminationGracePeriodSeconds"

pytestmark = pytest.mark.timeout(300)


def the_line(owner: Owner, path: str, part: str) -> str:
    """The one line of a file that has some text in it."""
    (line,) = (line for line in owner.text(path).splitlines() if part in line)
    return line


@pytest.fixture
def conflicted(owner: Owner) -> Owner:
    """The owner has edited the line that a command changes, and has run the command."""
    owner.edits(DEPLOYMENT, the_line(owner, DEPLOYMENT, GRACE), f"      {GRACE}: 333 # ours")
    owner.commits()
    done = owner.litgen("set", "drain_timeout_s=120")
    assert done.returncode == 4, done.stdout + done.stderr
    assert DEPLOYMENT in done.stderr
    assert "litgen continue" in done.stderr
    assert "litgen undo" in done.stderr
    assert "conflict" in done.stdout
    return owner


def resolve(owner: Owner) -> None:
    """Decide for the template's side."""
    before, _, rest = owner.text(DEPLOYMENT).partition("<<<<<<<")
    theirs, _, after = rest.partition("=======\n")[2].partition(">>>>>>>")
    owner.writes(DEPLOYMENT, before + theirs + after.partition("\n")[2])


def test_a_conflict_is_readable(conflicted: Owner) -> None:
    """Both sides stand in the file under names that say whose they are; all else is changed."""
    text = conflicted.text(DEPLOYMENT)
    assert f"<<<<<<< yours\n      {GRACE}: 333 # ours\n=======\n" in text
    assert ">>>>>>> template v" in text
    assert f"=======\n      {GRACE}: 135\n>>>>>>> template v" in text
    assert "+vendored" not in text
    assert "drain_timeout_s = 120" in conflicted.text("service.toml")


def test_going_on(conflicted: Owner) -> None:
    """Refused while markers remain, as are other commands; done when they are gone."""
    assert DEPLOYMENT in conflicted.refused("continue", code=4)
    for command in (("set", "drain_timeout_s=60"), ("add-endpoint", "third", "--defaults"), ("update",)):
        assert "litgen continue" in conflicted.refused(*command, code=4)
    assert conflicted.litgen("status", "--check").returncode == 4
    assert json.loads(conflicted.does("status", "--json"))["conflicts"] == [DEPLOYMENT]
    resolve(conflicted)
    assert conflicted.litgen("status", "--check").returncode == 4
    conflicted.does("continue")
    assert conflicted.litgen("status", "--check").returncode == 0
    assert "nothing to continue" in conflicted.refused("continue")
    conflicted.does("set", "drain_timeout_s=60")


def test_markers_that_were_committed_are_found(conflicted: Owner) -> None:
    """A clone knows nothing of the conflict, but its markers are seen: CI stops there."""
    conflicted.commits("too early")
    conflicted.git("clone", "--quiet", ".", "../clone")
    clone = Owner(conflicted.workplace, conflicted.project.parent / "clone")
    done = clone.litgen("status", "--check")
    assert done.returncode == 4, done.stdout + done.stderr
    assert DEPLOYMENT in done.stdout


def test_out_of_a_conflict(conflicted: Owner) -> None:
    """Undo restores each byte, whether the conflict was touched or not."""
    conflicted.does("undo")
    assert conflicted.git("status", "--porcelain") == ""
    assert "nothing to undo" in conflicted.refused("undo")


def test_undo_after_it_was_resolved(conflicted: Owner) -> None:
    """What the owner has decided is a part of the change: all of it goes back, and nothing that was edited since."""
    resolve(conflicted)
    conflicted.edits("Makefile", ".PHONY", "# mine\n.PHONY")
    conflicted.does("continue")
    conflicted.does("undo")
    assert conflicted.git("status", "--porcelain") == "M Makefile"
    assert "# mine" in conflicted.text("Makefile")


@pytest.mark.parametrize("end", ["continue", "undo"])
def test_thrown_away_with_git(owner: Owner, end: str) -> None:
    """It is noticed, whatever git has made of line ends, and nothing else is changed until its owner says so."""
    owner.git("config", "core.autocrlf", "input")
    owner.writes("service.toml", owner.text("service.toml").replace("\n", "\r\n"))
    owner.edits(DEPLOYMENT, the_line(owner, DEPLOYMENT, GRACE), f"      {GRACE}: 333 # ours")
    owner.commits()
    (owner.project / "service.toml").write_bytes(owner.text("service.toml").replace("\n", "\r\n").encode())
    assert owner.litgen("set", "drain_timeout_s=120").returncode == 4
    owner.git("stash", "--include-untracked")
    owner.git("stash", "drop")
    before = owner.files()
    done = owner.litgen("status", "--check")
    assert done.returncode == 5, done.stdout + done.stderr
    assert "was taken back already" in done.stdout
    assert "was taken back already" in owner.refused("set", "drain_timeout_s=60", code=4)
    assert "was taken back already" in owner.does(end)
    assert owner.files() == before
    assert owner.litgen("status", "--check").returncode == 0
    owner.does("set", "ci=none")


def test_a_patch_with_conflicts(owner: Owner) -> None:
    """It is printed, and said where it holds them, with their exit code."""
    owner.edits(DEPLOYMENT, the_line(owner, DEPLOYMENT, GRACE), f"      {GRACE}: 333 # ours")
    before = owner.files()
    done = owner.litgen("set", "drain_timeout_s=120", "--diff")
    assert done.returncode == 4
    assert done.stdout.startswith("diff --git")
    assert f"  {DEPLOYMENT}: you and the template changed the same lines" in done.stderr
    assert owner.files() == before


def test_in_the_middle_of_a_merge(owner: Owner) -> None:
    """What writes is refused until git has merged; if even the answers are half merged, all is."""
    owner.does("set", "drain_timeout_s=90")
    owner.git("checkout", "--quiet", "-b", "other")
    owner.edits("README.md", "# svc", "# theirs")
    owner.commits("theirs")
    owner.git("checkout", "--quiet", "-")
    owner.edits("README.md", "# svc", "# ours")
    owner.commits("ours")
    assert owner.workplace.run("git", "merge", "other", cwd=owner.project).returncode
    for command in (("set", "drain_timeout_s=60"), ("undo",), ("template", "fetch"), ("update",)):
        assert "git has not merged README.md" in owner.refused(*command, code=4)
    assert owner.litgen("status").returncode == 0
    owner.git("merge", "--abort")
    owner.does("undo")


def test_undo_keeps_what_was_edited_since(owner: Owner) -> None:
    """The owner's later edits elsewhere stay; where they are in the way, nothing is changed and they are named."""
    owner.does("add-endpoint", "third", "--defaults")
    owner.edits("Makefile", ".PHONY", "# mine\n.PHONY")
    owner.does("undo")
    assert "# mine" in owner.text("Makefile")
    assert not (owner.project / "src/svc/endpoints/third").exists()
    owner.does("add-endpoint", "third", "--defaults")
    model = "src/svc/endpoints/third/model.py"
    owner.writes(model, f"{owner.text(model)}\nMINE = 1\n")
    said = owner.refused("undo")
    assert f"  git stash push --include-untracked -- {model}" in said
    mine = owner.text(model)
    owner.git("stash", "push", "--include-untracked", "--", model)
    owner.does("undo")
    owner.git("stash", "pop")
    assert owner.text(model) == mine


def test_a_conflict_in_service_toml_is_told_by_key(owner: Owner) -> None:
    """Both sides have changed one key: it is named, the file can be read, and the choice is the owner's."""
    owner.edits("service.toml", "[endpoints.rank]", "[endpoints.rank] # ours\nqueue_timeout_s = 3.0")
    done = owner.litgen("remove-endpoint", "rank")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "service.toml: endpoints.rank" in done.stderr
    owner.does("undo")
    assert "queue_timeout_s = 3.0" in owner.text("service.toml")
