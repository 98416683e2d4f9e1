from __future__ import annotations

from pathlib import Path

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


@pytest.mark.parametrize(
    ("cores", "per_device", "threads", "expected"),
    [(8, 2, "auto", 4), (8, 3, "auto", 2), (2, 4, "auto", 1), (8, 2, 6, 6)],
)
def test_threads(cores: int, per_device: int, threads: object, expected: int) -> None:
    """The cores are shared by all CPU workers of the service, unless a number is asked for."""
    plan = plan_workers(choices(workers={"per_device": per_device, "threads": threads}), 0, cores)
    assert {spec.threads for spec in plan} == {expected}


def test_cores_are_shared_by_all_endpoints() -> None:
    """Workers of other endpoints count; workers on a GPU take no share."""
    raw = tables(workers={"devices": "cuda"})
    other = raw["endpoints"]["embed"] | {"workers": {"devices": "cpu", "per_device": 2}}
    raw["endpoints"] |= {"b": other | {"path": "/b"}, "c": other | {"path": "/c"}}
    plan = plan_workers(validate(raw, "x"), 1, 16)
    assert [spec.threads for spec in plan] == [None, 4, 4, 4, 4]


@pytest.mark.parametrize(("min_ready", "cuda", "fits"), [(2, 0, True), (3, 0, False), (4, 2, True), (5, 2, False)])
def test_min_ready(min_ready: int, cuda: int, fits: bool) -> None:
    """No more ready workers can be asked for than devices and per_device give."""
    settings = choices(workers={"per_device": 2, "min_ready": min_ready})
    if fits:
        plan_workers(settings, cuda)
    else:
        with pytest.raises(SettingsError, match=rf"min_ready is {min_ready}; expected at most {2 * max(cuda, 1)}, the"):
            plan_workers(settings, cuda)


def test_memory_without_proc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where memory cannot be read, max_memory is refused with a way out."""
    monkeypatch.setattr("litgen_runtime.supervisor.plan._PROC_STAT", tmp_path / "nothing")
    with pytest.raises(SettingsError, match=r"max_memory is 2000000000; it is read from /proc, .* use max_requests"):
        plan_workers(choices(workers={"max_memory": "2GB"}), 0)


def test_absent_device() -> None:
    """A device that is not there is told with its endpoint's key."""
    with pytest.raises(SettingsError, match=r"^endpoints.embed.workers.devices is "):
        plan_workers(choices(workers={"devices": "cuda:3"}), 1)
