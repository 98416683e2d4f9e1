"""A worker: ``python -m litgen_runtime.worker --fd N``, started by the supervisor and by nothing else."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socket
import sys
import threading
import time
import traceback
from math import inf
from typing import Any

from litgen_runtime.groups import let_the_supervisor_decide
from litgen_runtime.imports import resolve, resolve_handler
from litgen_runtime.tracebacks import describe
from litgen_runtime.transport.frames import FrameReader, Kind, pack_json
from litgen_runtime.worker.batches import Batches
from litgen_runtime.worker.codec import Codec
from litgen_runtime.worker.cuda import BROKEN_EXIT_CODE
from litgen_runtime.worker.device import claim
from litgen_runtime.worker.forks import keep_from_children
from litgen_runtime.worker.line import Line
from litgen_runtime.worker.outbox import Outbox
from litgen_runtime.worker.runner import Runner
from litgen_runtime.worker.spec import WorkerSpec
from litgen_runtime.worker.streams import Streams


def main() -> None:
    """Load one endpoint's model, then run batches until the line closes."""
    let_the_supervisor_decide()
    threading.excepthook = _die
    sock = socket.socket(fileno=int(sys.argv[2]))
    sock.set_inheritable(False)  # a model's children must not keep the line open when this process has died
    keep_from_children(sock)  # nor speak over it
    spec = _read_spec(sock)
    began = time.monotonic()
    final = True
    try:
        runner, codec = _load(spec)
        final = False  # from here on another process may have more luck
        runner.setup(spec.device)
    except BaseException as error:  # noqa: BLE001 - the owner's code may raise anything
        _report_failure(sock, error, final=final)
        sys.exit(1)
    gc.freeze()  # what the model is made of stays: no collection has to look through it during a run
    outbox = Outbox(sock, codec, hands_over=spec.repeatable)
    weigh = runner.weigh if spec.max_weight < inf else _weightless
    ready = pack_json(Kind.READY, json.dumps({"load_s": time.monotonic() - began}).encode())
    outbox.start()
    if spec.max_streams:
        streams = Streams(runner, codec, outbox)
        _tell(sock, ready)
        line = Line(sock, codec, weigh, streams, outbox)
        line.start(beside=True)
        streams.run()
    else:
        batches = Batches(spec, runner, outbox)
        line = Line(sock, codec, weigh, batches, outbox)
        _tell(sock, ready)
        line.start(beside=False)
        batches.run(line)
    outbox.finish()
    if runner.broken:
        os._exit(BROKEN_EXIT_CODE)  # destructors would call into the broken context
    line.finish()
    runner.close()


def _weightless(_: Any) -> float:
    return 0.0


def _read_spec(sock: socket.socket) -> WorkerSpec:
    """Wait for the word to go: the supervisor sends it once the guardian knows this process."""
    frames = FrameReader()
    while True:
        data = sock.recv(65_536)
        if not data:
            sys.exit(0)
        for frame in frames.feed(data):
            return WorkerSpec.from_json(bytes(frame.payload))


def _load(spec: WorkerSpec) -> tuple[Runner, Codec]:
    key = f"endpoints.{spec.endpoint}"
    claim(spec.device, spec.gpu_memory_fraction)
    request = resolve(spec.request, f"{key}.request")
    response = resolve(spec.response, f"{key}.response")
    tables = {"batching": spec.batching, "streaming": spec.max_streams > 0}
    handler = resolve_handler(spec.handler, key, request, response, **tables)
    runner = Runner(handler, repeatable=spec.repeatable)
    return runner, Codec(request, response)


def _report_failure(sock: socket.socket, error: BaseException, *, final: bool) -> None:
    _tell(sock, pack_json(Kind.FAILED, json.dumps({"error": describe(error), "final": final}).encode()))
    with contextlib.suppress(OSError):
        while sock.recv(65_536):  # the supervisor ends this process; until then the line must stay open
            pass


def _tell(sock: socket.socket, frame: bytes) -> None:
    try:
        sock.sendall(frame)
    except OSError:  # the service has ended while this worker loaded: nobody is left to be told
        sys.exit(1)


def _die(failure: threading.ExceptHookArgs) -> None:
    """A worker that cannot read or write any more must not look alive: its end is seen and mended."""
    traceback.print_exception(failure.exc_type, failure.exc_value, failure.exc_traceback)
    os._exit(1)


if __name__ == "__main__":
    main()
