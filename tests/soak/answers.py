"""Whether an answer is complete, well-formed, and belongs to its request: a pure core."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OK = "ok"
_ANONYMOUS = frozenset({"invalid-http", "client-too-slow"})  # refused before anybody has read an id
_PROBLEM = {"type", "title", "status", "detail", "code", "request_id"}


@dataclass(frozen=True)
class Asked:
    """What a client sent, and what it may get for it."""

    key: str  # also its X-Request-ID
    endpoint: str
    expected: int = 0  # the value that its answer has to hold
    items: int | None = None  # of a stream
    may: frozenset[str] = frozenset({OK})  # problem codes, and OK for a result
    may_be_cut: bool = False  # the client itself gives reason to end the connection
    sendings: int = 1  # how many requests carry the same body
    body_key: str = ""  # whose body it is, if not its own


@dataclass(frozen=True)
class Answer:
    """What came back: one whole HTTP answer."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class Fault(Exception):
    """What is wrong with an answer, in words."""


def code_of(asked: Asked, answer: Answer) -> str:
    """Return ``OK``, or the problem's code, of an answer that is well-formed and this request's own.

    Raises:
        Fault: it is not.
    """
    try:
        code = _code(asked, answer)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise Fault(f"malformed answer ({type(error).__name__}: {error}): {_shown(answer)}") from None
    if code not in asked.may:
        raise Fault(f"{code} is none of {', '.join(sorted(asked.may))}: {_shown(answer)}")
    return code


def _code(asked: Asked, answer: Answer) -> str:
    request_id = answer.headers["x-request-id"]
    code = OK
    if answer.status != 200:
        code = _problem(json.loads(answer.body), answer.headers["content-type"], answer.status, request_id)
    if request_id != asked.key and code not in _ANONYMOUS:
        raise Fault(f"mixed up: it got the answer to {request_id}: {_shown(answer)}")
    if code != OK:
        return code
    if asked.items is None:
        _own(asked, json.loads(answer.body))
        return OK
    return _stream(asked, answer, request_id)


def _own(asked: Asked, document: Any) -> None:
    if document["key"] != (asked.body_key or asked.key):
        raise Fault(f"mixed up: it got the result of {document['key']}")
    if document["value"] != asked.expected:
        raise Fault(f"mixed up: {document['value']} instead of {asked.expected}")


def _problem(document: Any, content_type: str, status: int, request_id: str) -> str:
    if content_type != "application/problem+json" or not document.keys() >= _PROBLEM:
        raise Fault(f"no problem document but {content_type}: {document}")
    if (document["status"], document["request_id"]) != (status, request_id):
        raise Fault(f"a problem document that contradicts its headers ({status}, {request_id}): {document}")
    return str(document["code"])


def _stream(asked: Asked, answer: Answer, request_id: str) -> str:
    pieces, problem = (_lines if "ndjson" in answer.headers["content-type"] else _events)(answer.body)
    for index, piece in enumerate(pieces):
        own = (asked.body_key or asked.key, index, pieces[0]["pid"])
        if (piece["key"], piece["index"], piece["pid"]) != own:
            raise Fault(f"mixed up: item {index} is {piece['key']}'s item {piece['index']} from {piece['pid']}")
    if problem is not None:
        return _problem(problem, "application/problem+json", problem["status"], request_id)
    if len(pieces) != asked.items:
        raise Fault(f"a clean end after {len(pieces)} of {asked.items} items")
    return OK


def _events(body: bytes) -> tuple[list[Any], Any]:
    pieces, problem = [], None
    for block in body.decode().split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith(":")]
        if not lines:
            continue
        if problem is not None:
            raise Fault("an event behind the error event")
        fields = dict(line.split(": ", 1) for line in lines)
        if fields.get("event") == "error":
            problem = json.loads(fields["data"])
        else:
            pieces.append(json.loads(fields["data"]))
    return pieces, problem


def _lines(body: bytes) -> tuple[list[Any], Any]:
    documents = [json.loads(line) for line in body.splitlines()]
    if documents and "error" in documents[-1]:
        return documents[:-1], documents[-1]["error"]
    return documents, None


def _shown(answer: Answer) -> str:
    return f"{answer.status} {answer.body[:300]!r}"
