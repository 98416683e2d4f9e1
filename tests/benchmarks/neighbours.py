"""What a saturated endpoint does to another one of the same service; of litgen only."""

import dataclasses
import threading
from dataclasses import dataclass

from tests.benchmarks import load, servers
from tests.benchmarks.contenders import LITGEN
from tests.benchmarks.environments import Environment
from tests.benchmarks.works import NOOP

FAST_CONNECTIONS = 4
SLOW_CONNECTIONS = 64
_NEIGHBOURS = dataclasses.replace(NOOP, name="neighbours", title="a fast endpoint beside a saturated slow one")
_SLOW_PATH = "/slow"


@dataclass(frozen=True)
class Reading:
    """The fast endpoint, without and with a busy neighbour."""

    before: load.Reading
    beside: load.Reading


def measure(environment: Environment, seconds: int) -> Reading:
    """Load the fast endpoint, first by itself, then while every place of the slow one is taken.

    Raises:
        BenchmarkError: If the service does not answer, or answers wrongly.
    """
    with servers.running(LITGEN, environment, _NEIGHBOURS) as server:
        load.press(server.port, NOOP.ask, FAST_CONNECTIONS, load.WARM_UP_S)
        before = load.press(server.port, NOOP.ask, FAST_CONNECTIONS, seconds)
        lasting = (server.port, NOOP.ask, SLOW_CONNECTIONS, seconds + 2 * load.WARM_UP_S, _SLOW_PATH)
        busy = threading.Thread(target=load.press, args=lasting)
        busy.start()
        try:
            load.press(server.port, NOOP.ask, FAST_CONNECTIONS, load.WARM_UP_S)
            beside = load.press(server.port, NOOP.ask, FAST_CONNECTIONS, seconds)
        finally:
            busy.join()
        return Reading(before, beside)
