"""Between bytes and the owner's types. Whatever happens here, the answer is what was promised or a clean failure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from litgen_runtime.errors import InvalidResult, PredictFailed, RequestError
from litgen_runtime.tracebacks import describe, words_of
from litgen_runtime.transport.frames import DROPPED, Result
from litgen_runtime.validation import refusal
from litgen_runtime.worker.raw import raw_reader
from litgen_runtime.worker.running import Stopped


class Codec:
    """Decodes requests and encodes answers of one endpoint.

    Args:
        request: the endpoint's request type.
        response: its response type.
    """

    def __init__(self, request: Any, response: Any) -> None:
        self._read = raw_reader(request)
        self._request = TypeAdapter[Any](Any if self._read else request).validator  # an adapter asks it the long way
        self._response: TypeAdapter[Any] = TypeAdapter(response)
        self._serializer = self._response.serializer
        self._response_type = response
        self._written: Callable[[Any], bytes] = _raw if response is bytes else self._json

    def decode(self, body: bytes | memoryview) -> Any:
        """Return the request of a body.

        Raises:
            RequestError: the body is not JSON, or not the request type.
        """
        if self._read is not None:
            return self._read(body)
        try:
            return self._request.validate_json(bytes(body))
        except ValidationError as error:
            raise refusal(error) from None

    def encode(self, key: int, run_s: float, outcome: Any) -> Result:
        """Return the answer for what ``predict`` returned or raised."""
        try:
            if isinstance(outcome, BaseException):
                return failure(key, run_s, outcome)
            return Result(key, 200, run_s, self._written(outcome))
        except Exception as error:  # noqa: BLE001 - the owner's types may raise anything
            log = f"predict returned {type(outcome).__name__}: {words_of(error)}"
            return failure(key, run_s, InvalidResult("The model's result is not a valid response.", log=log))

    def encode_item(self, item: Any) -> bytes:
        """Return one item of a stream as JSON.

        Raises:
            InvalidResult: it is not the response type, or not JSON.
        """
        try:
            return self._json(item)
        except Exception as error:  # noqa: BLE001 - the owner's types may raise anything
            log = f"predict yielded {type(item).__name__}: {words_of(error)}"
            raise InvalidResult("The model's result is not a valid response.", log=log) from None

    def _json(self, outcome: Any) -> bytes:
        if not (isinstance(self._response_type, type) and type(outcome) is self._response_type):
            outcome = self._response.validate_python(_plain(outcome), from_attributes=True)
        text: bytes = self._serializer.to_json(outcome, warnings="error", fallback=_plain)
        if b"null" in text or b"NaN" in text or b"Infinity" in text:  # pydantic writes a NaN as null
            for number in _floats(self._response.dump_python(outcome, fallback=_plain)):
                if not math.isfinite(number):
                    raise ValueError(f"it holds {number}, which JSON cannot say")
        return text


def _raw(outcome: Any) -> bytes:
    if not isinstance(outcome, (bytes, bytearray, memoryview)):
        raise TypeError("expected bytes, bytearray or memoryview")
    return bytes(outcome)


def failure(key: int, run_s: float, error: BaseException) -> Result:
    """Return the answer for an error. What an owner's exception says goes to the log, never to the client."""
    if isinstance(error, Stopped):
        return Result(key, DROPPED, run_s, b"")
    if not isinstance(error, RequestError) or not 400 <= error.status <= 599:
        detail = "predict raised an error; the service's log has it under the id of the request or job."
        error = PredictFailed(detail, log=describe(error))
    return Result(key, error.status, run_s, error.to_json())


def _plain(value: Any) -> Any:
    """Turn a NumPy or torch value into Python numbers; anything else is refused by the serializer."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return value


def _floats(value: Any) -> Iterable[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _floats(key)
            yield from _floats(inner)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for inner in value:
            yield from _floats(inner)
