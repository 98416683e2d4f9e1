from __future__ import annotations

import inspect
import json
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime import errors
from litgen_runtime.errors import HTTPError, InvalidInput, QueueFull, RequestError

NASTY = st.sampled_from(["\ud800", "\udbff", "\x00", "\x7f", "\u2028", "\r\n", '"', "\\"])
ANY_TEXT = st.lists(st.text(max_size=5) | NASTY, max_size=6).map("".join)


def strict(text: bytes) -> Any:
    """Parse JSON as a strict client does."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text.decode("utf-8"), parse_constant=refuse)


def concrete() -> list[type[RequestError]]:
    """Return every class that answers a client."""
    return [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, RequestError)]


@pytest.mark.parametrize("kind", concrete(), ids=lambda kind: kind.__name__)
def test_tree_in_the_docstring(kind: type[RequestError]) -> None:
    """The tree drawn in the module's docstring names every class with the status and code it has."""
    line = next(line for line in (errors.__doc__ or "").splitlines() if line.split(" ")[-1:] and kind.__name__ in line)
    words = line.split(kind.__name__, 1)[1].split()
    if kind not in (RequestError, HTTPError):
        assert words == [str(kind.status), kind.code]


def test_codes_are_unique() -> None:
    """A program can tell every failure from every other by its code."""
    codes = [kind.code for kind in concrete() if kind is not RequestError]
    assert len(set(codes)) == len(codes)


def test_problem_members() -> None:
    """A problem document has the members of RFC 9457, the stable code, the request id and what is extra."""
    problem = strict(InvalidInput("No.", errors=[{"pointer": "/a"}]).problem("id-1"))
    assert problem == {
        "type": "urn:litgen:invalid-input",
        "title": "The input does not match the request schema",
        "status": 422,
        "detail": "No.",
        "code": "invalid-input",
        "request_id": "id-1",
        "errors": [{"pointer": "/a"}],
    }


def test_log_stays_out_of_the_problem() -> None:
    """What is for the log never reaches the client."""
    assert b"secret" not in errors.PredictFailed("Failed.", log="secret").problem("id")


@given(ANY_TEXT)
def test_problem_is_strict_json(detail: str) -> None:
    """Whatever a text holds, the document is strict JSON in UTF-8."""
    problem = strict(HTTPError(418, detail).problem("id"))
    assert problem["detail"] == detail.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_problem_never_says_nan(number: float) -> None:
    """A number that JSON cannot say is an error of ours, not one that a client finds in its parser."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        InvalidInput("No.", waited_s=number).problem("id")


@given(ANY_TEXT, st.integers(400, 599), st.dictionaries(st.just("X-A"), st.just("b c")), st.none() | ANY_TEXT)
def test_round_trip(detail: str, status: int, headers: dict[str, str], log: str | None) -> None:
    """An error comes back from ``from_json`` with everything that decides its answer."""
    error = HTTPError(status, detail, headers)
    error.log = log
    back = RequestError.from_json(error.to_json())
    assert (back.status, back.code, back.title, back.detail) == (error.status, error.code, error.title, error.detail)
    assert (back.headers, back.log, back.extra) == (error.headers, error.log, error.extra)
    assert back.problem("id") == error.problem("id")


def test_round_trip_keeps_extra_members() -> None:
    """Field errors survive the way from a worker."""
    error = InvalidInput("No.", errors=[{"pointer": "/a", "detail": "x", "type": "t"}])
    assert RequestError.from_json(error.to_json()).problem("id") == error.problem("id")


@pytest.mark.parametrize("status", [200, 399, 600, 0, -1, True, 404.0, "404", None])
def test_http_error_refuses_a_status(status: Any) -> None:
    """Only whole numbers from 400 to 599 are errors."""
    with pytest.raises(ValueError, match=r"expected a whole number from 400 to 599"):
        HTTPError(status)


@pytest.mark.parametrize("status", [400, 404, 429, 599, HTTPStatus.NOT_FOUND])
def test_http_error_takes_a_status(status: int) -> None:
    """Numbers and members of ``HTTPStatus`` are taken, and sent as numbers."""
    error = HTTPError(status, "Gone.")
    assert strict(error.problem("id"))["status"] == int(status)
    assert type(error.status) is int


def test_http_error_title() -> None:
    """The title is the status's own phrase."""
    assert (HTTPError(404).title, HTTPError(599).title) == ("Not Found", "Error")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "a\r\nSet-Cookie: b"),
        ("X-A", "a\nb"),
        ("X-A", "\x00"),
        ("X-A", "\u20ac"),
        ("X A", "b"),
        ("X-A:", "b"),
        ("", "b"),
        ("\u00e9", "b"),
        ("Content-Length", "3"),
        ("content-type", "text/html"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("X-Request-ID", "mine"),
        ("Retry-After", 5),
        (5, "b"),
    ],
)
def test_http_error_refuses_a_header(name: Any, value: Any) -> None:
    """Headers that would frame another message, or cannot be sent, are refused where they are written."""
    with pytest.raises(ValueError, match="cannot be sent"):
        HTTPError(400, "", {name: value})


def test_http_error_takes_a_header() -> None:
    """Ordinary headers, latin-1 included, are kept."""
    assert HTTPError(429, "", {"Retry-After": "5", "X-\u0041": "caf\u00e9"}).headers == {
        "Retry-After": "5",
        "X-A": "caf\u00e9",
    }


def test_headers_are_copied() -> None:
    """Two errors made of one mapping do not share it."""
    headers = {"Retry-After": "5"}
    QueueFull("Full.", headers).headers["X"] = "y"
    assert headers == {"Retry-After": "5"}


def test_headers_that_came_later_are_checked_too() -> None:
    """What an owner's code adds to an error that is already made splits no answer."""
    error = HTTPError(400, "No.", {"X-Good": "1"})
    error.headers |= {"X-Bad": "a\r\nSet-Cookie: b", "Content-Length": "3"}
    assert RequestError.from_json(error.to_json()).headers == {"X-Good": "1"}
