"""Services that can never start: one clear error, exit code 3, nothing left (docs/behavior.md, 1.5)."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.services import MARK, ROOT, SERVICES, Marked, config, endpoint, serving, square

LIMIT_S = 60


def start(marked: Marked, path: Path, *arguments: str) -> tuple[int, str]:
    """Run a service that ends by itself; return its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "litgen_runtime", "serve", "--config", path, *arguments],
        cwd=ROOT,
        env={**os.environ, MARK: marked.mark},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert not marked.leftovers(1.0)
    return done.returncode, done.stderr


def loading(handler: str, workers: int = 1, path: str = "/x", **choices: object) -> object:
    """Return an endpoint of ``services/loading.py``."""
    return endpoint(f"loading:{handler}", path, "Number", "Number", workers={"per_device": workers, **choices})


def test_setup_raising_ends_the_service(tmp_path: Path, marked: Marked) -> None:
    """An exception of setup in each of three workers gives one error with the owner's traceback, and exit code 3."""
    code, said = start(marked, config(tmp_path, {"bad": loading("Raises", 3, max_restarts=0), "good": square()}))
    assert code == 3
    assert said.count("FileNotFoundError: weights.bin is not there") == 1
    assert said.count("Traceback") == 1
    assert 'services/loading.py", line' in said
    assert "runtime_lib" not in said
    assert said.count("the service cannot start") == 1
    assert "ready: " not in said


def test_setup_is_tried_again(tmp_path: Path, marked: Marked) -> None:
    """Setup is tried max_restarts times more, with a line each; the last error has the owner's traceback."""
    code, said = start(marked, config(tmp_path, {"bad": loading("Raises", max_restarts=2)}))
    assert code == 3
    for delay_s in ("0.5", "1.0"):
        words = f"bad[0] on cpu: setup failed; tried again in {delay_s} s: FileNotFoundError: weights.bin is not there"
        assert said.count(words) == 1
    assert "the service cannot start: bad[0] on cpu: setup failed 3 times, with max_restarts = 2" in said
    assert said.count("Traceback") == 1


def test_setup_that_succeeds_in_the_end(tmp_path: Path) -> None:
    """A setup that fails now and then does not keep a service from starting."""
    path = config(tmp_path, {"x": loading("Gradually")})
    with serving(path, env={"LITGEN_TEST_TICKETS": str(tmp_path)}) as service:
        assert service.post("/x", {"x": 3}).json() == {"x": 3}
        assert service.log().count("setup failed; tried again") == 3


def test_setup_raising_what_cannot_be_printed(tmp_path: Path, marked: Marked) -> None:
    """An exception whose words raise too ends the service in the same way."""
    code, said = start(marked, config(tmp_path, {"bad": loading("RaisesUnspeakable")}))
    assert code == 3
    assert "Unspeakable" in said
    assert "raise Unspeakable" in said


@pytest.mark.parametrize(("handler", "cause"), [("Exits", "exit code 7"), ("Killed", "SIGKILL")])
def test_setup_ending_its_process(tmp_path: Path, marked: Marked, handler: str, cause: str) -> None:
    """A process that ends once more than max_restarts while loading for the first time ends the service."""
    code, said = start(marked, config(tmp_path, {"bad": loading(handler)}))
    assert code == 3
    assert f"the service cannot start: bad[0] on cpu: ended while loading ({cause}) 4 times" in said
    assert said.count(f"ended ({cause}); a new one starts in") == 3


