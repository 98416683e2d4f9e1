from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, field_validator, model_serializer

from litgen_runtime import Upload
from litgen_runtime.errors import HTTPError, InternalError, InvalidForm, InvalidInput, InvalidJSON
from litgen_runtime.transport.bodies import inline_body, spooled_body
from litgen_runtime.transport.frames import Result
from litgen_runtime.worker.codec import Codec, failure
from tests.unit.runtime.test_errors import ANY_TEXT, strict

GARBAGE: Any = {"y": "garbage", "v": ["x"], "a": 0}


class Out(BaseModel):
    y: float
    v: list[float] = []
    s: str = ""
    a: Any = None


class Nested(BaseModel):
    inner: Out
    maybe: Out | None = None


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


class Unpicklable(Exception):
    def __init__(self) -> None:
        super().__init__("holds a lock")
        self.lock = threading.Lock()


class RaisingValidator(BaseModel):
    x: int

    @field_validator("x")
    @classmethod
    def refuse(cls, value: int) -> int:
        raise Mute


class RaisingSerializer(BaseModel):
    x: int

    @model_serializer
    def refuse(self) -> int:
        raise SystemExit(1)


class Surprise:
    @property
    def tolist(self) -> None:
        raise Mute


class Unprintable:
    def __repr__(self) -> str:
        raise Mute


def encoded(outcome: Any, response: Any = Out) -> Result:
    """Return the answer for an outcome."""
    result = Codec(Out, response).encode(7, 0.25, outcome)
    assert (result.id, result.run_s) == (7, 0.25)
    return result


def value(outcome: Any, response: Any = Out) -> Any:
    """Return what a good answer says."""
    result = encoded(outcome, response)
    assert result.status == 200, result.body
    return strict(result.body)


def refused(outcome: Any, response: Any = Out) -> dict[str, Any]:
    """Return the failure of a bad one."""
    result = encoded(outcome, response)
    assert result.status == 500, result.body
    problem: dict[str, Any] = json.loads(result.body)
    assert problem["code"] == "invalid-result"
    assert problem["detail"] == "The model's result is not a valid response.", "the client learns nothing more"
    return problem


def cyclic() -> dict[str, Any]:
    """Return a result that holds itself."""
    result: dict[str, Any] = {"y": 1.0}
    result["a"] = result
    return result


def test_decode() -> None:
    """A body becomes the request model."""
    assert Codec(Out, Out).decode(b'{"y": 1, "v": [2]}') == Out(y=1.0, v=[2.0])


@pytest.mark.parametrize(("body", "kind"), [(b"{", InvalidJSON), (b"\xff", InvalidJSON), (b"{}", InvalidInput)])
def test_decode_refuses(body: bytes, kind: type[Exception]) -> None:
    """A bad body is the client's error, by the same words as at the door."""
    with pytest.raises(kind):
        Codec(Out, Out).decode(body)


@pytest.mark.parametrize(
    ("response", "outcome", "expected"),
    [
        (Out, Out(y=1, v=[2]), {"y": 1.0, "v": [2.0], "s": "", "a": None}),
        (Out, {"y": 1}, {"y": 1.0, "v": [], "s": "", "a": None}),
        (Nested, {"inner": {"y": 1}}, {"inner": {"y": 1.0, "v": [], "s": "", "a": None}, "maybe": None}),
        (dict[str, float], {"a": 1.5}, {"a": 1.5}),
        (list[Out], [Out(y=1)], [{"y": 1.0, "v": [], "s": "", "a": None}]),
        (Optional[Out], None, None),  # noqa: UP045 - another spelling of the same
        (Out | None, None, None),
        (list[float], (1, 2), [1.0, 2.0]),
        (dict, {"a": [1]}, {"a": [1]}),
        (str, "h\u00e9", "h\u00e9"),
        (bool, np.bool_(True), True),
    ],
)
def test_result_types(response: Any, outcome: Any, expected: Any) -> None:
    """Models, dicts, lists, optionals and plain types are answered as JSON."""
    assert value(outcome, response) == expected


