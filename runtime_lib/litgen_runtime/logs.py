"""One line an event, on standard error, with the time in UTC."""

from __future__ import annotations

import logging
import sys
import time


def start(process: str) -> None:
    """Send the runtime's log lines to standard error; the owner's own logging is left alone.

    Args:
        process: what to call this process in each line, such as ``supervisor``.
    """
    logging.raiseExceptions = False  # a closed terminal must not break a drain
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter(
        f"%(asctime)s.%(msecs)03dZ %(levelname)-7s {process}: %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    for name, level in (("litgen_runtime", logging.INFO), ("uvicorn", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
