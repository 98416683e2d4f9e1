"""The wizard on a real terminal, question by question."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pexpect
import pytest
import yaml

from litgen_generator.answers.texts import ENDPOINT, SERVICE
from tests.e2e.conftest import Workplace

CTRL_C, CTRL_D, CLEAR, DOWN, ENTER = "\x03", "\x04", "\x15", "\x1b[B", "\r"


class Terminal:
    """litgen in a pseudo-terminal, and a person who types."""

    def __init__(self, workplace: Workplace, *arguments: str, command: str = "new", cwd: Path | None = None) -> None:
        """Start a command, in the folder to work in unless another one is given."""
        self.asked = ""
        self.child = pexpect.spawn(
            workplace.command[0],
            [*workplace.command[1:], command, *arguments],
            cwd=str(cwd or workplace.folder),
            env=workplace.env | {"PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm"},
            encoding="utf-8",
            timeout=30,
            dimensions=(24, 80),
        )

    def sees(self, text: str) -> None:
        """Wait until some text is on the screen."""
        self.child.expect_exact(text)

    def asks(self, key: str, helps: Mapping[str, str]) -> None:
        """Wait for a question: its line of help, and then the prompt, without which nothing is to be typed."""
        self.sees(helps[key])
        self.sees(f" {key}")
        self.asked = key

    def types(self, text: str, *, wrong: str | None = None, told: str = "expected") -> None:
        """Answer a question of text: first wrongly, so that it is told and asked again, then well."""
        if wrong is not None:
            self.child.send(f"{CLEAR}{wrong}{ENTER}")
            self.sees(told)
            self.sees(f" {self.asked}")
        self.child.send(f"{CLEAR}{text}{ENTER}")

    def chooses(self, *, down: int = 0, wrong: str = "") -> None:
        """Answer a question with choices; a key that is no choice changes nothing."""
        self.child.send(f"{wrong}{DOWN * down}{ENTER}")

    def ends(self) -> int:
        """Wait for the end; the exit code."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        return int(self.child.exitstatus) if self.child.exitstatus is not None else -int(self.child.signalstatus)


@pytest.fixture
def terminal(workplace: Workplace) -> Iterator[Terminal]:
    """The wizard, begun without any answer."""
    opened = Terminal(workplace)
    yield opened
    opened.child.close(force=True)


def answer_service_name(terminal: Terminal) -> None:
    """The first question, answered well."""
    terminal.asks("service_name", SERVICE)
    terminal.types("svc")


