"""The network alone in a loop."""

import sys

from tests.benchmarks.apps.alone import loop
from tests.benchmarks.apps.mlp.model import Mlp
from tests.benchmarks.works import FEATURES

if __name__ == "__main__":
    loop(Mlp().run, FEATURES, int(sys.argv[1]), float(sys.argv[2]))
