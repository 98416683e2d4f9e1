from __future__ import annotations

from litgen_runtime.supervisor.plan import plan_workers
from litgen_runtime.worker.spec import WorkerSpec
from tests.unit.runtime.mini import choices


def test_round_trip() -> None:
    """A worker reads exactly what the supervisor planned."""
    (spec,) = plan_workers(choices(batching={"max_size": 8, "max_wait_s": 0.005}), 0)
    assert WorkerSpec.from_json(spec.to_json()) == spec


def test_label() -> None:
    """Logs name the endpoint, which of its workers, and the device."""
    spec = plan_workers(choices(workers={"per_device": 2}), 1)[1]
    assert spec.label == "embed[1] on cuda:0"
