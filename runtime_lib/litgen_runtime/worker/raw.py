"""Bodies of any media type, as ``bytes`` or as an ``Upload``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from litgen_runtime.errors import InternalError
from litgen_runtime.transport.bodies import unpack_body
from litgen_runtime.upload import File, InMemory, OnDisk, Upload

_DEFAULT_TYPE = "application/octet-stream"


def raw_reader(request: Any) -> Callable[[bytes | memoryview], Any] | None:
    """Return what turns a body into a request of this type; None for a type that is sent as JSON."""
    if request is Upload:
        from litgen_runtime.worker import forms  # its parser is needed here alone

        return lambda body: _read_upload(body, forms)
    return _read_bytes if request is bytes else None


def _read_bytes(body: bytes | memoryview) -> bytes:
    sent = unpack_body(body)
    if sent.path is None:
        return sent.data
    try:
        return Path(sent.path).read_bytes()
    except FileNotFoundError:
        raise _gone() from None


def _read_upload(body: bytes | memoryview, forms: Any) -> Upload:
    sent = unpack_body(body)
    try:
        content = InMemory(sent.data) if sent.path is None else OnDisk(sent.path)
    except FileNotFoundError:
        raise _gone() from None
    if forms.is_form(sent.content_type):
        upload: Upload = forms.read_form(sent.content_type, content, sent.size)
        return upload
    return Upload([File("file", None, sent.content_type or _DEFAULT_TYPE, content, 0, sent.size)])


def _gone() -> InternalError:
    """The file is deleted with its request: as a rule nobody waits for this answer, and it is not logged."""
    return InternalError("The body of this request was deleted from the service's disk before it could be read.")
