"""Which workers a service has: endpoint × device × per_device."""

from __future__ import annotations

import itertools
from dataclasses import replace
from math import inf
from pathlib import Path

from litgen_runtime.devices import resolve_devices
from litgen_runtime.errors import SettingsError
from litgen_runtime.settings import EndpointSettings, Settings
from litgen_runtime.worker.spec import WorkerSpec

_PROC_STAT = Path("/proc/self/stat")


def plan_workers(settings: Settings, cuda_count: int, cores: int = 1) -> list[WorkerSpec]:
    """Return every worker that the choices ask for.

    Args:
        settings: the service's choices.
        cuda_count: how many CUDA devices are visible.
        cores: how many cores the service may use.

    Raises:
        SettingsError: an endpoint asks for what is not there: a device, more ready workers than it has, a memory
            bound on a system that does not tell.
    """
    ids = itertools.count()
    workers = []
    for name, endpoint in settings.endpoints.items():
        devices = resolve_devices(endpoint.workers.devices, f"endpoints.{name}.workers.devices", cuda_count)
        _check(f"endpoints.{name}.workers", endpoint, len(devices) * endpoint.workers.per_device)
        for index, (device, _) in enumerate(itertools.product(devices, range(endpoint.workers.per_device))):
            workers.append(_spec(next(ids), name, endpoint, device, index))
    share = max(1, cores // max(1, sum(spec.device == "cpu" for spec in workers)))
    return [replace(spec, threads=share) if spec.device == "cpu" and spec.threads is None else spec for spec in workers]


def _check(key: str, endpoint: EndpointSettings, count: int) -> None:
    choices = endpoint.workers
    if choices.min_ready > count:
        raise SettingsError(
            f"{key}.min_ready is {choices.min_ready}; expected at most {count}, the number of workers that devices and "
            "per_device give here. Lower it, or raise per_device."
        )
    if choices.max_memory is not None and not _PROC_STAT.exists():
        raise SettingsError(
            f"{key}.max_memory is {choices.max_memory}; it is read from /proc, which this system does not have. "
            "Remove it, or use max_requests."
        )


def _spec(worker_id: int, name: str, endpoint: EndpointSettings, device: str, index: int) -> WorkerSpec:
    batching, choices = endpoint.batching, endpoint.workers
    return WorkerSpec(
        id=worker_id,
        endpoint=name,
        device=device,
        index=index,
        handler=endpoint.handler,
        request=endpoint.request,
        response=endpoint.response,
        batching=batching is not None,
        max_streams=endpoint.streaming.max_streams if endpoint.streaming else 0,
        max_size=batching.max_size if batching else 1,
        max_wait_s=batching.max_wait_s if batching else 0.0,
        max_weight=inf if batching is None or batching.max_weight is None else batching.max_weight,
        gpu_memory_fraction=choices.gpu_memory_fraction if device.startswith("cuda") else None,
        threads=None if choices.threads == "auto" else choices.threads,
        repeatable=endpoint.repeatable,
        announces=endpoint.announces,
        may_be_jobs=endpoint.sync_to_job_after_s is not None,
    )
