from __future__ import annotations

import pytest

from litgen_runtime.http.etags import known_tags, tagged, unless_known
from litgen_runtime.http.messages import Answer

ANSWER = tagged(Answer(200, b"application/json", b"{}", {"Cache-Control": "no-store", "X-Other": "1"}))
TAG = ANSWER.headers["ETag"]


def known(*values: str) -> frozenset[bytes] | None:
    """Return what these headers say."""
    return known_tags({"headers": [(b"if-none-match", value.encode()) for value in values]})


def test_another_body_has_another_tag() -> None:
    """The same has the same, and it is quoted."""
    assert tagged(ANSWER._replace(headers={})).headers["ETag"] == TAG
    assert tagged(ANSWER._replace(body=b"{ }")).headers["ETag"] != TAG
    assert TAG[0] == TAG[-1] == '"'


@pytest.mark.parametrize(
    "values", [(TAG,), (f"W/{TAG}",), ("*",), (' "a,b" ,' + TAG,), ('"x"', TAG), (f'""  ,W/"y", {TAG} ',)]
)
def test_what_a_client_knows_is_not_sent(values: tuple[str, ...]) -> None:
    """A tag of the list is enough, weak or not; the tag stays, and what concerns caches."""
    answer = unless_known(ANSWER, known(*values))
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers == {"Cache-Control": "no-store", "ETag": TAG}
    assert [name for name, _ in answer.lines(b"id")] == [b"x-request-id", b"cache-control", b"etag"]


@pytest.mark.parametrize(
    "values", [(), ("",), ('"x"',), (TAG.strip('"'),), ('W/"', TAG[:-2] + '"'), ("garbage",), ('"*"',)]
)
def test_what_it_does_not_know_is_sent(values: tuple[str, ...]) -> None:
    """Nor is what makes no sense a reason for 304."""
    assert unless_known(ANSWER, known(*values)) is ANSWER
