"""Endpoints that take and give bytes."""

import hashlib
import os
import signal
import time
from pathlib import Path

from litgen_runtime import BatchEndpoint, Endpoint, Upload
from tests.integration.services.loading import Gated
from tests.integration.services.schemas import Number, Received, ReceivedFile

_RESULTS = {b"bytearray": bytearray(b"\xff"), b"memoryview": memoryview(b"\xff"), b"text": "no", b"none": None}


class Same(Endpoint[bytes, bytes]):
    """Gives back what it gets."""

    def predict(self, request: bytes) -> bytes:
        """Return the request, or what it names."""
        return _RESULTS.get(request, request)  # type: ignore[return-value]  # what an owner may get wrong


class Reversed(BatchEndpoint[bytes, bytes]):
    """Gives back what it gets, the wrong way round."""

    def predict(self, batch: list[bytes]) -> list[bytes]:
        """Return the requests."""
        return [request[::-1] for request in batch]


class Draw(Endpoint[Number, bytes]):
    """Gives something that is no JSON."""

    def predict(self, request: Number) -> bytes:
        """Return as many bytes as the number says."""
        return b"\x89" * int(request.x)


class Receive(Endpoint[Upload, Received]):
    """Says what it has got, and does what a field tells it."""

    def predict(self, request: Upload) -> Received:
        """Read everything."""
        _obey(request)
        files = [
            ReceivedFile(
                field=file.name,
                filename=file.filename,
                content_type=file.content_type,
                size=file.size,
                sha256=hashlib.sha256(file.read()).hexdigest(),
            )
            for files in request.files.values()
            for file in files
        ]
        return Received(files=files, fields=request.fields, pid=os.getpid())


class ReceiveLate(Receive):
    """Loads when it may."""

    kind = "a"
    setup = Gated.setup


def _obey(request: Upload) -> None:
    if folder := request.field("note_in", ""):
        (Path(folder) / str(time.time_ns())).touch()
    time.sleep(float(request.field("sleep", "0")))
    if mark := request.field("die_unless", ""):
        alive = Path(mark).exists()
        Path(mark).touch()
        if not alive:
            os.kill(os.getpid(), signal.SIGKILL)
    if request.field("die", ""):
        os.kill(os.getpid(), signal.SIGKILL)
    if request.field("need_file", ""):
        _ = request.file
