"""For an owner's own routes: who asks.

::

    from litgen_runtime.http.auth import principal

    def configure(app: FastAPI) -> None:
        @app.get("/mine")
        async def mine(who: Annotated[str | None, Depends(principal)]) -> ...

Apart from the gate because this needs FastAPI, which the HTTP process imports late.
"""

from typing import Annotated, Any

from fastapi import Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer

from litgen_runtime.http.gate import SCOPE_KEY, Gate

__all__ = ["principal"]

# They only say in the OpenAPI document what the gate does.
_BEARER = HTTPBearer(scheme_name="bearer", auto_error=False)
_HEADER = APIKeyHeader(scheme_name="apiKey", name="X-API-Key", auto_error=False)


async def principal(
    request: Request,
    _bearer: Annotated[Any, Security(_BEARER)],
    _header: Annotated[Any, Security(_HEADER)],
) -> str | None:
    """Return the name of the key that a request came with, for ``Depends``; None where auth is off.

    Raises:
        Unauthorized: it has none that is valid; the client is answered 401.
        RuntimeError: the app does not run in a service, so that nobody knows the keys.
    """
    if SCOPE_KEY not in request.scope:
        raise RuntimeError("who asks is known in a running service only. Test the route with litgen_runtime.testing.")
    gate: Gate | None = request.scope[SCOPE_KEY]
    return None if gate is None else gate.admit(request.scope["headers"])
