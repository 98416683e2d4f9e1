"""The shared runtime of services that litgen generates: workers, batching, health, timeouts, shutdown.

An owner's model code needs only what is listed in ``__all__``; everything else may change in any release.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from litgen_runtime._version import __version__
from litgen_runtime.endpoint import BatchEndpoint, Endpoint, StreamEndpoint
from litgen_runtime.errors import HTTPError
from litgen_runtime.upload import Upload

if TYPE_CHECKING:
    from litgen_runtime.client.client import Client
    from litgen_runtime.service import Service
    from litgen_runtime.webhooks.signing import WebhookRejected, verify_webhook

__all__ = [
    "BatchEndpoint",
    "Client",
    "Endpoint",
    "HTTPError",
    "Service",
    "StreamEndpoint",
    "Upload",
    "WebhookRejected",
    "__version__",
    "verify_webhook",
]

_ON_DEMAND = {
    "Client": "litgen_runtime.client.client",
    "Service": "litgen_runtime.service",
    "WebhookRejected": "litgen_runtime.webhooks.signing",
    "verify_webhook": "litgen_runtime.webhooks.signing",
}


def __getattr__(name: str) -> object:
    """Import some things only when asked for: workers import this package and must stay light."""
    if name in _ON_DEMAND:
        return getattr(import_module(_ON_DEMAND[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