@pytest.mark.parametrize(
    ("outcome", "key", "expected"),
    [
        ({"y": np.float32(1.5)}, "y", 1.5),
        ({"y": np.float64(1.5)}, "y", 1.5),
        ({"y": np.int64(2)}, "y", 2.0),
        ({"y": 1, "v": np.arange(3)}, "v", [0.0, 1.0, 2.0]),
        ({"y": 1, "v": np.arange(2, dtype=np.float16)}, "v", [0.0, 1.0]),
        (Out(y=1, a=np.arange(4).reshape(2, 2)), "a", [[0, 1], [2, 3]]),
        (Out(y=1, a={"deep": [np.float32(0.5)]}), "a", {"deep": [0.5]}),
        ({"y": 1, "a": np.str_("x")}, "a", "x"),
    ],
)
def test_numpy(outcome: Any, key: str, expected: Any) -> None:
    """NumPy scalars and arrays are plain numbers and lists in the answer, wherever they stand."""
    assert value(outcome)[key] == expected


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("response", "place"),
    [
        (Out, lambda x: Out(y=x)),
        (Out, lambda x: {"y": x}),
        (Out, lambda x: Out(y=1, v=[0.0, x])),
        (Out, lambda x: {"y": np.float32(x)}),
        (Out, lambda x: {"y": 1, "v": np.array([x])}),
        (Out, lambda x: Out(y=1, a=x)),
        (Out, lambda x: Out(y=1, a=np.float32(x))),
        (Out, lambda x: Out(y=1, a=np.array([[x]]))),
        (Out, lambda x: Out(y=1, a={"deep": [(x,)]})),
        (Out, lambda x: Out(y=1, a={1, x})),
        (Nested, lambda x: Nested(inner=Out(y=x))),
        (list[float], lambda x: [x]),
        (dict, lambda x: {"a": np.array([x])}),
        (float, lambda x: x),
    ],
)
def test_numbers_that_json_cannot_say(response: Any, place: Callable[[float], Any], number: float) -> None:
    """NaN and infinity are a clean failure whose log says why, not a silent null."""
    assert f"it holds {number}, which JSON cannot say" in refused(place(number), response)["log"]


@pytest.mark.parametrize(
    ("outcome", "response"),
    [
        (Out.model_construct(y=1.0, s="\ud800"), Out),
        (Out(y=1, a="\ud800"), Out),
        (Out(y=1, a={"\ud800": 1}), Out),
        ({"y": 1, "s": "\ud800"}, Out),
        (Out(y=1, a=b"\xff"), Out),
        ("text", bytes),
        (None, bytes),
        ([1, 2], bytes),
        (np.arange(3), bytes),
        (3, bytes),
        (Out.model_construct(**GARBAGE), Out),
        (Nested.model_construct(inner=GARBAGE), Nested),
        ("text", Out),
        (None, Out),
        ([], Out),
        ({}, Out),
        ({"y": "much"}, Out),
        (object(), Out),
        (Out, Out),
        (Nested(inner=Out(y=1)), Out),
        (Out(y=1, a=object()), Out),
        (Out(y=1, a=Unprintable()), Out),
        ({"y": Unprintable()}, Out),
        (cyclic(), Out),
        ({"x": 1}, RaisingValidator),
        (RaisingSerializer(x=1), RaisingSerializer),
        (Surprise(), Out),
    ],
    ids=lambda case: getattr(case, "__name__", type(case).__name__),
)
def test_what_is_not_the_response(outcome: Any, response: Any) -> None:
    """Whatever else ``predict`` returns is a clean failure, and the log says what came."""
    assert f"predict returned {type(outcome).__name__}: " in refused(outcome, response)["log"]


@pytest.mark.parametrize("outcome", [b"\xff\x00", bytearray(b"\xff\x00"), memoryview(b"\xff.\x00.")[::2]])
def test_raw_response(outcome: Any) -> None:
    """A response of bytes is sent as it is."""
    assert encoded(outcome, bytes)[1:] == (200, 0.25, b"\xff\x00")


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("request_type", [bytes, Upload])
def test_raw_request(request_type: Any, on_disk: bool, tmp_path: Path) -> None:
    """A body of any type becomes bytes or an upload, wherever it stands; then the file may go."""
    path = tmp_path / "body"
    path.write_bytes(b"\xff\x00")
    body = inline_body(b"image/png", b"\xff\x00")
    if on_disk:
        body = spooled_body(b"image/png", str(path), 2, b"", lambda: None)
    request = Codec(request_type, Out).decode(body)
    path.unlink()
    if request_type is bytes:
        assert request == b"\xff\x00"
    else:
        assert (request.file.read(), request.file.content_type, request.file.filename) == (
            b"\xff\x00",
            "image/png",
            None,
        )


