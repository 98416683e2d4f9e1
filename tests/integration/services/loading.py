"""Models whose loading is watched, held up, or goes wrong."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import ClassVar

from litgen_runtime import Endpoint
from tests.integration.services.schemas import Number

TICKETS = "LITGEN_TEST_TICKETS"


class Gated(Endpoint[Number, Number]):
    """Finishes ``setup`` once it finds a ticket, a file of its name, which it takes."""

    kind: ClassVar[str] = "a"

    def setup(self, device: str) -> None:
        """Wait for a ticket."""
        folder = Path(os.environ[TICKETS])
        while True:
            for ticket in folder.glob(f"{self.kind}-*"):
                try:
                    ticket.unlink()
                except FileNotFoundError:
                    continue
                return
            time.sleep(0.02)

    def predict(self, request: Number) -> Number:
        """Return the request."""
        return request


class GatedToo(Gated):
    """Another one."""

    kind = "b"


class Raises(Gated):
    """Cannot load."""

    def setup(self, device: str) -> None:
        """Raise."""
        raise FileNotFoundError("weights.bin is not there")


class Fickle(Gated):
    """Loads unless a file says otherwise."""

    def setup(self, device: str) -> None:
        """Raise once the file is there."""
        if (Path(os.environ[TICKETS]) / "broken").exists():
            raise MemoryError("no room on the device")


class Gradually(Gated):
    """Loads at the fourth try."""

    def setup(self, device: str) -> None:
        """Note the try."""
        folder = Path(os.environ[TICKETS])
        (folder / f"try-{os.getpid()}").touch()
        if len(list(folder.glob("try-*"))) < 4:
            raise ConnectionError("the model store does not answer")


class RaisesUnspeakable(Gated):
    """Cannot load, and cannot say why."""

    def setup(self, device: str) -> None:
        """Raise."""

        class Unspeakable(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        raise Unspeakable


class Exits(Gated):
    """Ends its process while loading."""

    def setup(self, device: str) -> None:
        """End at once, without a word."""
        os._exit(7)


class Leaves(Gated):
    """Asks politely to end its process while loading."""

    def setup(self, device: str) -> None:
        """Raise SystemExit."""
        sys.exit("no licence")


class Killed(Gated):
    """Is killed while loading, as by the kernel when memory is short."""

    def setup(self, device: str) -> None:
        """Kill this process."""
        os.kill(os.getpid(), signal.SIGKILL)


class Hangs(Gated):
    """Never finishes loading, and holds the GIL meanwhile."""

    def setup(self, device: str) -> None:
        """Sleep in native code."""
        import ctypes

        ctypes.PyDLL(None).sleep(600)


class WrongRequest(Endpoint[int, Number]):
    """Is declared with another request type than service.toml says."""

    def predict(self, request: int) -> Number:
        """Return it."""
        return Number(x=request)


class NotAnEndpoint:
    """Is just a class."""


class Untyped(Endpoint):  # type: ignore[type-arg]  # the mistake under test
    """Does not say its types."""

    def predict(self, request):  # type: ignore[no-untyped-def]  # part of the mistake
        """Return it."""
        return request


class SlowStart(Endpoint[Number, Number]):
    """Takes a while to load, and then as many seconds for each request as the number says."""

    def setup(self, device: str) -> None:
        """Load slowly."""
        time.sleep(2)

    def predict(self, request: Number) -> Number:
        """Sleep, and return the request."""
        time.sleep(request.x)
        return request
