"""Reading a request's body within its limit."""

from __future__ import annotations

from litgen_runtime.errors import PayloadTooLarge
from litgen_runtime.http.messages import Receive


class ClientGone(Exception):
    """The client left before its request was complete; there is nobody to answer."""


async def read_body(receive: Receive, declared: bytes | None, limit: int) -> bytes:
    """Return the whole body.

    Args:
        receive: the ASGI channel.
        declared: the Content-Length header, if there is one.
        limit: the most bytes that are taken.

    Raises:
        PayloadTooLarge: by its declared length before reading, or by what arrived.
        ClientGone: the client left.
    """
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if len(body) > limit:
        raise _too_large(limit)
    if not message.get("more_body"):
        return body
    chunks, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise _too_large(limit)
    return b"".join(chunks)


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"The body is larger than this service's max_json_bytes of {limit} bytes. Send less, or ask its owner.",
        {"Connection": "close"},
    )
