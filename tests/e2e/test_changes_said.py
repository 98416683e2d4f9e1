"""What the commands that change a project say, to whom, and with which exit code."""

import json
import os

import pytest

from litgen_generator.answers.texts import ENDPOINT, SERVICE
from tests.e2e.changing import Owner
from tests.e2e.conftest import Workplace
from tests.e2e.test_wizard import CTRL_C, ENTER, Terminal

ADD = ("add-endpoint", "third", "--defaults")


def test_json_is_all_that_is_printed(old_owner: Owner) -> None:
    """A program reads it whole, also where a person would be told more."""
    told = json.loads(old_owner.does("update", "--json"))
    assert (told["applied"], told["from"], told["conflicts"]) == (True, "v0.1.0", [])
    assert {"path": "README.md", "what": "changed"} in told["changes"]
    assert json.loads(old_owner.does("update", "--json"))["changes"] == []
    found = json.loads(old_owner.does("status", "--json"))
    assert (found["code"], found["conflicts"], found["out_of_step"]) == (0, [], [])


def test_json_of_a_conflict(owner: Owner) -> None:
    """Also with exit code 4."""
    owner.edits("service.toml", "[endpoints.rank]", "[endpoints.rank]\nqueue_timeout_s = 3.0")
    done = owner.litgen("remove-endpoint", "rank", "--json")
    assert done.returncode == 4
    (conflict,) = [each for each in json.loads(done.stdout)["conflicts"] if each["path"] == "service.toml"]
    assert conflict["key"].startswith("endpoints.rank")


def test_quiet(owner: Owner) -> None:
    """Nothing is said unless something is wrong."""
    for command in ((*ADD, "--quiet"), ("undo", "--quiet"), ("set", "drain_timeout_s=90", "-q"), ("update", "-q")):
        done = owner.litgen(*command)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), command


def test_the_patch(owner: Owner) -> None:
    """`--diff` prints it and writes nothing; git applies it, and it is what the command does."""
    before = owner.files()
    done = owner.workplace.run(*owner.workplace.command, *ADD, "--diff", cwd=owner.project)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("diff --git a/.copier-answers.yml b/.copier-answers.yml\n")
    assert owner.files() == before
    patch = owner.workplace.folder / "patch"
    patch.write_text(done.stdout)
    owner.git("apply", str(patch))
    applied = owner.files()
    owner.git("apply", "-R", str(patch))
    owner.does(*ADD)
    assert owner.files() == applied


def test_the_patch_of_an_update_with_binary_files(old_owner: Owner) -> None:
    """The wheel and the bundle are in it; what is to be known before stands beside it."""
    done = old_owner.workplace.run("sh", "-c", 'exec "$@" > ../patch', "-", *_update(old_owner), cwd=old_owner.project)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("Before you deploy v0.2.0\n")
    assert (old_owner.project / "../patch").read_bytes().startswith(b"diff --git a/.copier-answers.yml")
    old_owner.git("apply", "../patch")
    applied = old_owner.files()
    old_owner.git("apply", "-R", "../patch")
    old_owner.does("update")
    assert old_owner.files() == applied


def _update(owner: Owner) -> tuple[str, ...]:
    return (*owner.workplace.command, "update", "--diff")


@pytest.mark.parametrize("wanted", [True, False])
def test_colours(owner: Owner, wanted: bool) -> None:
    """A terminal gets them unless NO_COLOR is set; a pipe never does."""
    owner.workplace.extra["NO_COLOR"] = "" if wanted else "1"
    terminal = Terminal(owner.workplace, "third", "--defaults", "--yes", command="add-endpoint", cwd=owner.project)
    terminal.sees("Done.")
    assert ("\x1b[32madd" in terminal.child.before) == wanted
    assert ("\x1b" in terminal.child.before) == wanted
    assert terminal.ends() == 0
    assert "\x1b" not in owner.does("undo") + owner.does(*ADD)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_name_that_is_no_text(old_owner: Owner, encoding: str) -> None:
    """A file that the owner has moved to a name of odd bytes is told, whatever the terminal can show."""
    old_owner.workplace.extra["PYTHONIOENCODING"] = f"{encoding}:strict"
    (old_owner.project / "README.md").rename(old_owner.project / os.fsdecode(b"read\xff.md"))
    assert r"read\udcff.md" in old_owner.does("update")


