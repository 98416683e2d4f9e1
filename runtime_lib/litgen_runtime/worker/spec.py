"""What a worker is told to be: the first frame on its line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class WorkerSpec:
    """One worker of one endpoint. ``threads`` is None where the device, not cores, does the work."""

    id: int
    endpoint: str
    device: str
    index: int
    handler: str
    request: str
    response: str
    batching: bool
    max_streams: int  # 0: no StreamEndpoint
    max_size: int
    max_wait_s: float
    max_weight: float
    gpu_memory_fraction: float | None
    threads: int | None
    repeatable: bool
    announces: bool  # each run, as it begins
    may_be_jobs: bool = False  # clients' calls too, so that what they say is told

    @property
    def label(self) -> str:
        """How logs and /health call it."""
        return f"{self.endpoint}[{self.index}] on {self.device}"

    def to_json(self) -> bytes:
        """Return the document that ``from_json`` reads."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> WorkerSpec:
        """Read what ``to_json`` wrote."""
        return cls(**json.loads(text))
