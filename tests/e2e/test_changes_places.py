"""Where a repository may lie, and in which state it may be: git's hard corners."""

import os
import shutil
from pathlib import Path

import pytest

from tests.e2e.changing import Owner, copied
from tests.e2e.conftest import files

ADD = ("add-endpoint", "third", "--defaults")


def adds_and_undoes(owner: Owner) -> None:
    """An endpoint is added and taken back, and nothing else is touched."""
    before = owner.files()
    owner.does(*ADD)
    assert "[endpoints.third]" in owner.text("service.toml")
    owner.does("undo")
    assert owner.files() == before


def test_no_repository(owner: Owner) -> None:
    """Without git's memory nothing is changed, and the refusal says what to type."""
    shutil.rmtree(owner.project / ".git")
    said = owner.refused(*ADD)
    assert "git init && git add --all" in said
    owner.refused("status")


def test_a_repository_without_a_commit(owner: Owner) -> None:
    """What git would track is enough."""
    shutil.rmtree(owner.project / ".git")
    owner.git("init", "--quiet")
    adds_and_undoes(owner)


@pytest.mark.parametrize("version", ["2.30.2", "2.37.9"])
def test_a_git_that_is_too_old(owner: Owner, version: str) -> None:
    """It is refused before anything is done, with the version that is wanted."""
    owner.workplace.fake_git(f'[ "$1" = version ] && echo "git version {version}" && exit 0\nexec real-git "$@"')
    assert "expected git 2.38 or newer" in owner.refused(*ADD)


def test_no_git_at_all(owner: Owner) -> None:
    """It is said which one is wanted."""
    owner.workplace.extra["PATH"] = str(owner.workplace.root)
    assert "git is not on the PATH" in owner.refused(*ADD)


def test_a_subfolder_of_a_larger_repository(owner: Owner) -> None:
    """Committed or not, the project is changed, and nothing beside it; the user's index stays."""
    shutil.rmtree(owner.project / ".git")
    around = owner.workplace.folder
    (around / "other.txt").write_text("theirs\n")
    (around / ".gitignore").write_text("*.whl\n.litgen/\n")
    owner.git("init", "--quiet", cwd=around)
    owner.git("add", "other.txt", cwd=around)
    for committed in (False, True):
        if committed:
            owner.git("add", "--all", cwd=around)
            owner.git("commit", "--quiet", "--message", "all", cwd=around)
        beside = {path: path.read_bytes() for path in around.iterdir() if path.is_file()}
        index = (around / ".git" / "index").read_bytes()
        adds_and_undoes(owner)
        assert {path: path.read_bytes() for path in around.iterdir() if path.is_file()} == beside
        assert (around / ".git" / "index").read_bytes() == index


def test_two_projects_of_one_repository(owner: Owner) -> None:
    """Each has its own last change to take back."""
    shutil.rmtree(owner.project / ".git")
    around = owner.workplace.folder
    other = Owner(owner.workplace, around / "team b" / "svc")
    other.project.parent.mkdir()
    copied(owner.project, other.project)
    owner.git("init", "--quiet", cwd=around)
    before = owner.files()
    owner.does(*ADD)
    other.does("set", "drain_timeout_s=90")
    owner.does("undo")
    assert owner.files() == before
    assert "90" in other.text("service.toml")
    other.does("undo")
    assert other.files() == before


def test_from_a_folder_of_the_project(owner: Owner) -> None:
    """The project above is found."""
    done = owner.litgen(*ADD, cwd=owner.project / "src" / "svc")
    assert done.returncode == 0, done.stderr
    assert (owner.project / "src" / "svc" / "endpoints" / "third" / "model.py").is_file()


def test_in_no_project(owner: Owner) -> None:
    """A sentence and what to type."""
    done = owner.litgen(*ADD, cwd=owner.workplace.folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is in no project of litgen" in done.stderr
    assert "litgen new" in done.stderr


def test_a_work_tree_of_git(owner: Owner) -> None:
    """A linked work tree has changes of its own to take back."""
    owner.git("worktree", "add", "--quiet", "../linked")
    linked = Owner(owner.workplace, owner.workplace.folder / "linked")
    before = owner.files()
    linked.does(*ADD)
    assert "nothing to undo" in owner.refused("undo")
    linked.does("undo")
    assert owner.files() == linked.files() == before


def test_a_submodule_inside(owner: Owner) -> None:
    """What lies in a repository of its own is nobody else's to read or to write."""
    module = owner.workplace.folder / "library"
    module.mkdir()
    (module / "code.py").write_text("ONE = 1\n")
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "one")):
        owner.git(*command, cwd=module)
    owner.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(module), "src/library")
    owner.git("clone", "--quiet", str(module), "nested")
    adds_and_undoes(owner)


