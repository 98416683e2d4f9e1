"""Bodies of any type: bytes, uploads, and what becomes of them on disk (docs/behavior.md, 6)."""

import hashlib
import json
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests import wire
from tests.integration.services.loading import TICKETS
from tests.services import SERVICES, Running, assert_problem, config, endpoint, eventually, serving, square

pytestmark = pytest.mark.xdist_group("uploads")

MIB = 1_048_576
BYTES, UPLOAD = "builtins:bytes", "litgen_runtime:Upload"


def raw(handler: str, path: str, **choices: Any) -> Any:
    """Return the table of an endpoint that takes and gives bytes."""
    return {**endpoint(f"uploads:{handler}", path, **choices), "request": BYTES, "response": BYTES, **choices}


def receive(path: str = "/receive", **choices: Any) -> Any:
    """Return the table of an endpoint that says what was uploaded."""
    return {**endpoint("uploads:Receive", path, response="Received", **choices), "request": UPLOAD}


def pattern(size: int) -> bytes:
    """Return bytes that are not the same everywhere."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The TMPDIR of the shared service."""
    return tmp_path_factory.mktemp("tmpdir")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Running]:
    """A service with every kind; in the end nothing is on its disk, and nothing has failed inside."""
    endpoints = {
        "same": raw("Same", "/same"),
        "reversed": raw("Reversed", "/reversed", batching={"max_size": 4, "max_wait_s": 0.01}),
        "draw": {**endpoint("uploads:Draw", "/draw", "Number"), "response": BYTES, "response_type": "image/png"},
        "receive": receive(),
        "square": square(),
    }
    path = config(tmp_path_factory.mktemp("uploads"), endpoints, {"max_upload_bytes": "30MB"})
    with serving(path, env={"TMPDIR": str(folder)}) as running:
        yield running
        assert eventually(lambda: spooled(folder) == [])
        assert len(list(folder.iterdir())) == 1
        assert "inside the runtime" not in running.log()
    assert list(folder.iterdir()) == []


def spooled(folder: Path) -> list[Path]:
    """Return the bodies that are on a service's disk."""
    return [path for run in folder.glob("litgen-trial-*") for path in run.iterdir()]