def test_every_question_with_a_wrong_answer_first(workplace: Workplace, terminal: Terminal) -> None:
    """Each wrong answer is told and asked again; what is written is what was answered last."""
    terminal.asks("service_name", SERVICE)
    terminal.types("svc", wrong="torch", told='service_name is "torch"')
    terminal.asks("description", SERVICE)
    terminal.types("Embeds sentences.", wrong="<script>", told="which would break")
    terminal.sees("Endpoint 1")
    terminal.asks("name", ENDPOINT)
    terminal.types("embed", wrong="class", told='endpoints[0].name is "class"')
    terminal.asks("path", ENDPOINT)
    terminal.types("/v1/embed", wrong="/health", told='endpoints[0].path is "/health"')
    terminal.asks("kind", ENDPOINT)
    terminal.chooses(wrong="x")
    terminal.asks("input", ENDPOINT)
    terminal.chooses(down=2)
    terminal.asks("output", ENDPOINT)
    terminal.chooses(down=1)
    terminal.asks("response_type", ENDPOINT)
    terminal.types("image/png", wrong="png", told='endpoints[0].response_type is "png"')
    terminal.asks("framework", ENDPOINT)
    terminal.chooses(down=1, wrong="9")
    terminal.asks("devices", ENDPOINT)
    terminal.types("cuda:0,1", wrong="gpu", told='endpoints[0].devices is "gpu"')
    terminal.asks("workers_per_device", ENDPOINT)
    terminal.types("2", wrong="many", told='endpoints[0].workers_per_device is "many"')
    terminal.asks("gpu_memory_fraction", ENDPOINT)
    terminal.types("0.5", wrong="0.6", told="at most 1 / workers_per_device, which is 2")
    terminal.asks("max_batch_size", ENDPOINT)
    terminal.types("8", wrong="0", told="endpoints[0].max_batch_size is 0")
    terminal.asks("max_wait_s", ENDPOINT)
    terminal.types("0.5", wrong="-1", told="endpoints[0].max_wait_s is -1")
    terminal.asks("timeout_s", ENDPOINT)
    terminal.types("none", wrong="0.2", told="less than timeout_s, which is 0.2")
    terminal.asks("run_limit_s", ENDPOINT)
    terminal.types("2.5", wrong="0", told="endpoints[0].run_limit_s is 0")
    terminal.asks("queue_max_size", ENDPOINT)
    terminal.types("16", wrong="1.5", told="endpoints[0].queue_max_size is 1.5")
    terminal.asks("jobs", ENDPOINT)
    terminal.child.send("qy")
    terminal.sees("Add another endpoint?")
    terminal.child.send("y")
    terminal.sees("Endpoint 2")
    terminal.asks("name", ENDPOINT)
    terminal.types("rerank", wrong="embed", told="a name that no other endpoint has")
    terminal.asks("path", ENDPOINT)
    terminal.types("/rerank", wrong="/v1/embed", told="a path that no other endpoint has")
    terminal.asks("kind", ENDPOINT)
    terminal.chooses(down=2)
    terminal.asks("input", ENDPOINT)
    terminal.chooses()
    terminal.asks("framework", ENDPOINT)
    terminal.chooses()
    terminal.asks("devices", ENDPOINT)
    terminal.types("cpu")
    terminal.asks("workers_per_device", ENDPOINT)
    terminal.types("1", wrong="65")
    terminal.asks("max_streams", ENDPOINT)
    terminal.types("8", wrong="0", told="endpoints[1].max_streams is 0")
    terminal.asks("timeout_s", ENDPOINT)
    terminal.types("30", wrong="0")
    terminal.asks("run_limit_s", ENDPOINT)
    terminal.types("none", wrong="auto")
    terminal.asks("queue_max_size", ENDPOINT)
    terminal.types("1024", wrong="")
    terminal.sees("Add another endpoint?")
    terminal.child.send("n")
    terminal.asks("api_keys", SERVICE)
    terminal.child.send("qy")
    terminal.asks("webhooks", SERVICE)
    terminal.child.send("qy")
    terminal.asks("shutdown_api", SERVICE)
    terminal.child.send("qy")
    terminal.asks("drain_timeout_s", SERVICE)
    terminal.types("5", wrong="forever", told='drain_timeout_s is "forever"')
    terminal.asks("python_version", SERVICE)
    terminal.chooses(down=1, wrong="z")
    terminal.asks("deployment", SERVICE)
    terminal.chooses(down=1, wrong="z")
    terminal.asks("ci", SERVICE)
    terminal.chooses(wrong="z")
    terminal.sees("endpoint: name=rerank, path=/rerank, kind=stream")
    terminal.sees(f"folder: {workplace.folder / 'svc'}")
    terminal.sees("Write it?")
    assert not (workplace.folder / "svc").exists()
    terminal.child.send("y")
    terminal.sees("Made svc")
    assert terminal.ends() == 0
    answers = yaml.safe_load((workplace.folder / "svc" / ".copier-answers.yml").read_text())
    assert {key: value for key, value in answers.items() if not key.startswith("_")} == {
        "service_name": "svc",
        "description": "Embeds sentences.",
        "endpoints": [
            {
                "name": "embed",
                "path": "/v1/embed",
                "kind": "batch",
                "input": "upload",
                "output": "bytes",
                "response_type": "image/png",
                "framework": "python",
                "devices": "cuda:0,1",
                "workers_per_device": 2,
                "gpu_memory_fraction": 0.5,
                "max_batch_size": 8,
                "max_wait_s": 0.5,
                "timeout_s": False,
                "run_limit_s": 2.5,
                "queue_max_size": 16,
                "jobs": True,
            },
            {
                "name": "rerank",
                "path": "/rerank",
                "kind": "stream",
                "input": "json",
                "output": "json",
                "framework": "torch",
                "devices": "cpu",
                "workers_per_device": 1,
                "max_streams": 8,
                "timeout_s": 30.0,
                "queue_max_size": 1024,
                "jobs": False,
            },
        ],
        "api_keys": True,
        "webhooks": True,
        "shutdown_api": True,
        "drain_timeout_s": 5.0,
        "python_version": "3.12",
        "deployment": "docker",
        "ci": "github",
    }


