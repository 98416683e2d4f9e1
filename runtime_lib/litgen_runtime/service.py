"""A service as a Python object: what ``service.toml`` says, ready to run."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litgen_runtime import logs
from litgen_runtime.cores import usable_cores
from litgen_runtime.devices import cuda_count
from litgen_runtime.errors import SettingsError, StartupError
from litgen_runtime.settings import Settings, load
from litgen_runtime.settings.load import validate

log = logging.getLogger(__name__)

_BACKLOG = 2048


class Service:
    """One service.

    Args:
        service: the table ``[service]``, such as ``{"name": "myservice", "port": 8000}``.
        endpoints: the tables ``[endpoints.NAME]``.
        shutdown: the table ``[shutdown]``.
        auth: the table ``[auth]``.

    Raises:
        SettingsError: a choice cannot work; the message lists every problem.
    """

    def __init__(
        self,
        service: Mapping[str, Any],
        endpoints: Mapping[str, Mapping[str, Any]],
        shutdown: Mapping[str, Any] | None = None,
        auth: Mapping[str, Any] | None = None,
    ) -> None:
        raw = {"service": service, "endpoints": endpoints, "shutdown": shutdown or {}, "auth": auth or {}}
        self.settings = validate(raw, "the arguments of Service")

    @classmethod
    def from_toml(cls, path: str | Path, overrides: Mapping[str, Any] | None = None) -> Service:
        """Return the service of a service.toml, the environment and ``overrides`` (dotted keys) on top.

        Raises:
            SettingsError: a choice cannot work; the message lists every problem.
        """
        service = cls.__new__(cls)
        service.settings = load(Path(path), overrides=overrides)
        return service

    def run(self, listener: socket.socket | None = None) -> int:
        """Serve until told to stop; return the exit code.

        Args:
            listener: a bound socket to serve on, instead of ``service.host`` and ``service.port``.
        """
        from litgen_runtime.access import keyring_of, warnings_of, warnings_of_address
        from litgen_runtime.shutdown_keys import key_file, read_keys
        from litgen_runtime.supervisor.plan import plan_workers
        from litgen_runtime.supervisor.supervisor import COULD_NEVER_START, Supervisor

        _open_standard_streams()
        logs.start("supervisor")
        try:
            _check_platform()
            plan = plan_workers(self.settings, cuda_count(os.environ), usable_cores())
            keyring = keyring_of(self.settings, os.environ)
            generated = key_file()
            keys = read_keys(os.environ, generated) if self.settings.shutdown.api else []
            listener = listener or _listen(self.settings)
        except (SettingsError, StartupError) as error:
            log.error("the service cannot start: %s", error)
            return COULD_NEVER_START
        host, port = listener.getsockname()[:2]
        for warning in (*warnings_of(self.settings, keyring), *warnings_of_address(self.settings, host)):
            log.warning("%s", warning)
        log.info(
            "listening on http://%s:%d with %d workers to load", f"[{host}]" if ":" in host else host, port, len(plan)
        )
        return Supervisor(self.settings, plan, listener, keys, [generated], keyring).run()


def _check_platform() -> None:
    if sys.platform == "win32":
        raise StartupError("litgen services run on Linux and macOS. On Windows, use WSL or a container.")
    if not hasattr(os, "waitid"):
        raise StartupError("On macOS a litgen service needs Python 3.13 or later. Run it there, or in a container.")


def _open_standard_streams() -> None:
    """Put /dev/null where a standard stream is closed, for our children too: a socket there would be taken for it."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.service.host, settings.service.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StartupError(
            f'cannot listen on service.host "{host}", service.port {port}: {reason}. Stop what uses '
            "the port, or choose another with --port or LITGEN__SERVICE__PORT."
        ) from None