def send(service: Running, path: str = "/receive", **request: Any) -> httpx.Response:
    """Send one request."""
    return httpx.post(service.url + path, timeout=60, **request)


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 20_000_000])
@pytest.mark.parametrize("path", ["/same", "/reversed"])
@pytest.mark.parametrize("chunked", [False, True])
def test_round_trip(service: Running, path: str, size: int, chunked: bool) -> None:
    """Bytes come back as they went, whatever their number and however they were sent."""
    data = pattern(size)
    body: Any = (data[start : start + 65_536] for start in range(0, size, 65_536)) if chunked else data
    answer = send(service, path, content=body, headers={"Content-Type": "video/mp4"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/octet-stream")
    assert answer.content == (data if path == "/same" else data[::-1])


def test_response_type(service: Running) -> None:
    """An endpoint that gives bytes gives them their type, and may take JSON."""
    answer = service.post("/draw", {"x": 3})
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/png", b"\x89" * 3)
    assert_problem(service.post("/draw", {"x": "three"}), 422, "invalid-input")


@pytest.mark.parametrize(("asked", "given"), [(b"bytearray", b"\xff"), (b"memoryview", b"\xff")])
def test_what_is_like_bytes(service: Running, asked: bytes, given: bytes) -> None:
    """What is like bytes is sent as bytes."""
    assert send(service, "/same", content=asked).content == given


@pytest.mark.parametrize("asked", [b"text", b"none"])
def test_what_is_not_bytes(service: Running, asked: bytes) -> None:
    """What is not is a clean failure."""
    assert_problem(send(service, "/same", content=asked), 500, "invalid-result")


def digest(data: bytes) -> str:
    """Return what the service says of a content."""
    return hashlib.sha256(data).hexdigest()


def files_of(answer: httpx.Response) -> list[list[Any]]:
    """Return (field, file name, content type, size, SHA-256) of each file that has been received."""
    return [list(file.values()) for file in answer.json()["files"]]


@pytest.mark.parametrize("size", [10, 5_000_000])
def test_a_raw_body_is_a_file(service: Running, size: int) -> None:
    """A body that is no form is one file, with its type."""
    data = pattern(size)
    answer = send(service, content=data, headers={"Content-Type": "image/png"})
    assert files_of(answer) == [["file", None, "image/png", size, digest(data)]]


@pytest.mark.parametrize("size", [10, 5_000_000])
def test_a_form(service: Running, size: int) -> None:
    """A form's files and fields come as they were sent, small or large."""
    first, second = pattern(size), b"\r\n--" * (size // 4)
    answer = send(
        service,
        files=[("image", ("a.png", first, "image/png")), ("image", ("b.bin", second)), ("more", ("c", b""))],
        data={"top": "5", "tag": ["a", "b"]},
    )
    assert files_of(answer) == [
        ["image", "a.png", "image/png", size, digest(first)],
        ["image", "b.bin", "application/octet-stream", len(second), digest(second)],
        ["more", "c", "application/octet-stream", 0, digest(b"")],
    ]
    assert answer.json()["fields"] == {"top": ["5"], "tag": ["a", "b"]}


def test_what_the_owner_asks_for(service: Running) -> None:
    """A file or field that the model needs and the client did not send is 422."""
    problem = assert_problem(send(service, files={"need_file": (None, b"1")}), 422, "invalid-input")
    assert "holds no file" in problem["detail"]


FORM = {"Content-Type": "multipart/form-data; boundary=B"}
FILE = b'--B\r\nContent-Disposition: form-data; name="a"; filename="f"\r\n\r\n'
PART = b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n'


@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "words"),
    [
        (b"", FORM, 400, "invalid-form", "last boundary is missing"),
        (b"nonsense", FORM, 400, "invalid-form", "part 1"),
        (FILE + b"x" * 3_000_000, FORM, 400, "invalid-form", "last boundary is missing"),
        (b"x", {"Content-Type": "multipart/form-data"}, 400, "invalid-form", "boundary"),
        (PART.replace(b'; name="a"', b"") + b"1\r\n--B--", FORM, 400, "invalid-form", "name"),
        ((PART + b"1\r\n") * 1001 + b"--B--", FORM, 413, "payload-too-large", "1000 parts"),
        (PART + b"x" * 1_100_000 + b"\r\n--B--", FORM, 413, "payload-too-large", "fields"),
        (PART + b"\r\n--Bx" * 3_000_000, FORM, 413, "payload-too-large", "1000 parts"),
        (PART.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 1_000_000), FORM, 400, "invalid-form", "header size"),
        (b"x" * 30_000_001, {}, 413, "payload-too-large", "max_upload_bytes of 30000000"),
        (b"x", {"Content-Encoding": "gzip"}, 415, "unsupported-media-type", "gzip"),
    ],
    ids=range(11),
)
def test_hostile(service: Running, body: bytes, headers: dict[str, str], status: int, code: str, words: str) -> None:
    """A form that is none, or is there to cost time or memory, is refused, and the answer says what is wrong."""
    began = time.monotonic()
    problem = assert_problem(send(service, content=body, headers=headers), status, code)
    assert words in problem["detail"]
    assert time.monotonic() - began < 5


def test_too_large_as_it_arrives(service: Running) -> None:
    """A body without a length is cut off at the limit."""

    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(MIB)

    answer = send(service, content=endless())
    assert_problem(answer, 413, "payload-too-large")


def test_too_large_is_refused_before_it_is_sent(service: Running) -> None:
    """A client that asks first is told before it has sent anything."""
    with wire.connected(service.port) as client:
        client.send(b"POST /same HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 30000001\r\n\r\n")
        assert client.expect().status == 413


def test_json_endpoints_are_as_before(service: Running) -> None:
    """A JSON endpoint beside them takes JSON and nothing else; a compressed body is named."""
    assert service.post("/square", {"x": 3}).json() == {"x": 9}
    answer = send(service, "/square", content=b"{}", headers={"Content-Encoding": "br"})
    assert "'br'" in assert_problem(answer, 415, "unsupported-media-type")["detail"]