def test_only_what_was_not_given_is_asked(workplace: Workplace) -> None:
    """Flags answer their questions; Enter takes a default."""
    terminal = Terminal(
        workplace, "svc", "--endpoint", "name=embed", "--no-api-keys", "--no-shutdown-api", "--deployment", "none"
    )
    for question in ("description", "drain_timeout_s", "python_version", "ci"):
        terminal.asks(question, SERVICE)
        terminal.child.send(ENTER)
    terminal.sees("Write it?")
    terminal.child.send("y")
    terminal.sees("Made svc")
    assert terminal.ends() == 0


def test_a_bad_flag_is_told_before_the_first_question(workplace: Workplace) -> None:
    """Nobody answers twenty questions to learn that the first word was wrong."""
    terminal = Terminal(workplace, "torch")
    terminal.sees('service_name is "torch"')
    assert terminal.ends() == 2


def test_a_folder_in_the_way_is_told_before_the_first_question(workplace: Workplace) -> None:
    """The same holds for a folder that is not empty."""
    (workplace.folder / "svc").mkdir()
    (workplace.folder / "svc" / "mine").touch()
    terminal = Terminal(workplace, "svc")
    terminal.sees("is not empty")
    assert terminal.ends() == 1


def test_a_no_at_the_end_writes_nothing(workplace: Workplace) -> None:
    """The summary is the last chance to turn back."""
    terminal = Terminal(workplace, "svc", "--defaults", "--description", "x")
    assert terminal.ends() == 0
    terminal = Terminal(workplace, "--defaults")
    terminal.asks("service_name", SERVICE)
    terminal.types("other")
    terminal.sees("Write it?")
    terminal.child.send("n")
    terminal.sees("nothing was written")
    assert terminal.ends() == 1
    assert workplace.leftovers() == ["svc"]


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D], ids=["ctrl-c", "ctrl-d"])
def test_a_key_that_stops_in_the_middle_writes_nothing(workplace: Workplace, terminal: Terminal, key: str) -> None:
    """Ctrl-C at a question ends with 130, and so does the end of input."""
    answer_service_name(terminal)
    terminal.asks("description", SERVICE)
    terminal.child.send(f"{CLEAR}{key}")
    terminal.sees("litgen: interrupted.")
    assert terminal.ends() == 130
    assert workplace.leftovers() == []


def test_ctrl_c_at_the_summary_writes_nothing(workplace: Workplace) -> None:
    """Nothing was rendered yet when the summary is shown."""
    terminal = Terminal(workplace, "--defaults")
    answer_service_name(terminal)
    terminal.sees("Write it?")
    terminal.child.send(CTRL_C)
    assert terminal.ends() == 130
    assert workplace.leftovers() == []


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_force_asks_before_it_overwrites(workplace: Workplace, answer: str, code: int) -> None:
    """The files are listed, and only a yes replaces them."""
    project = workplace.new("svc")
    (project / "service.toml").write_text("mine")
    terminal = Terminal(workplace, "svc", "--defaults", "--force")
    terminal.sees("would be overwritten")
    terminal.sees("service.toml")
    terminal.sees("Overwrite them?")
    terminal.child.send(f"{answer}{ENTER}")
    assert terminal.ends() == code
    assert ((project / "service.toml").read_text() == "mine") == (answer == "n")
    assert sorted(path.name for path in project.parent.iterdir()) == ["svc"]


def test_no_colour_means_no_colour(workplace: Workplace) -> None:
    """With NO_COLOR set, no question sets a colour."""
    terminal = Terminal(workplace, "--defaults")
    answer_service_name(terminal)
    terminal.sees("Write it?")
    assert "\x1b[3" not in terminal.child.before