def test_the_project_is_a_submodule(owner: Owner) -> None:
    """Its git folder lies elsewhere."""
    around = owner.workplace.folder / "around"
    around.mkdir()
    owner.git("init", "--quiet", cwd=around)
    owner.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(owner.project), "svc", cwd=around)
    adds_and_undoes(Owner(owner.workplace, around / "svc"))
    assert owner.git("status", "--porcelain", cwd=around) == "A  .gitmodules\nA  svc"


def test_files_that_git_ignores(old_owner: Owner) -> None:
    """A wheel and a bundle belong to the project although the owner's git ignores such files, and it is said so."""
    ignored = old_owner.workplace.home / "ignored"
    ignored.write_text("*.whl\n*.bundle\nservice.toml\n")
    old_owner.git("config", "--global", "core.excludesFile", str(ignored))
    before = old_owner.files()
    said = old_owner.does("update")
    assert "git add --force" in said
    wheels = [path for path in old_owner.files() if path.endswith(".whl")]
    assert len(wheels) == 1
    old_owner.does("undo")
    assert old_owner.files() == before


def test_line_ends_as_windows_has_them(owner: Owner) -> None:
    """Where git gives text CRLF, what the owner has not edited counts as not edited, and stays as it is."""
    owner.writes(".gitattributes", "* text=auto\n*.bundle binary\n*.whl binary\n")
    owner.commits()
    owner.git("config", "core.autocrlf", "true")
    owner.git("rm", "--quiet", "-r", "--cached", ".")
    owner.git("reset", "--quiet", "--hard")
    adds_and_undoes(owner)
    owner.does(*ADD)
    for path in ("service.toml", "README.md", "tests/endpoints/test_embed.py"):
        content = (owner.project / path).read_bytes()
        assert b"\n" not in content.replace(b"\r\n", b""), path


def test_hooks_and_signatures(owner: Owner) -> None:
    """No commit is made, so none of the owner's hooks runs and nothing is signed."""
    hooks = owner.workplace.home / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "post-checkout", "post-index-change", "reference-transaction", "fsmonitor"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {hooks}/ran\nexit 1\n")
        (hooks / name).chmod(0o755)
    for key, value in (
        ("core.hooksPath", str(hooks)),
        ("commit.gpgsign", "true"),
        ("tag.gpgsign", "true"),
        ("gpg.program", "/nonexistent"),
        ("core.fsmonitor", str(hooks / "fsmonitor")),
        ("diff.external", "/nonexistent"),
        ("merge.conflictStyle", "zdiff3"),
        ("core.quotePath", "true"),
        ("diff.noprefix", "true"),
        ("core.attributesFile", str(owner.workplace.home / "attributes")),
        ("filter.broken.clean", "false"),
        ("filter.broken.smudge", "false"),
        ("filter.broken.required", "true"),
    ):
        owner.git("config", "--global", key, value)
    (owner.workplace.home / "attributes").write_text("* filter=broken\n")
    adds_and_undoes(owner)
    assert not (hooks / "ran").exists()


@pytest.mark.parametrize("place", [".config/git/attributes", "xdg/git/attributes"])
def test_attributes_of_all_repositories(old_owner: Owner, place: str) -> None:
    """They are read without any setting of git's; they do not join both sides of a conflict."""
    if place.startswith("xdg"):
        old_owner.workplace.extra["XDG_CONFIG_HOME"] = str(old_owner.workplace.home / "xdg")
    attributes = old_owner.workplace.home / place
    attributes.parent.mkdir(parents=True)
    attributes.write_text("* merge=union\n")
    old_owner.edits("Dockerfile", "only /tmp is written to.", "mine.")
    assert old_owner.litgen("update", "--yes").returncode == 4
    assert "<<<<<<< yours" in old_owner.text("Dockerfile")


def test_a_file_system_without_modes(old_owner: Owner) -> None:
    """Where git is told so, as on Windows' disks, no file counts as edited because it can be run."""
    old_owner.git("config", "core.fileMode", "false")
    for path in old_owner.files():
        (old_owner.project / path).chmod(0o755)
    old_owner.does("update")
    assert "nothing was edited" in old_owner.does("status")
    old_owner.does("undo")
    assert old_owner.git("status", "--porcelain") == ""


def test_own_files_among_litgens_books(owner: Owner) -> None:
    """They stay, also when another file is missing."""
    owner.writes(".litgen/notes.md", "mine\n")
    (owner.project / "vendor" / "README.md").unlink()
    adds_and_undoes(owner)
    owner.does("set", "drain_timeout_s=90")
    assert owner.text(".litgen/notes.md") == "mine\n"


