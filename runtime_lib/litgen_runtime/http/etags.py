"""Entity tags: whether a client knows a document already.

Source: RFC 9110, 8.8.3 and 13.1.2.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from litgen_runtime.http.messages import Answer, Scope

_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_NEEDED = ("Location", "Cache-Control", "Retry-After", "Vary")  # of the headers of a 200, with its ETag


def known_tags(scope: Scope) -> frozenset[bytes] | None:
    """Return the tags that If-None-Match has; ``*`` alone is in it for any; None where there is no such header."""
    given = [value for name, value in scope["headers"] if name == b"if-none-match"]
    if not given:
        return None
    text = b",".join(given)
    return frozenset({b"*"}) if text.strip() == b"*" else frozenset(_TAG.findall(text))


def tagged(answer: Answer) -> Answer:
    """Return an answer with its tag, which is another one for another body."""
    tag = hashlib.sha256(answer.body).hexdigest()[:32]
    return answer._replace(headers={**answer.headers, "ETag": f'"{tag}"'})


def unless_known(answer: Answer, known: frozenset[bytes] | None) -> Answer:
    """Return a tagged answer, or 304 where the client has it."""
    if known is None or not known & {answer.headers["ETag"].encode(), b"*"}:
        return answer
    kept: Mapping[str, str] = {
        name: value for name, value in answer.headers.items() if name == "ETag" or name in _NEEDED
    }
    return Answer(304, answer.content_type, b"", kept)