def test_setup_calling_sys_exit(tmp_path: Path, marked: Marked) -> None:
    """SystemExit in setup is an error like any other."""
    code, said = start(marked, config(tmp_path, {"bad": loading("Leaves")}))
    assert code == 3
    assert "SystemExit: no licence" in said


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("handler", f"{SERVICES}.nowhere:Model", ["endpoints.x.handler", "there is no module"]),
        ("handler", f"{SERVICES}.loading:Nothing", ["endpoints.x.handler", "has no 'Nothing'"]),
        ("handler", f"{SERVICES}.loading:NotAnEndpoint", ["endpoints.x.handler", "derived from"]),
        ("handler", f"{SERVICES}.loading:WrongRequest", ["endpoints.x.request", "WrongRequest", "int"]),
        ("handler", f"{SERVICES}.loading:Untyped", ["endpoints.x.handler", "does not name its types"]),
        ("request", f"{SERVICES}.schemas:Nothing", ["endpoints.x.request", "has no 'Nothing'"]),
        ("request", f"{SERVICES}.broken_schemas:Number", ["RuntimeError: the schemas are broken", "Traceback"]),
        ("response", f"{SERVICES}.schemas:Command", ["endpoints.x.response", "Command"]),
        ("batching", {"max_size": 4}, ["endpoints.x.batching", "BatchEndpoint"]),
    ],
)
def test_what_cannot_be_imported(tmp_path: Path, marked: Marked, key: str, value: object, words: list[str]) -> None:
    """A class or schema that cannot be used is one error that names the key."""
    code, said = start(marked, config(tmp_path, {"x": {**square("/x"), key: value}}))
    assert code == 3
    assert all(word in said for word in words), said
    assert said.count("the service cannot start") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[service\n", ["cannot be read as TOML"]),
        ('[service]\nname = "x"\nprot = 1\n', ["service.prot is not a key", "Did you mean port?"]),
        ('[service]\nname = "x"\n', ["endpoints"]),
    ],
)
def test_a_bad_service_toml(tmp_path: Path, marked: Marked, text: str, words: list[str]) -> None:
    """A file that is not TOML, or has an unknown key, or lacks one is refused in a sentence, without a traceback."""
    path = tmp_path / "service.toml"
    path.write_text(text)
    code, said = start(marked, path)
    assert code == 3
    assert all(word in said for word in words), said
    assert "Traceback" not in said


def test_a_missing_service_toml(tmp_path: Path, marked: Marked) -> None:
    """Without a service.toml the sentence says where one was expected."""
    code, said = start(marked, tmp_path / "nowhere.toml")
    assert code == 3
    assert "nowhere.toml does not exist" in said


def test_a_taken_port(tmp_path: Path, marked: Marked) -> None:
    """A port that somebody else uses is refused in a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = start(marked, config(tmp_path, {"x": square()}), "--port", str(port))
    assert code == 3
    assert f'cannot listen on service.host "127.0.0.1", service.port {port}: Address already in use' in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"min_ready": 3, "per_device": 2}, "endpoints.x.workers.min_ready is 3; expected at most 2, the number of"),
        ({"devices": "mps"}, 'endpoints.x.workers.devices is "mps", Apple\'s GPU, which only macOS has'),
    ],
)
def test_workers_that_cannot_be(tmp_path: Path, marked: Marked, choices: dict[str, object], words: str) -> None:
    """More ready workers than there are, and a device of another system, are refused before anything starts."""
    code, said = start(marked, config(tmp_path, {"x": square(workers=choices)}))
    assert code == 3
    assert words in said
    assert "Traceback" not in said


def test_a_device_that_is_not_there(tmp_path: Path, marked: Marked) -> None:
    """A CUDA device past the last one is refused before anything starts."""
    code, said = start(marked, config(tmp_path, {"x": square(workers={"devices": "cuda:999"})}))
    assert code == 3
    assert 'endpoints.x.workers.devices is "cuda:999"' in said


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        ("raises", ["LookupError: the configure hook is broken", "Traceback", "web.py"]),
        ("exits", ["the configure hook leaves"]),
        ("nothing", ["service.configure", "has no 'nothing'"]),
    ],
)
def test_a_broken_configure_hook(tmp_path: Path, marked: Marked, hook: str, words: list[str]) -> None:
    """A configure hook that raises, leaves or is missing ends the service with one error."""
    path = config(tmp_path, {"x": square()}, {"configure": f"{SERVICES}.web:{hook}"})
    code, said = start(marked, path)
    assert code == 3
    assert all(word in said for word in words), said
    assert said.count("the service cannot start") == 1


def test_a_failed_start_is_quick(tmp_path: Path, marked: Marked) -> None:
    """The end does not wait for other endpoints' loading: a hanging one is killed."""
    began = time.monotonic()
    code, said = start(marked, config(tmp_path, {"slow": loading("Hangs"), "bad": loading("Raises", path="/y")}))
    assert code == 3
    assert "bad[0] on cpu: setup failed" in said
    assert time.monotonic() - began < 20


def test_a_wrong_command_line(tmp_path: Path, marked: Marked) -> None:
    """Wrong usage is exit code 2."""
    code, said = start(marked, config(tmp_path, {"x": square()}), "--no-such-option")
    assert code == 2
    assert "--no-such-option" in said
