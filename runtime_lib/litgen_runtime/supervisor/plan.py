"""Which workers a service has: endpoint × device × per_device."""

from __future__ import annotations

import itertools
from math import inf

from litgen_runtime.devices import resolve_devices
from litgen_runtime.settings import Settings
from litgen_runtime.worker.spec import WorkerSpec


def plan_workers(settings: Settings, cuda_count: int) -> list[WorkerSpec]:
    """Return every worker that the choices ask for.

    Args:
        settings: the service's choices.
        cuda_count: how many CUDA devices are visible.

    Raises:
        SettingsError: an endpoint asks for a device that is not there.
    """
    ids = itertools.count()
    workers = []
    for name, endpoint in settings.endpoints.items():
        devices = resolve_devices(endpoint.workers.devices, f"endpoints.{name}.workers.devices", cuda_count)
        batching = endpoint.batching
        for index, (device, _) in enumerate(itertools.product(devices, range(endpoint.workers.per_device))):
            workers.append(
                WorkerSpec(
                    id=next(ids),
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
                    gpu_memory_fraction=None if device == "cpu" else endpoint.workers.gpu_memory_fraction,
                    repeatable=endpoint.repeatable,
                )
            )
    return workers