def test_the_folder_is_private(service: Running, folder: Path) -> None:
    """What clients send can be read by the service's user alone."""
    (run,) = folder.iterdir()
    assert run.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("framing", ["Content-Length: 20000000", "Transfer-Encoding: chunked"])
def test_a_client_that_leaves_in_its_body(service: Running, folder: Path, framing: str, tmp_path: Path) -> None:
    """Its file is deleted, and nothing runs."""
    part = f'--B\r\nContent-Disposition: form-data; name="note_in"\r\n\r\n{tmp_path}\r\n--B--\r\n'.encode()
    head = f"POST /receive HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM['Content-Type']}\r\n{framing}\r\n\r\n"
    data = part + b"x" * 3_000_000
    with wire.connected(service.port) as client:
        client.send(head.encode() + (wire.chunk(data) if "chunked" in framing else data))
        assert eventually(lambda: spooled(folder))
    assert eventually(lambda: not spooled(folder))
    assert eventually(lambda: service.get("/health").json()["in_flight"] == 0)
    assert list(tmp_path.iterdir()) == []


def form(size: int, **fields: str) -> dict[str, Any]:
    """Return what to send: a file of a size, and fields."""
    return {"files": {"file": ("a", pattern(size))}, "data": fields}


def test_a_client_that_leaves_while_it_runs(service: Running, folder: Path, tmp_path: Path) -> None:
    """The file of a request that nobody waits for any more is deleted at once."""
    with pytest.raises(httpx.TimeoutException):
        httpx.post(service.url + "/receive", **form(3_000_000, sleep="2", note_in=str(tmp_path)), timeout=1)
    assert eventually(lambda: not spooled(folder), 0.9)
    assert len(list(tmp_path.iterdir())) == 1, "it ran"


@pytest.mark.parametrize("size", [1000, 3_000_000])
def test_a_worker_that_dies_of_it(tmp_path: Path, size: int) -> None:
    """What a dead worker ran runs again, with its body; what kills again is known by its content, not by its form."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    path = config(tmp_path, {"receive": receive(workers={"per_device": 2})})
    with serving(path, env={"TMPDIR": str(folder)}) as service:
        answer = send(service, **form(size, die_unless=str(tmp_path / "mark")))
        assert files_of(answer)[0][3:] == [size, digest(pattern(size))]
        assert_problem(send(service, **form(size, die="yes")), 500, "kills-workers")
        assert_problem(send(service, **form(size, die="yes")), 422, "quarantined")
        assert send(service, **form(size)).status_code == 200
        assert eventually(lambda: not spooled(folder))


def test_kill_9_of_a_worker_while_it_runs(tmp_path: Path) -> None:
    """A worker that is killed in the middle of an upload's run costs nobody the answer."""
    path = config(tmp_path, {"receive": receive()})
    with serving(path, env={"TMPDIR": str(tmp_path)}) as service, ThreadPoolExecutor() as pool:
        asked = pool.submit(send, service, **form(3_000_000, sleep="1"))
        assert eventually(lambda: spooled(tmp_path))
        time.sleep(0.3)
        (worker,) = service.worker_pids()
        os.kill(worker, signal.SIGKILL)
        answer = asked.result()
        assert (answer.status_code, answer.json()["pid"] != worker) == (200, True)
        assert eventually(lambda: not spooled(tmp_path))


def begun(service: Running) -> socket.socket:
    """Return a connection on which a large body has begun to arrive."""
    client = socket.create_connection(("127.0.0.1", service.port))
    client.sendall(b"POST /receive HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n" + b"x" * 3_000_000)
    return client