@pytest.mark.parametrize("request_type", [bytes, Upload])
def test_a_body_that_is_gone(request_type: Any) -> None:
    """A body whose request was given up has been deleted: nobody reads the answer, and no log is filled with it."""
    body = spooled_body(b"", "/nowhere/at/all", 2, b"", lambda: None)
    with pytest.raises(InternalError) as refused:
        Codec(request_type, Out).decode(body)
    assert refused.value.log is None


def test_a_form() -> None:
    """A form is read into an upload, and a broken one is the client's error."""
    form = b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--B--'
    codec = Codec(Upload, Out)
    assert codec.decode(inline_body(b"multipart/form-data; boundary=B", form)).fields == {"a": ["1"]}
    with pytest.raises(InvalidForm):
        codec.decode(inline_body(b"multipart/form-data; boundary=C", form))
    assert codec.decode(inline_body(b"multipart/mixed; boundary=C", form)).file.size == len(form)
    assert codec.decode(inline_body(b"", b"")).file.content_type == "application/octet-stream"


@pytest.mark.parametrize("fields", [{"y": None}, {}, {"y": 1.0, "a": Unprintable}, {"y": 1.0, "v": np.arange(2)}])
def test_unvalidated_model(fields: dict[str, Any]) -> None:
    """``model_construct`` skips pydantic's checks; what comes of it is still strict JSON or a clean failure."""
    result = encoded(Out.model_construct(**fields))
    if result.status == 200:
        strict(result.body)
    else:
        assert json.loads(result.body)["code"] == "invalid-result"


def test_null_is_not_nan() -> None:
    """Fields that are null, and texts that look like numbers that JSON cannot say, are fine."""
    assert value(Out(y=1, s="null NaN Infinity", a=[None, "NaN"]))["a"] == [None, "NaN"]


def test_decimal_not_a_number() -> None:
    """A decimal is a string in JSON, whatever it says."""
    assert value(Decimal("NaN"), Decimal) == "NaN"


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(JSONISH)
def test_strict_json_or_a_clean_failure(content: Any) -> None:
    """Whatever a result holds, the answer is strict JSON that says the same, or a 500."""
    result = encoded(Out(y=1, a=content))
    if result.status == 200:
        assert strict(result.body)["a"] == content
    else:
        assert result.status == 500


def test_response_config_is_kept() -> None:
    """The response model's own serialization settings are used."""

    class Hex(BaseModel):
        model_config = ConfigDict(ser_json_bytes="base64")
        raw: bytes

    assert value(Hex(raw=b"\xff"), Hex) == {"raw": "_w=="}


@pytest.mark.parametrize(
    "error",
    [ValueError("secret"), Unpicklable(), Mute(), SystemExit(3), KeyboardInterrupt(), MemoryError()],
    ids=lambda error: type(error).__name__,
)
def test_exception(error: BaseException) -> None:
    """Whatever was raised is a 500 whose words are in the log only, with the exception's name."""
    result = encoded(error)
    problem = json.loads(result.body)
    assert (result.status, problem["code"]) == (500, "predict-failed")
    assert type(error).__name__ in problem["log"]
    assert "secret" not in problem["detail"]


def test_http_error_passes() -> None:
    """``HTTPError`` answers with its own status, detail and headers."""
    result = encoded(HTTPError(429, "Slow down.", {"Retry-After": "5"}))
    problem = json.loads(result.body)
    assert (result.status, problem["detail"], problem["headers"]) == (429, "Slow down.", {"Retry-After": "5"})
    assert problem["log"] is None


def test_broken_http_error() -> None:
    """An ``HTTPError`` subclass that never called its base is a clean failure too."""

    class Broken(HTTPError):
        def __init__(self) -> None:
            pass

    assert "Broken" in refused(Broken())["log"]


def test_failure_carries_its_request() -> None:
    """A failure is for one request, with the time that its batch took."""
    result = failure(9, 0.5, ValueError())
    assert (result.id, result.run_s, result.status) == (9, 0.5, 500)