def test_questions_of_a_version_that_is_not_the_newest(old_owner: Owner) -> None:
    """They are told, with the defaults that they have got."""
    assert "New question python_version: 3.11, its default." in old_owner.does("update", "--to", "0.3.0")


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (("add-endpoint", "embed", "--defaults"), 2, "embed"),
        (("add-endpoint", "class", "--defaults"), 2, "class"),
        (("add-endpoint",), 2, "no terminal to ask in"),
        (("add-endpoint", "third"), 2, "--defaults"),
        (("add-endpoint", "third", "--endpoint", "name=fourth"), 2, "Leave one out"),
        (("remove-endpoint", "nothing"), 2, "expected one of embed, rank"),
        (("set", "nonsense"), 2, "expected KEY=VALUE"),
        (("set", "nothing=1"), 2, "drain_timeout_s"),
        (("set", "drain_timeout_s=soon"), 2, "drain_timeout_s"),
        (("set", "nothing.path=/x"), 2, "no endpoint 'nothing'"),
        (("set", "service_name=torch"), 2, "torch"),
        (("set", "embed.name=label"), 2, "endpoint embed cannot be renamed"),
        (("set", "nothing.name=label"), 2, "no endpoint 'nothing'"),
        (("set", "port=9000"), 2, "set there"),
        (("set", "drain_timeout_s=60", "drain_timeout_s=61"), 2, "drain_timeout_s is set twice"),
        (("update", "--set", "rank.path=/a", "--set", "endpoints.rank.path=/b"), 2, "rank.path is set twice"),
        (("update", "--to", "0.0.1"), 1, "has no template v0.0.1"),
        (("update", "--to", "nonsense"), 1, "has no template vnonsense"),
        (("undo",), 1, "nothing to undo"),
        (("continue",), 1, "nothing to continue"),
    ],
)
def test_what_cannot_be_done(owner: Owner, command: tuple[str, ...], code: int, told: str) -> None:
    """Each has its exit code and a sentence, and changes nothing."""
    assert told in owner.refused(*command, code=code)


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("service.toml", "a = = 1", "service.toml is not TOML at line 1"),
        ("service.toml", b"\xff\xfe\n", "service.toml is not TOML at line 1"),
        ("service.toml", b"# r\xe9sum\xe9\n", "the byte 0xe9 is not UTF-8"),
        (".copier-answers.yml", "a: [", "git checkout HEAD -- .copier-answers.yml"),
        (".copier-answers.yml", "a: 1", "_commit"),
        (".copier-answers.yml", "_commit: v9.9.9\nservice_name: svc\nendpoints: [{name: embed}]\n", "v9.9.9"),
        (".copier-answers.yml", "_commit: v0.1.0\nservice_name: svc\n", "endpoints"),
        (".copier-answers.yml", "_commit: v0.1.0\nservice_name: svc\nendpoints: [{name: 5}]\n", "with names"),
        (".copier-answers.yml", "_commit: v0.1.0\nservice_name: svc\nendpoints: [{name: a}]\n5: 6\n", "5 is no name"),
        (".copier-answers.yml", "_commit: nonsense\nservice_name: svc\nendpoints: [{name: embed}]\n", "nonsense"),
        (".litgen/template.bundle", None, "git checkout HEAD -- .litgen/template.bundle"),
        (".litgen/template.bundle", "nonsense", "bundle"),
    ],
)
@pytest.mark.parametrize("command", [("set", "drain_timeout_s=90"), ("update",)], ids=lambda command: command[0])
def test_a_project_that_is_broken(
    owner: Owner, file: str, content: str | bytes | None, told: str, command: tuple[str, ...]
) -> None:
    """It is said which file is wrong, and how it is put right; nothing is changed."""
    place = owner.project / file
    if content is None:
        place.unlink()
    else:
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert told in owner.refused(*command)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("set", "embed.run_limit_s=3"), "knows no run_limit_s"),
        (("set", "python_version=3.12"), "knows no python_version"),
        (("set", "embed.kind=stream"), "knows no kind 'stream'; expected one of batch, single"),
        (("add-endpoint", "third", "--endpoint", "input=bytes"), "knows no input"),
        (("add-endpoint", "third", "--endpoint", "kind=stream"), "knows no kind 'stream'"),
    ],
)
def test_what_an_older_version_does_not_know(old_owner: Owner, command: tuple[str, ...], told: str) -> None:
    """It is refused at once, and said what helps."""
    said = old_owner.refused(*command, code=2)
    assert f"template v0.1.0, which the project has, {told}" in said
    assert "litgen update" in said