@pytest.mark.parametrize("both", [False, True])
def test_kill_9_of_the_supervisor(tmp_path: Path, both: bool) -> None:
    """After kill -9 of the supervisor, or of the HTTP process as well, nothing of the service is on disk."""
    path = config(tmp_path, {"receive": receive()})
    with serving(path, env={"TMPDIR": str(tmp_path)}) as service, begun(service):
        assert eventually(lambda: spooled(tmp_path))
        http_pid = service.http_pid
        os.kill(service.pid, signal.SIGKILL)
        if both:
            os.kill(http_pid, signal.SIGKILL)
        assert eventually(lambda: not list(tmp_path.glob("litgen-*")), 5)


def test_kill_9_of_the_http_process(tmp_path: Path) -> None:
    """What a dead HTTP process has left on disk goes, and the next one has a folder again."""
    path = config(tmp_path, {"receive": receive()})
    with serving(path, env={"TMPDIR": str(tmp_path)}) as service, begun(service):
        (left,) = eventually(lambda: spooled(tmp_path))
        os.kill(service.http_pid, signal.SIGKILL)
        assert eventually(lambda: not left.exists())
        service.process.wait_ready()
        assert send(service, **form(3_000_000)).status_code == 200
        assert eventually(lambda: not spooled(tmp_path))


def test_drain(tmp_path: Path) -> None:
    """A service that stops lets what has begun end, and cuts the rest with its file."""
    path = config(tmp_path, {"receive": receive()}, shutdown={"drain_timeout_s": 2.0})
    with serving(path, env={"TMPDIR": str(tmp_path)}) as service, ThreadPoolExecutor() as pool, begun(service) as late:
        asked = pool.submit(send, service, **form(3_000_000, sleep="1"))
        assert eventually(lambda: len(spooled(tmp_path)) == 2)
        time.sleep(0.3)
        service.signal(signal.SIGTERM)
        assert asked.result().status_code == 200
        assert_cut(late)
        assert service.wait_exit() == 0
        assert list(tmp_path.glob("litgen-*")) == []


def assert_cut(client: socket.socket) -> None:
    """Check that a request whose body did not arrive is answered 503."""
    reply = wire.Wire(client).expect()
    assert (reply.status, reply.json()["code"]) == (503, "draining")


def test_no_folder_without_need(tmp_path: Path) -> None:
    """A service that takes JSON alone makes no folder, and needs no TMPDIR."""
    path = config(tmp_path, {"square": square()})
    with serving(path, env={"TMPDIR": "/nowhere/at/all"}) as service:
        assert service.post("/square", {"x": 2}).json() == {"x": 4}


def test_a_tmpdir_that_cannot_be(tmp_path: Path) -> None:
    """A service that needs one says at start that it has none."""
    with serving(
        config(tmp_path, {"receive": receive()}), env={"TMPDIR": "/nowhere/at/all"}, wait_ready=False
    ) as service:
        assert service.wait_exit() == 3
        assert "No such file or directory. Let the service write there, or set TMPDIR" in service.log()


def test_a_full_disk(tmp_path: Path) -> None:
    """A body for which the disk has no room is 507, leaves nothing, and the next one that fits is served."""
    path = config(tmp_path, {"receive": receive()})
    with serving(path, env={"TMPDIR": str(tmp_path)}) as service:
        resource.prlimit(service.http_pid, resource.RLIMIT_FSIZE, (4 * MIB, 4 * MIB))
        for _ in range(3):
            problem = assert_problem(send(service, **form(20_000_000)), 507, "cannot-store")
            assert str(tmp_path) not in json.dumps(problem)
        assert eventually(lambda: not spooled(tmp_path))
        service.wait_log("File too large. Make room there, or set TMPDIR")
        assert send(service, **form(3_000_000)).status_code == 200


def test_loading_is_said_before_the_upload(tmp_path: Path) -> None:
    """An endpoint that is not ready yet refuses an upload before it is sent."""
    path = config(tmp_path, {"late": {**receive(), "handler": f"{SERVICES}.uploads:ReceiveLate"}})
    head = b"POST /receive HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 20000000\r\n\r\n"
    with serving(path, env={"TMPDIR": str(tmp_path), TICKETS: str(tmp_path)}, wait_ready=False) as service:
        assert eventually(lambda: answers(service))
        with wire.connected(service.port) as client:
            client.send(head)
            reply = client.expect()
            assert (reply.status, reply.json()["code"]) == (503, "loading")
        (tmp_path / "a-1").touch()
        service.process.wait_ready()
        with wire.connected(service.port) as client:
            client.send(head)
            assert client.expect().status == 100


