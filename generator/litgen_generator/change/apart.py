"""Work that is done to its end, whatever becomes of the command that began it."""

import contextlib
import os
from collections.abc import Callable


def in_a_process_of_its_own(work: Callable[[], None]) -> str:
    """Run something that is not to end with this process, and wait for it; what went wrong, or nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = b"it was killed"
        try:
            os.setsid()
            work()
            said = b""
        except OSError as error:
            place = error.filename2 or error.filename
            said = os.fsencode(f"{place}: {error.strerror}" if place else str(error))
        finally:
            with contextlib.suppress(OSError):
                os.write(writing, said + b"\n")
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123 - a descriptor
        said = pipe.read()
    os.waitpid(child, 0)
    return os.fsdecode(said).strip() if said else "it was killed"


def tell(sentence: str) -> None:
    """Say something from such a process, if there is still anybody to hear it."""
    with contextlib.suppress(OSError):
        os.write(2, os.fsencode(f"litgen: {sentence}\n"))
