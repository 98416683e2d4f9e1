"""service.toml: every choice of a service, checked before anything starts."""

from litgen_runtime.settings.load import load
from litgen_runtime.settings.model import (
    AuthSettings,
    BatchingSettings,
    EndpointSettings,
    QueueSettings,
    ServiceSettings,
    Settings,
    ShutdownSettings,
    StreamingSettings,
    WorkerSettings,
)

__all__ = [
    "AuthSettings",
    "BatchingSettings",
    "EndpointSettings",
    "QueueSettings",
    "ServiceSettings",
    "Settings",
    "ShutdownSettings",
    "StreamingSettings",
    "WorkerSettings",
    "load",
]