def answers(service: Running) -> bool:
    """Whether the service listens."""
    try:
        return service.get("/livez").status_code == 200
    except httpx.TransportError:
        return False


def test_time_runs_while_a_body_arrives(tmp_path: Path) -> None:
    """timeout_s counts from the headers: a body that is not there by then is 504, and its file is gone."""
    path = config(tmp_path, {"receive": receive(timeout_s=1.0), "square": square(timeout_s=1.0)})
    with serving(path, env={"TMPDIR": str(tmp_path)}) as service:
        for url, sent in (("/receive", b"x" * 3_000_000), ("/square", b'{"x": '), ("/square", b"")):
            with wire.connected(service.port) as client:
                began = time.monotonic()
                client.send(f"POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n".encode() + sent)
                reply = client.expect()
                assert (reply.status, reply.json()["code"]) == (504, "timeout")
                assert f"the body had not arrived, only {len(sent)} bytes of it" in reply.json()["detail"]
                assert 0.9 < time.monotonic() - began < 3
        assert eventually(lambda: not spooled(tmp_path))


def rss(pid: int) -> int:
    """Return how much memory a process holds."""
    return int(psutil.Process(pid).memory_info().rss)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_flood_of_uploads(tmp_path: Path, framing: str) -> None:
    """200 uploads of 5 MB at once: what the queue has room for is served, the rest 503 at once; memory stays flat."""
    path = config(tmp_path, {"receive": receive(timeout_s=60.0, queue={"max_bytes": "100MB"})})
    data = pattern(5_000_000)
    with serving(path, env={"TMPDIR": str(tmp_path)}) as service:
        assert send(service, content=data).status_code == 200
        http_pid, before, peak, over = service.http_pid, rss(service.http_pid), 0, threading.Event()

        def watch() -> int:
            most = 0
            while not over.wait(0.02):
                most = max(most, rss(http_pid))
            return most

        def upload(_: int) -> int:
            body: Any = data if framing == "length" else (data[i : i + 65_536] for i in range(0, len(data), 65_536))
            answer = send(service, content=body)
            if answer.status_code == 503:
                assert assert_problem(answer, 503, "queue-full")
                assert int(answer.headers["retry-after"]) >= 1
            return answer.status_code

        with ThreadPoolExecutor(202) as pool:
            watching = pool.submit(watch)
            pool.submit(send, service, data={"sleep": "8"}, files={"file": b""})  # nothing is served meanwhile
            statuses = list(pool.map(upload, range(200)))
            over.set()
            peak = watching.result()
        assert set(statuses) == {200, 503}
        assert statuses.count(200) >= 10
        assert peak - before < 60 * MIB, f"{(peak - before) / MIB:.0f} MiB more"
        assert eventually(lambda: not spooled(tmp_path))
        assert send(service, content=data).status_code == 200


def test_a_bound_that_one_alone_passes(tmp_path: Path) -> None:
    """An upload larger than the queue's bound is taken when nothing else waits, and not beside another."""
    path = config(tmp_path, {"receive": receive(queue={"max_bytes": "1MB"})})
    with serving(path, env={"TMPDIR": str(tmp_path)}) as service:
        assert send(service, content=pattern(5_000_000)).status_code == 200
        with begun(service):
            assert eventually(lambda: spooled(tmp_path))
            assert_problem(send(service, content=b"x"), 503, "queue-full")
        assert eventually(lambda: not spooled(tmp_path))
        assert send(service, content=b"x").status_code == 200


def test_response_type_of_json(tmp_path: Path) -> None:
    """A media type for a response that is JSON is refused at start, with the way out."""
    path = config(tmp_path, {"square": square(response_type="image/png")})
    with serving(path, wait_ready=False) as service:
        assert service.wait_exit() == 3
        assert 'endpoints.square.response_type is "image/png"' in service.log()
