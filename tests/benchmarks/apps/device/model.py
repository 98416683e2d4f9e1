"""The device that every contender drives."""

import threading
import time
from collections.abc import Sequence

MAX_BATCH = 32
STEP_S = 0.010


class Device:
    """Takes 10 ms for a batch of at most 32, whatever its size, and does one batch at a time."""

    def __init__(self) -> None:
        self._free = threading.Lock()

    def run(self, batch: Sequence[float]) -> list[float]:
        """Return the squares.

        Raises:
            ValueError: the batch does not fit.
        """
        if len(batch) > MAX_BATCH:
            raise ValueError(f"a batch of {len(batch)}; expected at most {MAX_BATCH}. Lower the batch size.")
        with self._free:
            time.sleep(STEP_S)
        return [x * x for x in batch]
