"""`litgen new` as a person or a script calls it: what it makes, refuses, says and leaves behind."""

import json
import os
import signal
import sys
import time
import tomllib
from pathlib import Path

import httpx
import pytest
import yaml

from litgen_generator.git import OF_ONE_REPOSITORY
from tests.e2e.conftest import Workplace, files
from tests.template.started import started


def test_defaults_make_a_committed_project(workplace: Workplace) -> None:
    """One command gives a repository with one commit, nothing left to commit, and the next step said."""
    done = workplace.litgen("new", "my-service", "--defaults")
    assert (done.returncode, done.stderr) == (0, "")
    project = workplace.folder / "my-service"
    assert workplace.git("log", "--format=%an %ae %s", cwd=project).startswith("Ada ada@example.org litgen new")
    assert workplace.git("status", "--porcelain", "--ignored", cwd=project) == ""
    assert "cd my-service\n" in done.stdout
    assert "make run" in done.stdout
    assert workplace.leftovers() == ["my-service"]


def test_a_project_is_as_readable_as_any_other_folder(workplace: Workplace) -> None:
    """The folder has the mode that the owner's mask gives, not that of a temporary one."""
    project = workplace.new("svc")
    (workplace.folder / "other").mkdir()
    assert project.stat().st_mode == (workplace.folder / "other").stat().st_mode


def test_plain_copier_makes_the_same_files(workplace: Workplace) -> None:
    """Nothing in a project comes from litgen alone, but the bundle and the answers' address of it."""
    ours = dict(files(workplace.new("svc")))
    bundle = workplace.folder / "svc" / ".litgen" / "template.bundle"
    copied = workplace.run(
        *(
            sys.executable,
            "-m",
            "copier",
            "copy",
            "--quiet",
            "--defaults",
            "--data",
            "service_name=svc",
            bundle,
            "plain",
        )
    )
    assert copied.returncode == 0, copied.stderr
    del ours[".litgen/template.bundle"]
    theirs = dict(files(workplace.folder / "plain"))
    assert yaml.safe_load(ours.pop(".copier-answers.yml"))["_src_path"] == ".litgen/template.bundle"
    del theirs[".copier-answers.yml"]
    assert ours == theirs


def test_flags_answer_every_question(workplace: Workplace) -> None:
    """With a flag for each question, nothing is left to ask or to default."""
    done = workplace.litgen(
        *("new", "svc", "--description", "Embeds sentences.", "--api-keys"),
        *("--shutdown-api", "--drain-timeout-s", "5"),
        *("--endpoint", "name=embed,kind=batch,path=/v1/embed,devices=cuda:0,2,max_batch_size=8,timeout_s=none"),
        *("--endpoint", "name=rerank,kind=single,framework=python,devices=cpu"),
        *("--python-version", "3.12", "--deployment", "docker", "--ci", "none"),
    )
    assert done.returncode == 0, done.stderr
    answers = yaml.safe_load((workplace.folder / "svc" / ".copier-answers.yml").read_text())
    assert answers["drain_timeout_s"] == 5.0
    assert (answers["api_keys"], answers["shutdown_api"]) == (True, True)
    assert answers["python_version"] == "3.12"
    assert answers["endpoints"][0] | {"queue_max_size": 1024} == answers["endpoints"][0]
    assert answers["endpoints"][0]["devices"] == "cuda:0,2"
    assert answers["endpoints"][0]["timeout_s"] is False
    assert answers["endpoints"][1]["kind"] == "single"
    assert not (workplace.folder / "svc" / ".github").exists()


