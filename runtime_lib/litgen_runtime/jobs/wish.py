"""What a client asks for with a job."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from litgen_runtime.jobs.delivery import Callback
from litgen_runtime.transport.bodies import ContentKey, SpooledBody


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asks for.

    Args:
        endpoint: who is to run it.
        principal: who asks; empty where the service asks for no keys.
        body: what the dispatcher is given; a file that it names is copied.
        content_type: of the client's body.
        key: the Idempotency-Key; None without.
        start_within_s: it expires if it has not begun by then, in seconds.
        cancel_after_s: it is cancelled by itself then, in seconds.
        retries: whether a failed attempt may be followed by another.
        callback: who is to be told what becomes of it.
    """

    endpoint: str
    principal: str
    body: bytes
    content_type: str = ""
    key: str | None = None
    start_within_s: float = inf
    cancel_after_s: float = inf
    retries: bool = True
    callback: Callback | None = None

    def fingerprint(self) -> bytes:
        """Return what tells another wish with the same key apart; a form's boundary, always another, does not count.

        That takes a while where ``body`` is large.
        """
        key = ContentKey(self.content_type.encode("latin-1", "replace"))
        key.update(b"\0")
        key.update(self.body.content_key if isinstance(self.body, SpooledBody) else self.body)
        return key.digest()

    @property
    def size(self) -> int:
        """Of the body, in bytes."""
        return self.body.size if isinstance(self.body, SpooledBody) else len(self.body)
