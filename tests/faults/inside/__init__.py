"""Faults that have to happen inside a service's own processes: where to die, what the clock says, who is who."""

from __future__ import annotations

import os
from pathlib import Path

from tests.services import alive, eventually

_HERE = Path(__file__).parent
_VARIABLES = {
    "orders": "LITGEN_TEST_ORDERS",
    "clock": "LITGEN_TEST_CLOCK",
    "names": "LITGEN_TEST_NAMES",
    "imports": "LITGEN_TEST_IMPORTS",
}


def env(**places: Path) -> dict[str, str]:
    """Return what a service is started with; sitecustomize.py beside this says what each place is for."""
    path = os.pathsep.join([str(_HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"PYTHONPATH": path, **{_VARIABLES[name]: str(place) for name, place in places.items()}}


def put(place: Path, text: str) -> None:
    """Have a place say something else, all at once."""
    new = place.with_suffix(".new")
    new.write_text(text)
    new.replace(place)


class Orders:
    """Where a service's processes are to die.

    Args:
        path: the file that they read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.touch()

    def give(self, *points: str) -> None:
        """Have a process die at each of these points, one after the other."""
        put(self.path, "\n".join(points))

    def obeyed(self) -> bool:
        """Wait until all of them have died."""
        if not eventually(lambda: not self.path.read_text()):
            return False
        died = int(self.path.with_suffix(".died").read_text())
        return bool(eventually(lambda: not alive(died)))
