"""The whole of ``myservice bench``: start or find the service, wait for it, load it, and say what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import uvloop

from litgen_runtime.bench.client import Load
from litgen_runtime.bench.local import LocalService, local_service
from litgen_runtime.bench.metrics import Reading, compared
from litgen_runtime.bench.report import Outcome, progress
from litgen_runtime.bench.request import Asked, Plan, checked_url, headers_of, plan
from litgen_runtime.http.openapi import describe
from litgen_runtime.settings import Settings

_POLL_S = 0.1
_TICK_S = 1.0
_ABOUT_S = 0.01  # a timer may be that early
_FETCH_S = 30.0


class BenchError(Exception):
    """The service could not be loaded; says what to do.

    Args:
        message: what, what was expected, what to do.
        exit_code: what the command ends with.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Options:
    """How the load is.

    Args:
        asked: what is sent.
        connections: how many ask at once.
        duration_s: how long that counts.
        warm_up_s: how long it does not, before.
        url: of a running service; None starts one.
        config: the service.toml of the service to start.
    """

    asked: Asked
    connections: int
    duration_s: float
    warm_up_s: float
    url: str | None
    config: str


class Say:
    """Where progress goes.

    Args:
        line: writes one line for good.
        over: writes one line over the last one; None where there is no terminal.
    """

    def __init__(self, line: Callable[[str], None], over: Callable[[str], None] | None) -> None:
        self.line = line
        self.passing = over or line
        self.is_terminal = over is not None


def run(options: Options, settings: Settings | None, say: Say) -> Outcome:
    """Load a service.

    Args:
        options: how.
        settings: of the service to start; None with ``options.url``.
        say: where progress goes.

    Raises:
        UsageError: the command line asks for what cannot be.
        BenchError: the service could not be loaded.
    """
    return uvloop.run(_run(options, settings, say))


async def _run(options: Options, settings: Settings | None, say: Say) -> Outcome:
    stop = asyncio.Event()
    if settings is None:
        url = checked_url(options.url or "")
        asked = plan(await _fetch_openapi(url, options.asked), options.asked)
        with _signals(stop.set):
            return await _load(options, asked, url, None, stop, say)
    asked = plan(describe(settings), options.asked)
    async with _started(options.config, stop) as service:
        return await _load(options, asked, service.url, service, stop, say)


@contextlib.asynccontextmanager
async def _started(config: str, stop: asyncio.Event) -> AsyncIterator[LocalService]:
    """Run the service; a first signal stops the load, later ones the service at once."""
    running: list[LocalService] = []

    def stop_or_force() -> None:
        if stop.is_set():
            for service in running:
                service.ask_to_stop()
        stop.set()

    with _signals(stop_or_force):
        async with local_service(config) as service:
            running.append(service)
            yield service


@contextlib.contextmanager
def _signals(act: Callable[[], None]) -> Iterator[None]:
    """Call ``act`` for every signal that means an end."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, act)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _load(
    options: Options, asked: Plan, url: str, service: LocalService | None, stop: asyncio.Event, say: Say
) -> Outcome:
    """Wait for the service, warm it up, and count for the time that was asked for."""
    target = asked.target(url)
    await _ready(url, asked, service, stop, say)
    before = await _read_metrics(url, asked)
    load = Load(target, 0 if stop.is_set() else options.connections)
    try:
        if options.warm_up_s:
            await _pause(stop, options.warm_up_s)
            before = await _read_metrics(url, asked)
            load.counted()
        began = time.monotonic()
        await _watch(load, options, service, stop, say)
        tally, seconds = load.counted(), time.monotonic() - began
        after = await _read_metrics(url, asked)
    finally:
        await load.stop()
    if service and service.ended:
        code = service.process.returncode
        say.line(f"the service ended with exit code {code} under this load. Its log:\n{service.log_tail()}")
    inside = compared(before, after) if before and after else None
    return Outcome(options.asked.path, url, options.connections, seconds, tally, inside, stop.is_set())


async def _watch(load: Load, options: Options, service: LocalService | None, stop: asyncio.Event, say: Say) -> None:
    """Let the load run, with a line of progress each second."""
    began = last = time.monotonic()
    while (left_s := began + options.duration_s - last) > _ABOUT_S and not stop.is_set():
        await _pause(stop, min(_TICK_S, left_s))
        now = time.monotonic()
        say.passing(progress(load.tally, now - last, now - began, options.duration_s))
        last = now
        if service and service.ended:
            return


async def _ready(url: str, asked: Plan, service: LocalService | None, stop: asyncio.Event, say: Say) -> None:
    """Wait until the service is ready, and say what it waits for.

    Raises:
        BenchError: it ended, or is not there.
    """
    said, began = "", time.monotonic()
    while not stop.is_set():
        if service and service.ended:
            code = service.process.returncode
            raise BenchError(f"the service could not start (exit code {code}). Its log:\n{service.log_tail()}", code)
        status, body = await _get(url + "/readyz", asked.headers)
        if status == 0 and service is None:
            raise BenchError(f"nothing answers at {url}: {body}. Start the service there, or leave --url out.")
        if status not in (0, 503):
            return
        waiting = _waiting(body) if status else "it to listen"
        words = f"waiting for {waiting}"
        if say.is_terminal or _untimed(words) != _untimed(said):
            say.passing(f"{words}" if not say.is_terminal else f"{time.monotonic() - began:4.0f} s   {words}")
        said = words
        await _pause(stop, _POLL_S)


def _waiting(body: str) -> str:
    try:
        return ", ".join(json.loads(body)["waiting_for"]) or "readiness"
    except (ValueError, KeyError, TypeError):
        return "readiness"


def _untimed(words: str) -> str:
    """Leave out the seconds, which change all the time."""
    return re.sub(r" \([0-9.]+ s\)", "", words)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _read_metrics(url: str, asked: Plan) -> Reading | None:
    """Read what the service has counted; None if it does not say."""
    status, page = await _get(url + "/metrics", asked.headers)
    return Reading.of(page, asked.endpoint) if status == 200 else None


async def _fetch_openapi(url: str, asked: Asked) -> Mapping[str, Any]:
    """Read the document of a running service.

    Raises:
        BenchError: it has none.
    """
    status, body = await _get(url + "/openapi.json", headers_of(asked.headers))
    if status == 200:
        with contextlib.suppress(ValueError):
            document: Mapping[str, Any] = json.loads(body)
            return document
    what = f"status {status}" if status else body
    raise BenchError(
        f"{url}/openapi.json: {what}; expected the service's description. Start the service, or fix --url."
    )


async def _get(url: str, headers: Mapping[str, str]) -> tuple[int, str]:
    """Status and text of one GET; 0 and the reason without an answer."""
    return await asyncio.to_thread(_fetch, url, headers)


def _fetch(url: str, headers: Mapping[str, str]) -> tuple[int, str]:
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - Plan.target lets only http(s) pass
    try:
        with urllib.request.urlopen(request, timeout=_FETCH_S) as answer:  # noqa: S310 - likewise
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(getattr(error, "reason", error))
