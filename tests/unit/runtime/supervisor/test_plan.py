from __future__ import annotations

import pytest

from litgen_runtime.errors import SettingsError
from litgen_runtime.settings.load import validate
from litgen_runtime.supervisor.plan import plan_workers
from tests.unit.runtime.mini import choices, tables


def test_every_combination() -> None:
    """There is a worker for each endpoint, device and place, each with an id of its own."""
    raw = tables(workers={"devices": "cuda:0,2", "per_device": 2})
    raw["endpoints"]["other"] = tables()["endpoints"]["embed"] | {"path": "/other", "workers": {"devices": "cpu"}}
    plan = plan_workers(validate(raw, "x"), 3)
    assert [(spec.endpoint, spec.device, spec.index) for spec in plan] == [
        ("embed", "cuda:0", 0),
        ("embed", "cuda:0", 1),
        ("embed", "cuda:2", 2),
        ("embed", "cuda:2", 3),
        ("other", "cpu", 0),
    ]
    assert [spec.id for spec in plan] == [0, 1, 2, 3, 4]


def test_choices_reach_the_worker() -> None:
    """What a worker needs to know of the choices is in its spec."""
    (spec,) = plan_workers(
        choices(batching={"max_size": 8, "max_wait_s": 0.005}, workers={"gpu_memory_fraction": 0.5}), 1
    )
    assert (spec.batching, spec.max_size, spec.max_wait_s, spec.gpu_memory_fraction) == (True, 8, 0.005, 0.5)


def test_without_batching() -> None:
    """Without batching every batch holds one request and waits for nothing."""
    (spec,) = plan_workers(choices(), 0)
    assert (spec.batching, spec.max_size, spec.max_wait_s) == (False, 1, 0.0)


def test_no_share_of_a_gpu_on_the_cpu() -> None:
    """Where "auto" finds no GPU, a share of its memory means nothing."""
    (spec,) = plan_workers(choices(workers={"gpu_memory_fraction": 0.5}), 0)
    assert (spec.device, spec.gpu_memory_fraction) == ("cpu", None)


def test_absent_device() -> None:
    """A device that is not there is told with its endpoint's key."""
    with pytest.raises(SettingsError, match=r"^endpoints.embed.workers.devices is "):
        plan_workers(choices(workers={"devices": "cuda:3"}), 1)
