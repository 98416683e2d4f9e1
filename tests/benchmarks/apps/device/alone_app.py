"""The device alone in a loop."""

import sys

from tests.benchmarks.apps.alone import loop
from tests.benchmarks.apps.device.model import Device

if __name__ == "__main__":
    loop(Device().run, 3.0, int(sys.argv[1]), float(sys.argv[2]))
