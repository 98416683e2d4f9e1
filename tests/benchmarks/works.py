"""The works that servers are given; each is a folder of `apps/`."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""

APPS = Path(__file__).resolve().parent / "apps"
CONNECTIONS = (1, 64, 256)
"""How many clients ask at once, each as soon as it has its answer."""

PATH = "/predict"


@dataclass(frozen=True)
class Work:
    """One work.

    Args:
        name: its folder in `apps/`.
        title: what it does, in a few words.
        body: the JSON that every request carries.
        answer: the JSON that answers it.
    """

    name: str
    title: str
    body: str
    answer: str


NOOP = Work("noop", "`x*x`, unbatched", '{"x": 3.0}', '{"y": 9.0}')
WORKS = (NOOP,)
