"""The HTTP process: ``python -m litgen_runtime.http``, started by the supervisor and by nothing else."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import uvloop

from litgen_runtime import logs
from litgen_runtime.api_keys import Keyring
from litgen_runtime.dispatcher.dispatcher import Dispatcher
from litgen_runtime.errors import SettingsError
from litgen_runtime.groups import let_the_supervisor_decide
from litgen_runtime.http.app import Front
from litgen_runtime.http.body import reader_for
from litgen_runtime.http.crowd import Crowd, within_descriptors
from litgen_runtime.http.door import Door, admit
from litgen_runtime.http.file_watch import key_watch
from litgen_runtime.http.gate import gate_for
from litgen_runtime.http.lanes import Lanes
from litgen_runtime.http.lifecycle import Lifecycle, WorkerState
from litgen_runtime.http.messages import App
from litgen_runtime.http.metrics import Metrics
from litgen_runtime.http.probes import PATHS, Probes
from litgen_runtime.http.server import Server
from litgen_runtime.http.shutdown_api import ShutdownApi
from litgen_runtime.http.site import Site
from litgen_runtime.http.spool import Spool
from litgen_runtime.http.streaming import StreamDoor
from litgen_runtime.http.workers import Workers
from litgen_runtime.imports import resolve_types
from litgen_runtime.settings import EndpointSettings, Settings
from litgen_runtime.tracebacks import describe
from litgen_runtime.transport.control import BEAT_S, Control

if TYPE_CHECKING:
    from litgen_runtime.http.job_side import JobSide

log = logging.getLogger("litgen_runtime.http")  # ``__name__`` is that of a script here, which has no handler


class HttpProcess:
    """Everything that lives in this process, and its conversation with the supervisor.

    Args:
        control: the line to the supervisor.
        settings: the service's choices.
        workers: every worker there will be.
        shutdown_keys: what opens POST /shutdown.
        folder: where large bodies may be kept.
        keyring: who has which key; None: auth is off.
        webhook_secrets: what an earlier HTTP process of this service has signed webhooks with.
    """

    def __init__(
        self,
        control: Control,
        settings: Settings,
        workers: list[WorkerState],
        shutdown_keys: list[str],
        folder: str,
        keyring: Keyring | None = None,
        webhook_secrets: list[str] | None = None,
    ) -> None:
        self._keyring = keyring
        self._webhook_secrets = webhook_secrets
        self._control = control
        self._shutdown_keys = shutdown_keys
        self._folder = folder
        self._settings = settings
        min_ready = {name: endpoint.workers.min_ready for name, endpoint in settings.endpoints.items()}
        self._lifecycle = Lifecycle(workers, min_ready=min_ready)
        self._lifecycle.site_loading = settings.service.configure is not None
        self._dispatchers: dict[str, Dispatcher] = {}
        self._workers = Workers(self._lifecycle, self._dispatchers, self._tell)
        for name, endpoint in settings.endpoints.items():
            self._dispatchers[name] = Dispatcher(name, endpoint, self._workers.kill)
        self._crowd = Crowd(within_descriptors(settings.service.max_connections))
        self._site = Site(settings)
        self._types = {name: _types(name, endpoint) for name, endpoint in settings.endpoints.items()}
        self._jobs = self._open_jobs()
        health = self._jobs.desk.health if self._jobs else None
        probes = Probes(self._lifecycle, self._dispatchers, self._workers.busy_for_s, health)
        self._door_of = dict(self._doors())
        self._lanes: dict[bytes, Door] = {}
        if not self._site.may_have_middleware:
            self._open_lanes()
        front = Front(
            dict.fromkeys(PATHS, probes),
            self._routes(self._door_of),
            self._site,
            self._lifecycle,
            self._jobs.api if self._jobs else None,
            gate_for(None, keyring),
        )
        self._server = Server(front, settings.service, self._crowd, Lanes(self._lanes), self._listening)
        self._tasks: set[asyncio.Task[None]] = set()
        self._commands: dict[str, Callable[[dict[str, Any]], None]] = {
            "worker": self._workers.adopt,
            "worker_gone": self._workers.gone,
            "retire": self._workers.retire,
            "drain": lambda _: self._spawn(self._drain()),
            "close_workers": lambda _: self._close_workers(),
            "exit": lambda _: self._exit(),
        }

    async def run(self, listener: socket.socket, early: list[dict[str, Any]]) -> None:
        """Serve until the supervisor says ``exit`` or is gone; ``early`` is what it has said already."""
        if self._jobs is not None:
            self._jobs.open()
        self._take(early)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._control.fileno(), self._obey)
        await self._server.serve([listener])
        if self._jobs is not None:
            await self._jobs.close()
        loop.remove_reader(self._control.fileno())

    def _routes(self, doors: Mapping[str, Door]) -> dict[str, App]:
        of_jobs = self._jobs.metrics if self._jobs else None
        metrics = Metrics(self._lifecycle, self._dispatchers, self._crowd, of_jobs)
        routes: dict[str, App] = {"/metrics": metrics, **doors}
        if self._settings.shutdown.api:
            keys = self._shutdown_keys
            routes["/shutdown"] = ShutdownApi(keys, lambda who: self._tell({"do": "shutdown", "by": who}))
        return routes

    def _open_jobs(self) -> JobSide | None:
        """Open the store, if any endpoint takes jobs."""
        if not any(endpoint.jobs for endpoint in self._settings.endpoints.values()):
            return None
        from litgen_runtime.http.job_side import JobSide

        result_types = {name: answer_type for name, (_, answer_type) in self._types.items()}
        gate = gate_for(None, self._keyring)
        return JobSide(
            self._settings, self._dispatchers, result_types, self._lifecycle, gate, self._webhook_secrets, self._tell
        )

    def _doors(self) -> Iterator[tuple[str, Door]]:
        """Yield each endpoint's door, by path."""
        spool = cache(lambda: _spool(self._folder))
        for name, endpoint in self._settings.endpoints.items():
            dispatcher, (request, answer_type) = self._dispatchers[name], self._types[name]
            may_enter = partial(admit, self._lifecycle, name)
            reader = reader_for(request, dispatcher, self._settings.service, spool, may_enter)
            gate = gate_for(endpoint.auth, self._keyring)
            if endpoint.streaming:
                keep_alive_s = endpoint.streaming.keep_alive_s
                yield endpoint.path, StreamDoor(dispatcher, reader, self._lifecycle, keep_alive_s, gate)
            elif self._jobs and endpoint.jobs:
                yield endpoint.path, self._jobs.door(dispatcher, reader, answer_type, gate)
            else:
                yield endpoint.path, Door(dispatcher, reader, self._lifecycle, answer_type, gate)

    def _open_lanes(self) -> None:
        """Let requests take the short way, unless the owner's middleware has to see them."""
        doors = self._door_of.items()
        self._lanes.update({path.encode(): door for path, door in doors if not isinstance(door, StreamDoor)})

    def _listening(self) -> None:
        self._tell({"do": "listening"})
        self._spawn(self._load_site())
        self._spawn(self._beat())
        if self._keyring is not None:
            watch = key_watch(self._settings.auth.keys, self._keyring, self._tell)
            self._spawn(watch.run())

    async def _load_site(self) -> None:
        try:
            if not await self._site.has_middleware():
                self._open_lanes()
            gc.freeze()  # what has been imported stays: no collection has to look through it
            self._lifecycle.site_loaded()
        except BaseException as error:  # noqa: BLE001 - the owner's ``configure`` may raise anything, SystemExit too
            self._tell({"do": "failed", "error": describe(error)})

    async def _beat(self) -> None:
        """Say again and again that this loop turns: when it does not, the supervisor starts another process."""
        while True:
            self._control.offer({"do": "alive", "answered": self._workers.answered()})
            await asyncio.sleep(BEAT_S)

    def _tell(self, message: dict[str, Any]) -> None:
        self._control.send(message)

    def _obey(self) -> None:
        try:
            messages = self._control.receive()
        except EOFError:
            log.error("the supervisor is gone; stopping")
            os._exit(1)
        self._take(messages)

    def _take(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            self._commands[message["do"]](message)

    async def _drain(self) -> None:
        """Not ready at once; serve on for ``delay_s``; then refuse newcomers and wait for the rest."""
        choices = self._settings.shutdown
        self._lifecycle.draining = True
        if self._jobs is not None:
            self._jobs.desk.stop()
        await asyncio.sleep(choices.delay_s)
        self._lifecycle.refusing = True
        began, calls, jobs = time.monotonic(), 0, 0
        if not await self._lifecycle.idle(choices.drain_timeout_s):
            cuts = [dispatcher.drain.cut() for dispatcher in self._dispatchers.values()]
            calls, jobs = self._server.cut() + sum(cut.calls for cut in cuts), sum(cut.jobs for cut in cuts)
        await self._server.flushed(choices.drain_timeout_s - (time.monotonic() - began))
        self._tell({"do": "drained", "calls": calls, "jobs": jobs})

    def _close_workers(self) -> None:
        for dispatcher in self._dispatchers.values():
            dispatcher.drain.close()

    def _exit(self) -> None:
        self._workers.all_gone()
        self._server.should_exit = True

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _types(name: str, endpoint: EndpointSettings) -> tuple[Any, str]:
    """Return an endpoint's request type, and the media type of its results."""
    given = endpoint.response_type
    request, response = resolve_types(f"endpoints.{name}", endpoint.request, endpoint.response, given)
    return request, given or ("application/octet-stream" if response is bytes else "application/json")


def _spool(folder: str) -> Spool:
    try:
        return Spool(folder)
    except OSError as error:
        raise SettingsError(
            f"the folder {folder} for uploads cannot be made: {error.strerror}. Let the service write there, or set "
            "TMPDIR to a folder where it may."
        ) from None


def main() -> None:
    """Read what to be from the supervisor, then serve."""
    let_the_supervisor_decide()
    logs.start("http")
    control = Control(socket.socket(fileno=int(sys.argv[1])))
    listener = socket.socket(fileno=int(sys.argv[2]))
    os.set_inheritable(control.fileno(), False)  # nor may what the owner's routes start keep the port
    listener.set_inheritable(False)
    try:
        spec, *early = control.receive(wait=True)
    except EOFError:
        return
    settings = Settings.model_validate_json(json.dumps(spec["settings"]))
    workers = [WorkerState(**worker) for worker in spec["workers"]]
    keyring = None if spec["api_keys"] is None else Keyring.from_json(spec["api_keys"])

    async def serve() -> None:
        try:
            process = HttpProcess(
                control, settings, workers, spec["shutdown_keys"], spec["folder"], keyring, spec["webhook_secrets"]
            )
        except BaseException as error:  # noqa: BLE001 - the owner's schemas may raise anything, SystemExit too
            control.send({"do": "failed", "error": describe(error)})
            return
        await process.run(listener, early)

    uvloop.run(serve())


if __name__ == "__main__":
    main()
