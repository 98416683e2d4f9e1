"""The shared runtime of services that litgen generates: workers, batching, health, timeouts, shutdown.

An owner's model code needs only what is listed in ``__all__``; everything else may change in any release.
"""

from typing import TYPE_CHECKING

from litgen_runtime._version import __version__
from litgen_runtime.endpoint import BatchEndpoint, Endpoint, StreamEndpoint
from litgen_runtime.errors import HTTPError
from litgen_runtime.upload import Upload

if TYPE_CHECKING:
    from litgen_runtime.service import Service

__all__ = ["BatchEndpoint", "Endpoint", "HTTPError", "Service", "StreamEndpoint", "Upload", "__version__"]


def __getattr__(name: str) -> object:
    """Import ``Service`` only when asked for: workers import this package and must stay light."""
    if name == "Service":
        from litgen_runtime.service import Service

        return Service
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
