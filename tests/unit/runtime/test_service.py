from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from litgen_runtime import Service, service
from litgen_runtime.errors import SettingsError, StartupError
from tests.unit.runtime.mini import HERE, tables

TOML = f"""
[service]
name = "mini"
[endpoints.embed]
handler = "{HERE}:Many"
request = "{HERE}:Ask"
response = "{HERE}:Answer"
path = "/embed"
"""


def test_same_from_python_and_from_toml(tmp_path: Path) -> None:
    """``Service(...)`` and ``Service.from_toml`` mean the same."""
    (tmp_path / "service.toml").write_text(TOML)
    assert Service(**tables()).settings == Service.from_toml(tmp_path / "service.toml").settings


def test_bad_arguments() -> None:
    """A bad choice in Python is refused in the same words."""
    with pytest.raises(SettingsError, match=r"^endpoints.embed.timeout_s is \"soon\"; .* the arguments of Service.$"):
        Service(**tables(timeout_s="soon"))


def test_command_line_wins(tmp_path: Path) -> None:
    """What the command line overrides is taken."""
    (tmp_path / "service.toml").write_text(TOML)
    assert Service.from_toml(tmp_path / "service.toml", {"service.port": 9000}).settings.service.port == 9000


def test_port_that_is_taken() -> None:
    """A taken port is one sentence with the address and the ways out."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        raw = tables()
        raw["service"] |= {"host": "127.0.0.1", "port": port}
        with pytest.raises(StartupError, match=rf'^cannot listen on service.host "127.0.0.1", service.port {port}: .+'):
            service._listen(Service(**raw).settings)


def test_absent_device_ends_with_3(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that asks for a device that is not there could never start: exit code 3, one line."""
    lines: list[Any] = []
    monkeypatch.setattr("litgen_runtime.logs.start", lambda process: None)
    monkeypatch.setattr(service, "cuda_count", lambda environ: 0)
    monkeypatch.setattr(service.log, "error", lambda text, *values: lines.append(text % values))
    assert Service(**tables(workers={"devices": "cuda"})).run() == 3
    assert len(lines) == 1
    assert lines[0].startswith('the service cannot start: endpoints.embed.workers.devices is "cuda"; 0 CUDA devices')
    assert logging.getLogger("litgen_runtime").handlers == []


def test_standard_streams_that_are_closed() -> None:
    """They are /dev/null, for every process that is started too: else a model's next file would be taken for one."""
    look = "import os, sys; os.write(int(sys.argv[1]), ''.join(map(os.readlink, sys.argv[2:])).encode())"
    begin = (
        "import os, sys; from litgen_runtime import service; service._open_standard_streams()\n"
        f"arguments = ['-c', {look!r}, sys.argv[1], '/proc/self/fd/1', '/proc/self/fd/2']\n"
        "os.waitpid(os.posix_spawn(sys.executable, [sys.executable, *arguments], os.environ), 0)"
    )
    reading, writing = os.pipe()
    with os.fdopen(reading) as pipe:
        command = ["/bin/sh", "-c", 'exec "$0" -c "$1" "$2" >&- 2>&-', sys.executable, begin, str(writing)]
        subprocess.run(command, pass_fds=[writing], check=True)
        os.close(writing)
        assert pipe.read() == "/dev/null/dev/null"
