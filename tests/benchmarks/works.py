"""The works that contenders are given; each is a folder of `apps/`."""

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""

APPS = Path(__file__).resolve().parent / "apps"
CONNECTIONS = (1, 64, 256)
"""How many clients ask at once, each as soon as it has its answer."""

PATH = "/predict"

_RANDOM = random.Random(0)
FEATURES = [round(_RANDOM.uniform(-1, 1), 3) for _ in range(512)]
"""What mlp looks at."""

_BLOB = _RANDOM.randbytes(1 << 20)


@dataclass(frozen=True)
class Ask:
    """A request, and the one answer that is right.

    Args:
        body: what every request carries.
        answer: the JSON document that answers it; of a stream, the list of its items.
        content_type: what the body is.
    """

    body: bytes
    answer: Any
    content_type: str = "application/json"


@dataclass(frozen=True)
class Work:
    """One work.

    Args:
        name: its folder in `apps/`.
        title: what it does, in a few words.
        ask: the request, for a contender that needs no other form of it.
        streams: the answer is a stream of items.
        torch: the model needs torch.
    """

    name: str
    title: str
    ask: Ask
    streams: bool = False
    torch: bool = False

    def __hash__(self) -> int:
        return hash(self.name)


NOOP = Work("noop", "`x*x`, unbatched", Ask(b'{"x": 3.0}', {"y": 9.0}))
DEVICE = Work("device", "an accelerator that takes 10 ms for a batch of at most 32", Ask(b'{"x": 3.0}', {"y": 9.0}))
MLP = Work(
    "mlp",
    "torch, 512 → 2048 → 2048 → 512, batches of at most 32, one thread",
    Ask(json.dumps({"features": FEATURES}).encode(), {"label": 216}),
    torch=True,
)
BLOB = Work(
    "blob",
    "1 MiB of bytes in, a small JSON document out",
    Ask(_BLOB, {"length": len(_BLOB), "total": sum(_BLOB[::4096])}, "application/octet-stream"),
)
STREAM = Work(
    "stream",
    "64 tokens a request, without a pause between them",
    Ask(b'{"count": 64}', [{"token": f"token-{number}"} for number in range(64)]),
    streams=True,
)
JOBS = replace(DEVICE, name="jobs", title="device, as jobs")
WORKS = (NOOP, DEVICE, MLP, BLOB, STREAM)
