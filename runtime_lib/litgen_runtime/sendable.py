"""What an owner's code may answer an error with: its status, and headers that do not frame the message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_FIELD_VALUE = re.compile(r"[\x20-\x7e\xa0-\xff\t]*")
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_FRAMING_HEADERS = {"connection", "content-length", "content-type", "transfer-encoding", "x-request-id"}


def sendable(name: object, value: object) -> bool:
    """Whether a header can be sent."""
    if not isinstance(name, str) or not isinstance(value, str) or name.lower() in _FRAMING_HEADERS:
        return False
    return bool(_TOKEN.fullmatch(name) and _FIELD_VALUE.fullmatch(value))


def expect_sendable(status: object, headers: Mapping[str, str]) -> None:
    """Make sure that an error can be answered.

    Raises:
        ValueError: a status or a header that cannot be sent.
    """
    if not isinstance(status, int) or not 400 <= status <= 599:
        raise ValueError(f"HTTPError status is {status!r}; expected a whole number from 400 to 599")
    for name, value in headers.items():
        if not sendable(name, value):
            raise ValueError(
                f"HTTPError header {name!r}: {value!r} cannot be sent; expected a header name, not one of "
                f"{', '.join(sorted(_FRAMING_HEADERS))}, and a latin-1 value on one line"
            )


def phrase_of(status: int) -> str:
    """Return the words that stand beside a status."""
    return _PHRASES.get(status, "Error")
