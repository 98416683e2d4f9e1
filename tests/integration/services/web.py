"""``configure`` hooks, and what they add."""

import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request, Response

from litgen_runtime.http.auth import principal


def extended(app: FastAPI) -> None:
    """Add routes and a middleware."""

    @app.middleware("http")
    async def stamp(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers["X-Stamp"] = "owner"
        return response

    @app.get("/modules")
    def modules() -> list[str]:
        return sorted(sys.modules)

    @app.get("/typed/{number}")
    def typed(number: int) -> int:
        return number

    @app.get("/teapot")
    def teapot() -> None:
        raise HTTPException(418, "short and stout", {"X-Pot": "tea"})

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("a secret word")


def asking(app: FastAPI) -> None:
    """Add routes that ask who asks, one of them in an app of its own."""
    inner = FastAPI()

    @app.get("/who")
    @inner.get("/who")
    async def who(name: Annotated[str | None, Depends(principal)]) -> str | None:
        return name

    @app.get("/environment")
    def environment() -> list[str]:
        return list(os.environ)

    app.mount("/inner", inner)


def guarded(app: FastAPI) -> None:
    """Let nobody in without a key."""

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        if request.headers.get("authorization") != "Bearer let-me-in":
            return Response("who are you?", 401)
        return await call_next(request)


def raises(app: FastAPI) -> None:
    """Fail."""
    raise LookupError("the configure hook is broken")


def exits(app: FastAPI) -> None:
    """Leave."""
    sys.exit("the configure hook leaves")


def dies_soon(app: FastAPI) -> None:
    """Let the HTTP process die again and again, soon after it listens."""

    def die() -> None:
        time.sleep(0.2)
        os._exit(9)

    threading.Thread(target=die, daemon=True).start()