def test_a_folder_whose_neighbours_were_moved(owner: Owner) -> None:
    """A new file is put where the template has it, which is no conflict."""
    (owner.project / "tests" / "endpoints").rename(owner.project / "tests" / "unit")
    adds_and_undoes(owner)
    owner.does(*ADD)
    assert (owner.project / "tests" / "endpoints" / "test_third.py").is_file()


def test_a_line_end_in_the_name_of_a_folder_above(owner: Owner) -> None:
    """What litgen keeps stands beside git's own files, and nowhere else."""
    above = owner.workplace.folder / "one\ntwo"
    above.mkdir()
    adds_and_undoes(Owner(owner.workplace, owner.project.rename(above / "svc")))
    assert (above / "svc" / ".git" / "litgen" / "project").is_dir()
    assert list(owner.workplace.folder.iterdir()) == [above]


def test_within_a_hook_of_another_repository(owner: Owner) -> None:
    """GIT_DIR and its like mean that other repository, not this one."""
    other = owner.workplace.folder / "other"
    other.mkdir()
    owner.git("init", "--quiet", cwd=other)
    owner.workplace.extra |= {
        "GIT_DIR": str(other / ".git"),
        "GIT_INDEX_FILE": str(other / ".git" / "index"),
        "GIT_WORK_TREE": str(other),
        "GIT_PREFIX": "deep/",
    }
    adds_and_undoes(owner)
    assert not (other / ".git" / "litgen").exists()
    assert (owner.project / ".git" / "litgen").is_dir()


def test_a_moved_folder(owner: Owner) -> None:
    """Nothing that litgen knows is bound to where it was, the last change neither."""
    before = owner.files()
    owner.does(*ADD)
    moved = Owner(owner.workplace, owner.project.rename(owner.workplace.root / "elsewhere"))
    moved.does("undo")
    assert moved.files() == before


def test_a_path_with_spaces_and_more(owner: Owner) -> None:
    """Spaces, quotes, non-ASCII letters and a line end in the path of the project."""
    there = owner.workplace.folder / 'Über mich\'s "new" $HOME\n-x'
    adds_and_undoes(Owner(owner.workplace, owner.project.rename(there)))


def test_files_with_odd_names(owner: Owner) -> None:
    """They are read, and stay."""
    odd = ["ä ö.txt", 'quo"te.txt', "back\\slash", "new\nline", "-dash", "tab\t", ":colon", "sp ace/x.py"]
    for name in odd:
        owner.writes(name, name)
    (owner.project / os.fsdecode(b"not-utf-8-\xff")).write_bytes(b"\xff")
    (owner.project / "dangling").symlink_to("nowhere")
    os.mkfifo(owner.project / "pipe")
    owner.edits("Makefile", ".PHONY", "# mine\n.PHONY")
    adds_and_undoes(owner)


def test_a_detached_head(owner: Owner) -> None:
    """No branch is needed."""
    owner.git("checkout", "--quiet", "--detach")
    adds_and_undoes(owner)


def test_in_the_middle_of_a_merge(owner: Owner) -> None:
    """An unmerged index stays as it is; conflicts that are not litgen's are for the owner to end first."""
    owner.git("checkout", "--quiet", "-b", "side")
    owner.edits("Makefile", ".PHONY", "# side\n.PHONY")
    owner.commits()
    owner.git("checkout", "--quiet", "-")
    owner.edits("Makefile", ".PHONY", "# main\n.PHONY")
    owner.commits()
    assert owner.workplace.run("git", "merge", "side", cwd=owner.project).returncode == 1
    unmerged = owner.git("ls-files", "--unmerged")
    assert unmerged
    assert "git has not merged Makefile" in owner.refused("add-endpoint", "third", "--defaults", code=4)
    assert owner.git("ls-files", "--unmerged") == unmerged
    owner.git("merge", "--abort")
    adds_and_undoes(owner)


def test_a_sparse_checkout(owner: Owner) -> None:
    """Files that are not checked out count as deleted by the owner, and do not come back."""
    owner.git("status")  # the files are copies: git has to see that they are what it knows
    owner.git("sparse-checkout", "set", "--no-cone", "/*", "!deploy/")
    assert not (owner.project / "deploy").exists()
    adds_and_undoes(owner)
    owner.does("set", "drain_timeout_s=90")
    assert not (owner.project / "deploy").exists()


def test_links_where_files_were(owner: Owner, tmp_path: Path) -> None:
    """What the owner has put elsewhere, behind a link, is not written to."""
    (owner.project / "deploy").rename(tmp_path / "deploy")
    (owner.project / "deploy").symlink_to(tmp_path / "deploy")
    outside = files(tmp_path / "deploy")
    adds_and_undoes(owner)
    owner.does("set", "drain_timeout_s=90")
    assert files(tmp_path / "deploy") == outside