def test_an_older_project_is_asked_what_its_version_knows(workplace: Workplace, old_owner: Owner) -> None:
    """No question whose answer its template would refuse."""
    terminal = Terminal(workplace, "third", command="add-endpoint", cwd=old_owner.project)
    terminal.asks("path", ENDPOINT)
    terminal.child.send(ENTER)
    for key in ("kind", "framework"):
        terminal.asks(key, ENDPOINT)
        terminal.chooses()
    for key in ("devices", "workers_per_device", "gpu_memory_fraction", "max_batch_size", "max_wait_s"):
        terminal.asks(key, ENDPOINT)
        terminal.child.send(ENTER)
    for key in ("timeout_s", "queue_max_size"):
        terminal.asks(key, ENDPOINT)
        terminal.child.send(ENTER)
    terminal.sees("Write it?")
    terminal.child.send(f"y{ENTER}")
    terminal.sees("Done.")
    assert terminal.ends() == 0
    assert "[endpoints.third" in old_owner.text("service.toml")


def test_none_takes_an_answer_back(owner: Owner) -> None:
    """To its default, which is said; where none is a choice, it is that choice."""
    owner.does("set", "rank.timeout_s=7", "drain_timeout_s=90", "ci=none")
    said = owner.does("set", "rank.timeout_s=none", "drain_timeout_s=none", "description=none", "ci=none")
    assert "rank.timeout_s is no longer given: 30.0, its default" in said
    assert "drain_timeout_s is no longer given: 30.0, its default" in said
    text = owner.text("service.toml")
    assert "timeout_s = false" not in text
    assert "timeout_s = 7" not in text
    assert "drain_timeout_s = 30.0" in text
    answers = owner.text(".copier-answers.yml")
    assert "ci: none" in answers
    assert "description: A model served over HTTP." in answers


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal(workplace: Workplace, owner: Owner, answer: str) -> None:
    """The same questions as for a new project, then the plan, then whether to write it."""
    terminal = Terminal(workplace, command="add-endpoint", cwd=owner.project)
    terminal.asks("name", ENDPOINT)
    terminal.types("third", wrong="embed", told="a name that no other endpoint has")
    terminal.asks("path", ENDPOINT)
    terminal.types("/third", wrong="/rank", told="a path that no other endpoint has")
    for key in ("kind", "input", "output", "framework"):
        terminal.asks(key, ENDPOINT)
        terminal.chooses()
    terminal.asks("devices", ENDPOINT)
    terminal.types("cpu")
    for key in ("workers_per_device", "max_batch_size", "max_wait_s", "timeout_s", "run_limit_s", "queue_max_size"):
        terminal.asks(key, ENDPOINT)
        terminal.child.send(ENTER)
    terminal.asks("jobs", ENDPOINT)
    terminal.child.send("y")
    terminal.asks("webhooks", SERVICE)
    terminal.child.send("y")
    terminal.sees("examples/receiver.py")
    terminal.sees("src/svc/endpoints/third/model.py")
    terminal.sees("Write it?")
    assert owner.git("status", "--porcelain") == ""
    terminal.child.send(f"{answer}{ENTER}")
    terminal.sees("Done." if answer == "y" else "stopped; nothing was written.")
    assert terminal.ends() == (0 if answer == "y" else 1)
    assert (owner.git("status", "--porcelain") == "") == (answer == "n")


def test_ctrl_c_at_a_question(workplace: Workplace, owner: Owner) -> None:
    """Nothing is written, exit code 130, and nobody is locked out."""
    terminal = Terminal(workplace, "third", command="add-endpoint", cwd=owner.project)
    terminal.asks("path", ENDPOINT)
    terminal.child.send(CTRL_C)
    assert terminal.ends() == 130
    assert owner.git("status", "--porcelain") == ""
    owner.does(*ADD)
