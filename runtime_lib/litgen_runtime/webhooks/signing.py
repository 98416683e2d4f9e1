"""Signatures of webhooks: made here, and checked by whoever receives them. Python's own modules, and nothing else.

Source: Standard Webhooks 1.0, https://github.com/standard-webhooks/standard-webhooks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64
_VERSION = "v1"
_MAX_SIGNATURES = 32  # more than anybody rotates through, fewer than take noticeable time


class WebhookRejected(Exception):
    """What was received is not an authentic, fresh webhook; the message says why, for the log of who received it."""


def key_of(secret: str) -> bytes:
    """Return the key that a secret spells.

    Args:
        secret: ``whsec_`` and base64 of 24 to 64 random bytes; the prefix may be missing.

    Raises:
        ValueError: it spells none; the message does not hold it.
    """
    try:
        key = base64.b64decode(secret.strip().removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f'not "{PREFIX}" and base64') from None
    if not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(f"a key of {len(key)} bytes, not {_LEAST_BYTES} to {_MOST_BYTES}")
    return key


def signed(keys: Sequence[bytes], webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that say who sent a body, and when.

    Args:
        keys: all of them sign, so that a receiver who knows any of them can check.
        webhook_id: the same for all attempts.
        timestamp: of this attempt, in seconds since 1970.
        body: exactly as it is sent.
    """
    signatures = (base64.b64encode(_mac(key, webhook_id, str(timestamp), body)).decode() for key in keys)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"{_VERSION},{signature}" for signature in signatures),
    }


def verify_webhook(
    headers: Mapping[str, str], body: bytes, secrets: str | Sequence[str], tolerance_s: float = 300.0
) -> str:
    """Check that a webhook is authentic and fresh, and return its id.

    The id is the same each time that a webhook is sent again: who remembers ids handles each webhook once.

    Args:
        headers: of the request; names in any case.
        body: its bytes as they came, before anything parses them.
        secrets: the ``whsec_…`` secret, or several while one replaces another.
        tolerance_s: how far its clock may be from ours, in seconds; what is older may be a replay.

    Raises:
        WebhookRejected: it is not; answer 401 or 400 and do nothing else with it.
        ValueError: a secret is none.
    """
    keys = [key_of(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    given = {name.lower(): value for name, value in headers.items()}
    try:
        webhook_id, timestamp = given["webhook-id"], given["webhook-timestamp"]
        signatures = given["webhook-signature"].split()[:_MAX_SIGNATURES]
    except KeyError as error:
        raise WebhookRejected(f"the header {error.args[0]} is missing") from None
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise WebhookRejected("webhook-timestamp is no number of seconds")
    if abs(time.time() - int(timestamp)) > tolerance_s:
        raise WebhookRejected(f"webhook-timestamp is more than {tolerance_s:g} s from now")
    found = [text.removeprefix(f"{_VERSION},").encode() for text in signatures if text.startswith(f"{_VERSION},")]
    matches = False
    for key in keys:
        expected = base64.b64encode(_mac(key, webhook_id, timestamp, body))
        for signature in found:
            matches |= hmac.compare_digest(expected, signature)
    if not matches:
        raise WebhookRejected("no signature is one of ours: another secret, or a changed body")
    return webhook_id


def _mac(key: bytes, webhook_id: str, timestamp: str, body: bytes) -> bytes:
    return hmac.new(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