def test_a_stream_is_made_started_and_read(workplace: Workplace, tmp_path: Path) -> None:
    """One flag makes a service that answers chunk by chunk, each as soon as it is there."""
    endpoint = "name=tell,kind=stream,framework=python,devices=cpu,max_streams=4"
    project = workplace.new("svc", "--endpoint", endpoint, "--deployment", "none", "--ci", "none")
    assert "[endpoints.tell.streaming]\nmax_streams = 4" in (project / "service.toml").read_text()
    command = (sys.executable, "-m", "litgen_runtime", "serve", "--host", "127.0.0.1", "--port", "0")
    paths = [str(project / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    with started(
        *command, cwd=project, log_path=tmp_path / "log", env={"PYTHONPATH": os.pathsep.join(paths)}
    ) as service:
        with httpx.stream("POST", service.url + "/tell", json={"text": "a quick brown fox"}) as answer:
            events = [json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line]
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert [event["part"] for event in events] == [0, 1, 2, 3]
        assert service.terminate() == 0


def test_kinds_are_flags_too(workplace: Workplace) -> None:
    """What goes in and comes out is said where the endpoint is, and service.toml names it."""
    project = workplace.new(
        *("svc", "--endpoint", "name=draw,kind=single,input=upload,output=bytes,response_type=image/png"),
        *("--endpoint", "name=hear,kind=stream,input=bytes"),
    )
    draw, hear = tomllib.loads((project / "service.toml").read_text())["endpoints"].values()
    assert (draw["request"], draw["response"]) == ("litgen_runtime:Upload", "builtins:bytes")
    assert draw["response_type"] == "image/png"
    assert (hear["request"], hear["response"]) == ("builtins:bytes", "svc.endpoints.hear.schemas:HearChunk")
    assert not (project / "src/svc/endpoints/draw/schemas.py").exists()


@pytest.mark.parametrize(("name", "write"), [("answers.yml", yaml.safe_dump), ("answers.json", json.dumps)])
def test_answers_come_from_a_file_and_flags_before_it(workplace: Workplace, name: str, write: object) -> None:
    """A file answers what the flags do not."""
    assert callable(write)
    answers = {"service_name": "other", "ci": "none", "deployment": "none", "endpoints": [{"name": "embed"}]}
    (workplace.folder / name).write_text(write(answers))
    project = workplace.new("svc", "--answers", name, "--ci", "github")
    written = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert (written["service_name"], written["ci"], written["deployment"]) == ("svc", "github", "none")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.yml", None, "No such file"),
        ("bad.yml", "a: [", "is not YAML"),
        ("bad.json", "{", "is not JSON"),
        ("list.yml", "- a\n", "holds list; expected a mapping"),
        ("latin.yml", b"description: caf\xe9\n", "is not YAML"),
        ("alias.yml", "description: &x Embeds.\nci: *x\n", "an alias"),
        ("recursive.yml", "endpoints: &x [*x]\n", "an alias"),
        ("twice.yml", "endpoints: [{name: a, name: b}]\n", "'name' comes twice"),
        ("twice.json", '{"ci": "none", "ci": "github"}', "'ci' comes twice"),
        ("deep.yml", f"description: {'[' * 5000}", "recursion"),
        ("deep.json", f"{'[' * 100_000}", "recursion"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_usage_error(
    workplace: Workplace, name: str, content: str | bytes | None, says: str
) -> None:
    """The sentence names the file and what is wrong with it."""
    if content is not None:
        (workplace.folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    done = workplace.litgen("new", "svc", "--defaults", "--answers", name)
    assert done.returncode == 2
    assert f"--answers {name} " in done.stderr
    assert says in done.stderr
    assert not (workplace.folder / "svc").exists()


def test_a_bad_answer_is_a_usage_error(workplace: Workplace) -> None:
    """Every bad answer has its line, and nothing is written."""
    done = workplace.litgen("new", "torch", "--defaults", "--endpoint", "name=embed,path=/health")
    assert done.returncode == 2
    assert 'service_name is "torch"' in done.stderr
    assert 'endpoints[0].path is "/health"' in done.stderr
    assert workplace.leftovers() == []


def test_without_a_terminal_missing_answers_are_named(workplace: Workplace) -> None:
    """A script learns which flags it has to give."""
    done = workplace.litgen("new", "svc", "--ci", "none", "--endpoint", "name=embed")
    assert done.returncode == 2
    for flag in (
        "--description",
        "--api-keys",
        "--shutdown-api",
        "--drain-timeout-s",
        "--deployment",
        "or add --defaults.",
    ):
        assert flag in done.stderr
    assert "--endpoint" not in done.stderr
    assert workplace.leftovers() == []


def test_without_a_terminal_the_name_has_no_default(workplace: Workplace) -> None:
    """--defaults answers every question but the name."""
    done = workplace.litgen("new", "--defaults")
    assert done.returncode == 2
    assert "not given: NAME. Give them.\n" in done.stderr
    assert "or NAME and --defaults.\n" in workplace.litgen("new").stderr


def test_a_dry_run_prints_the_tree_and_writes_nothing(workplace: Workplace) -> None:
    """What would be written is seen, in folders, and no trace of it stays."""
    done = workplace.litgen("new", "svc", "--defaults", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("svc/\n├── .copier-answers.yml\n")
    assert "│       └── service.toml" not in done.stdout
    assert "├── service.toml" in done.stdout
    assert workplace.leftovers() == []


def test_a_folder_that_is_not_empty_is_refused(workplace: Workplace) -> None:
    """What lies in it stays, and the way on is said."""
    (workplace.folder / "svc").mkdir()
    (workplace.folder / "svc" / "mine.txt").write_text("mine")
    done = workplace.litgen("new", "svc", "--defaults")
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert "--force" in done.stderr
    assert files(workplace.folder / "svc") == {"mine.txt": b"mine"}


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_target_that_is_no_folder_is_refused(workplace: Workplace, kind: str) -> None:
    """A file or a dangling link in the project's place is not touched."""
    target = workplace.folder / "svc"
    target.symlink_to("nowhere") if kind == "link" else target.write_text("mine")
    done = workplace.litgen("new", "svc", "--defaults", "--force", "--yes")
    assert done.returncode == 1
    assert "is no folder" in done.stderr
    assert workplace.leftovers() == ["svc"]


def test_an_empty_folder_is_taken(workplace: Workplace) -> None:
    """A folder made beforehand, such as the current one, is filled."""
    (workplace.folder / "here").mkdir()
    done = workplace.litgen("new", "svc", "--defaults", "--output", ".", cwd=workplace.folder / "here")
    assert done.returncode == 0, done.stderr
    assert workplace.git("status", "--porcelain", cwd=workplace.folder / "here") == ""
    assert "  cd .\n" not in done.stdout


def test_force_lists_what_it_would_overwrite(workplace: Workplace) -> None:
    """Without a terminal nobody can agree, so it ends there, with every file as it was."""
    project = workplace.new("svc")
    (project / "service.toml").write_text("mine")
    before = files(project)
    done = workplace.litgen("new", "svc", "--defaults", "--force")
    assert done.returncode == 2
    assert "  service.toml\n" in done.stdout
    assert "Makefile" not in done.stdout
    assert "--yes" in done.stderr
    assert files(project) == before


def test_force_with_yes_overwrites_and_keeps_the_rest(workplace: Workplace) -> None:
    """Files of the owner's that the project does not have stay as they are, and uncommitted."""
    target = workplace.folder / "svc"
    (target / "src").mkdir(parents=True)
    (target / "service.toml").write_text("old")
    (target / "src" / "mine.py").write_text("mine")
    done = workplace.litgen("new", "svc", "--defaults", "--force", "--yes")
    assert done.returncode == 0, done.stderr
    assert "[service]" in (target / "service.toml").read_text()
    assert (target / "src" / "mine.py").read_text() == "mine"
    assert workplace.git("status", "--porcelain", cwd=target) == "?? src/mine.py"


def test_force_writes_through_no_link(workplace: Workplace) -> None:
    """A linked folder may lead anywhere: it is refused rather than written into."""
    elsewhere = workplace.root / "elsewhere"
    elsewhere.mkdir()
    (workplace.folder / "svc").mkdir()
    (workplace.folder / "svc" / "src").symlink_to(elsewhere)
    done = workplace.litgen("new", "svc", "--defaults", "--force", "--yes")
    assert done.returncode == 1
    assert "is a file or a link" in done.stderr
    assert list(elsewhere.iterdir()) == []
    assert [path.name for path in (workplace.folder / "svc").iterdir()] == ["src"]


def test_inside_a_repository_nothing_is_committed(workplace: Workplace) -> None:
    """The project becomes part of the repository around it, whose history stays the owner's."""
    workplace.git("init", "--quiet", cwd=workplace.folder)
    (workplace.folder / "services").mkdir()
    done = workplace.litgen("new", "svc", "--defaults", "--output", "services/svc")
    assert done.returncode == 0, done.stderr
    assert not (workplace.folder / "services" / "svc" / ".git").exists()
    assert workplace.git("status", "--porcelain", cwd=workplace.folder) == "?? services/"
    assert "git add --force vendor .litgen" in done.stdout


def test_a_link_into_a_repository_is_inside_it(workplace: Workplace) -> None:
    """It counts where the project really lies."""
    repository = workplace.root / "repository"
    (repository / "svc").mkdir(parents=True)
    workplace.git("init", "--quiet", cwd=repository)
    (workplace.folder / "svc").symlink_to(repository / "svc")
    assert not (workplace.new("svc") / ".git").exists()


def test_no_git_makes_no_repository(workplace: Workplace) -> None:
    """The files alone, for owners who have other plans."""
    assert not (workplace.new("svc", "--no-git") / ".git").exists()


def test_an_owner_without_a_name_gets_a_commit_all_the_same(workplace: Workplace) -> None:
    """Git refuses to commit for nobody; litgen stands in, and says how to mend it."""
    (workplace.home / ".gitconfig").write_text("[user]\n  useConfigOnly = true\n")
    done = workplace.litgen("new", "svc", "--defaults")
    assert done.returncode == 0, done.stderr
    assert workplace.git("log", "--format=%an <%ae>", cwd=workplace.folder / "svc") == "litgen <litgen@localhost>"
    assert "--reset-author" in done.stdout


def test_a_name_in_the_environment_is_a_name(workplace: Workplace) -> None:
    """An identity need not stand in git's configuration."""
    (workplace.home / ".gitconfig").unlink()
    workplace.extra |= {"GIT_AUTHOR_NAME": "Eve", "GIT_AUTHOR_EMAIL": "e@x.org"}
    workplace.extra |= {"GIT_COMMITTER_NAME": "Eve", "GIT_COMMITTER_EMAIL": "e@x.org"}
    assert workplace.git("log", "--format=%an <%ae>", cwd=workplace.new("svc")) == "Eve <e@x.org>"


def test_a_name_may_depend_on_the_place(workplace: Workplace) -> None:
    """An identity for the repositories of one folder is that of a project in it."""
    (workplace.home / "work").write_text("[user]\n  name = Eve\n  email = e@x.org\n")
    (workplace.home / ".gitconfig").write_text(
        f'[includeIf "gitdir:{workplace.folder}/"]\n  path = {workplace.home}/work\n'
    )
    assert workplace.git("log", "--format=%an <%ae>", cwd=workplace.new("svc")) == "Eve <e@x.org>"


def test_an_owner_who_ignores_wheels_still_commits_the_runtime(workplace: Workplace) -> None:
    """A clone of the project holds the wheel and the bundle, whatever the owner ignores everywhere."""
    (workplace.home / "ignored").write_text("*.whl\n*.bundle\nvendor/\n.*\n")
    with (workplace.home / ".gitconfig").open("a") as config:
        config.write(f"[core]\n  excludesFile = {workplace.home / 'ignored'}\n")
    tracked = workplace.git("ls-files", cwd=workplace.new("svc"))
    assert ".litgen/template.bundle" in tracked
    assert "-py3-none-any.whl" in tracked


def test_the_owners_settings_change_nothing(workplace: Workplace) -> None:
    """Neither git's configuration, nor hooks, nor copier's settings reach into a new project."""
    hooks = workplace.home / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "commit-msg", "post-checkout"):
        (hooks / name).write_text("#!/bin/sh\nexit 1\n")
        (hooks / name).chmod(0o755)
    with (workplace.home / ".gitconfig").open("a") as config:
        config.write(f"[core]\n  hooksPath = {hooks}\n  autocrlf = true\n  safecrlf = true\n")
        config.write('[commit]\n  gpgSign = true\n[user]\n  signingKey = none\n[protocol "file"]\n  allow = never\n')
    settings = workplace.home / ".config" / "copier" / "settings.yml"
    settings.parent.mkdir(parents=True)
    settings.write_text("defaults:\n  description: leaked\n  drain_timeout_s: 1.0\n")
    project = workplace.new("svc")
    assert "leaked" not in (project / ".copier-answers.yml").read_text()
    assert b"\r\n" not in (project / "service.toml").read_bytes()


def test_a_hooks_surroundings_are_no_repository(workplace: Workplace) -> None:
    """Called from a git hook elsewhere, the project is not committed into that repository."""
    other = workplace.root / "other"
    other.mkdir()
    workplace.git("init", "--quiet", cwd=other)
    workplace.extra |= {"GIT_DIR": str(other / ".git"), "GIT_INDEX_FILE": str(other / ".git" / "index")}
    project = workplace.new("svc")
    workplace.extra.clear()
    assert workplace.git("log", "--format=%an", cwd=project) == "Ada"
    assert not (other / ".git" / "index").exists()


def test_git_knows_no_other_surroundings(workplace: Workplace) -> None:
    """Every variable that git itself takes for one repository's is left out."""
    said = workplace.git("rev-parse", "--local-env-vars", cwd=workplace.folder)
    assert set(said.split()) <= OF_ONE_REPOSITORY


def test_a_failure_half_way_leaves_nothing(workplace: Workplace) -> None:
    """A commit that fails takes the rendered files with it, and git's own words are passed on."""
    workplace.fake_git('[ "$5" = commit ] && { echo "disk is full" >&2; exit 1; }\nexec real-git "$@"')
    done = workplace.litgen("new", "svc", "--defaults")
    assert done.returncode == 1
    assert "litgen: git failed: disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert workplace.leftovers() == []


def test_a_failure_while_rendering_leaves_nothing(workplace: Workplace) -> None:
    """A git that fails under copier is told in a sentence too."""
    workplace.fake_git('[ "$1" = clone ] && { echo "broken pipe to nowhere" >&2; exit 1; }\nexec real-git "$@"')
    done = workplace.litgen("new", "svc", "--defaults")
    assert done.returncode == 1
    assert "broken pipe to nowhere" in done.stderr
    assert "Traceback" not in done.stderr
    assert workplace.leftovers() == []


def test_a_git_that_is_too_old_is_refused(workplace: Workplace) -> None:
    """The oldest git that will do is named."""
    workplace.fake_git('[ "$1" = version ] && { echo "git version 2.31.9"; exit 0; }\nexec real-git "$@"')
    done = workplace.litgen("new", "svc", "--defaults")
    assert done.returncode == 1
    assert "git version 2.31.9" in done.stderr
    assert "2.32" in done.stderr


def test_a_missing_git_is_told(workplace: Workplace) -> None:
    """The sentence says what to install."""
    workplace.extra["PATH"] = str(workplace.home)
    done = workplace.litgen("new", "svc", "--defaults")
    assert done.returncode == 1
    assert "git is not on the PATH" in done.stderr
    assert workplace.leftovers() == []


def interrupt(workplace: Workplace, number: signal.Signals, after_s: float) -> tuple[int, str]:
    """Send a signal some time after rendering began; the exit code, and what was said of it."""
    process = workplace.start("new", "svc", "--defaults")
    while not workplace.leftovers() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(after_s)
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=30)
    return process.returncode, said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_while_rendering_leaves_nothing(workplace: Workplace, number: signal.Signals, code: int) -> None:
    """Each signal has its exit code, and everything that was begun is gone."""
    ended, said = interrupt(workplace, number, 0)
    assert ended == code
    assert said == ("\nlitgen: interrupted.\n" if number == signal.SIGINT else "")
    assert workplace.leftovers() == []


@pytest.mark.parametrize("after_s", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
def test_a_signal_at_any_time_leaves_all_or_nothing(workplace: Workplace, after_s: float) -> None:
    """Whenever it comes, the project is there whole or not at all, and nothing else is."""
    _, said = interrupt(workplace, signal.SIGINT, after_s)
    assert "Traceback" not in said
    assert workplace.leftovers() in ([], ["svc"])
    if workplace.leftovers():
        assert workplace.git("status", "--porcelain", cwd=workplace.folder / "svc") == ""


def test_an_interrupt_at_the_very_start_is_quiet(workplace: Workplace) -> None:
    """Ctrl-C while the command is still being imported ends it without a traceback."""
    (workplace.root / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    workplace.extra["PYTHONPATH"] = str(workplace.root)
    done = workplace.litgen("--help")
    assert (done.returncode, done.stderr) == (130, "")


def test_help_is_read_without_the_heavy_imports(workplace: Workplace) -> None:
    """What makes `litgen --help` slow is imported only where it is used."""
    workplace.extra["PYTHONPROFILEIMPORTTIME"] = "1"
    done = workplace.litgen("--help")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "click" in imported
    assert not imported & {"pydantic", "copier", "jinja2", "yaml", "questionary", "importlib.metadata", "subprocess"}


def test_the_schema_is_json(workplace: Workplace) -> None:
    """An editor can read what `litgen schema` prints."""
    done = workplace.litgen("schema")
    assert json.loads(done.stdout)["required"] == ["service_name"]


def test_the_version_is_printed(workplace: Workplace) -> None:
    """`litgen --version` names the version."""
    version = Path("generator/litgen_generator/_version.py").read_text().split('"')[-2]
    assert workplace.litgen("--version").stdout == f"litgen, version {version}\n"


@pytest.mark.parametrize("arguments", [["nwe"], ["new", "--colour"], ["new", "a", "b"]])
def test_a_wrong_command_line_is_a_usage_error(workplace: Workplace, arguments: list[str]) -> None:
    """Exit code 2, with help at hand."""
    done = workplace.litgen(*arguments)
    assert done.returncode == 2
    assert "--help" in done.stderr
