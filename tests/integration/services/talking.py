"""Models that say how far they are."""

import logging
import time

from litgen_runtime import BatchEndpoint, Endpoint
from tests.integration.services.schemas import Echo, Number

log = logging.getLogger("reader")


class Pages(Endpoint[Number, Number]):
    """Reads x pages, a tenth of a second for each, and says so."""

    def predict(self, request: Number) -> Number:
        """Read."""
        pages = int(request.x)
        for page in range(pages):
            log.info("reading page %d", page + 1)
            time.sleep(0.1)
            self.progress((page + 1) / pages, f"page {page + 1} of {pages}")
        return request


class Flood(Endpoint[Number, Number]):
    """Says very much within x seconds."""

    def predict(self, request: Number) -> Number:
        """Speak."""
        until, number = time.monotonic() + request.x, 0
        while time.monotonic() < until:
            number += 1
            self.progress(0.5, f"{number} \ud800" + "x" * 5000)
            log.warning("flood %d %s", number, "y" * 5000)
        self.progress(1.0, "all said")
        return request


class Each(BatchEndpoint[Echo, Echo]):
    """Says of each text what it is; fails for all where one is 'bad'."""

    def predict(self, batch: list[Echo]) -> list[Echo]:
        """Speak."""
        log.info("a batch of %d", len(batch))
        self.progress(0.25)
        for index, echo in enumerate(batch):
            self.progress(0.5, echo.text, index=index)
        time.sleep(0.3)
        if any(echo.text == "bad" for echo in batch):
            raise ValueError("a bad one")
        return batch
