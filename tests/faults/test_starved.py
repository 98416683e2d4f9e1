"""Services that run out of something: descriptors, somebody who reads their log."""

import fcntl
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from tests.services import MARK, ROOT, Marked, act, config, eventually, square


def test_no_descriptors_left(tmp_path: Path, marked: Marked) -> None:
    """Without descriptors for connections, or for processes, it neither dies nor spins, and serves again afterwards."""
    log = tmp_path / "log"
    path = config(tmp_path, {"square": square()}, {"header_timeout_s": 60.0})
    serve = f'ulimit -n 128; exec "{sys.executable}" -m litgen_runtime serve --config "{path}"'
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["/bin/sh", "-c", serve], cwd=ROOT, env={**os.environ, MARK: marked.mark}, stderr=file
        )
    try:
        assert eventually(lambda: "ready: " in log.read_text(), 40)
        port = int(log.read_text().partition("listening on http://127.0.0.1:")[2].split()[0])
        crowd = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(300)]
        time.sleep(0.5)
        [http] = marked.of("litgen_runtime.http")
        before = psutil.Process(http.pid).cpu_times().user
        time.sleep(2)
        assert psutil.Process(http.pid).cpu_times().user - before < 1.2, "it spins"
        for sock in crowd:
            sock.close()

        def answers() -> bool:
            try:
                answer = httpx.post(f"http://127.0.0.1:{port}/square", json={"x": 3}, timeout=5)
            except httpx.HTTPError:
                return False
            return bool(answer.json() == {"x": 9})

        assert eventually(answers)
        supervisor, limits = psutil.Process(process.pid), psutil.Process(process.pid).rlimit(psutil.RLIMIT_NOFILE)
        supervisor.rlimit(psutil.RLIMIT_NOFILE, (3, limits[1]))
        for module in ("litgen_runtime.supervisor.guardian", "litgen_runtime.worker"):
            marked.of(module)[0].kill()
        assert eventually(lambda: "cannot be started now" in log.read_text())
        supervisor.rlimit(psutil.RLIMIT_NOFILE, limits)
        assert eventually(answers)
        assert eventually(lambda: marked.of("litgen_runtime.supervisor.guardian"))
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def test_nobody_reads_the_log(tmp_path: Path, marked: Marked) -> None:
    """With the reader of standard error gone, requests are served, errors too, and the drain ends with exit 0."""
    command = [sys.executable, "-m", "litgen_runtime", "serve", "--config", str(config(tmp_path, {"act": act()}))]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, MARK: marked.mark}, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            said = ""
            while "ready: " not in said:
                said += process.stderr.readline()
            process.stderr.close()
            url = said.partition("listening on ")[2].split()[0]
            assert httpx.post(url + "/act", json={"do": "raise"}, timeout=20).status_code == 500
            assert httpx.post(url + "/act", json={"do": "pid"}, timeout=20).status_code == 200
            assert httpx.post(url + "/act", json={"do": "die"}, timeout=20).status_code == 503
            assert httpx.post(url + "/act", json={"do": "pid"}, timeout=20).status_code == 200
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_a_log_that_is_not_read(tmp_path: Path, marked: Marked) -> None:
    """With the pipe of standard error full, requests are served, workers replaced, and the drain ends with exit 0."""
    command = [sys.executable, "-m", "litgen_runtime", "serve", "--config", str(config(tmp_path, {"act": act()}))]
    environment = {**os.environ, MARK: marked.mark}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, bufsize=0) as process:
        assert process.stderr is not None
        fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, 4096)
        try:
            said = b""
            while b"ready: " not in said:
                said += process.stderr.read(4096)
            url = said.partition(b"listening on ")[2].split()[0].decode()
            with httpx.Client(base_url=url, timeout=5) as client:
                for _ in range(80):  # lines, more than the pipe holds
                    assert client.post("/act", json={"do": "http-error", "number": 599}).status_code == 599
                assert client.post("/act", json={"do": "die"}).status_code == 503
                assert client.post("/act", json={"do": "pid"}).status_code == 200
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()
