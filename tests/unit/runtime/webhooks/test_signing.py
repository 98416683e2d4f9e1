"""Signatures, beside those of an independent library."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.webhooks.signing import WebhookRejected, key_of, signed, verify_webhook
from tests.receivers import OLD_SECRET, SECRET

BODY = b'{"type":"job.succeeded"}'
KEYS = st.binary(min_size=24, max_size=64)


def headers(*secrets: str, body: bytes = BODY, age_s: int = 0) -> dict[str, str]:
    """Return what a webhook is sent with."""
    return signed([key_of(secret) for secret in secrets], "msg_1", int(time.time()) - age_s, body)


@given(st.lists(KEYS, min_size=1, max_size=3), st.text("abc_123", min_size=1), st.text())
def test_as_the_library_signs(keys: list[bytes], webhook_id: str, text: str) -> None:
    """Each key signs as the library does, and whoever has any of them can verify."""
    now = int(time.time())
    made = signed(keys, webhook_id, now, text.encode())
    for key, signature in zip(keys, made["webhook-signature"].split(), strict=True):
        library = standardwebhooks.Webhook(key)
        assert signature == library.sign(webhook_id, datetime.fromtimestamp(now, UTC), text)
        library.verify(text, made, json_parse=False)
        secret = f"whsec_{base64.b64encode(key).decode()}"
        assert verify_webhook(made, text.encode(), secret) == webhook_id


def test_what_the_library_signs() -> None:
    """What another implementation has signed verifies here."""
    now = datetime.now(UTC)
    signature = standardwebhooks.Webhook(SECRET).sign("msg_1", now, BODY.decode())
    given_headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": f"v1a,other v1,AAAA {signature}",
    }
    assert verify_webhook(given_headers, BODY, [OLD_SECRET, SECRET]) == "msg_1"


@pytest.mark.parametrize("known", [[SECRET], [OLD_SECRET], [SECRET, OLD_SECRET]])
def test_rotation(known: list[str]) -> None:
    """While both keys sign, whoever knows either accepts."""
    verify_webhook(headers(SECRET, OLD_SECRET), BODY, known)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"webhook-id": "msg_2"}, "no signature"),
        ({"webhook-timestamp": str(int(time.time()) - 3)}, "no signature"),
        ({"webhook-timestamp": "soon"}, "no number"),
        ({"webhook-timestamp": "-1"}, "no number"),
        ({"webhook-timestamp": "\u0663" * 10}, "no number"),
        ({"webhook-signature": ""}, "no signature"),
        ({"webhook-signature": "v1,"}, "no signature"),
        ({"webhook-signature": "v1,\u00e9"}, "no signature"),
        ({"webhook-signature": "v2,AAAA"}, "no signature"),
    ],
)
def test_tampered(changed: dict[str, str], says: str) -> None:
    """Nothing of it may be another."""
    with pytest.raises(WebhookRejected, match=says):
        verify_webhook(headers(SECRET) | changed, BODY, SECRET)


def test_another_body_or_key() -> None:
    """Nor may its body, nor the key."""
    with pytest.raises(WebhookRejected):
        verify_webhook(headers(SECRET), BODY + b" ", SECRET)
    with pytest.raises(WebhookRejected):
        verify_webhook(headers(OLD_SECRET), BODY, SECRET)
    with pytest.raises(WebhookRejected):
        verify_webhook(headers(SECRET), BODY, [])


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_missing(missing: str) -> None:
    """Without one of its headers it is none."""
    given_headers = headers(SECRET)
    del given_headers[missing]
    with pytest.raises(WebhookRejected, match=missing):
        verify_webhook(given_headers, BODY, SECRET)


@pytest.mark.parametrize(("age_s", "fresh"), [(0, True), (290, True), (-290, True), (310, False), (-310, False)])
def test_replay(age_s: int, fresh: bool) -> None:
    """What is older than five minutes, or comes from the future, is refused though it is authentic."""
    if fresh:
        verify_webhook(headers(SECRET, age_s=age_s), BODY, SECRET)
    else:
        with pytest.raises(WebhookRejected, match="more than 300 s"):
            verify_webhook(headers(SECRET, age_s=age_s), BODY, SECRET)


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_\u00e9", "whsec_" + "A" * 200, "not base64!"]
)
def test_no_secret(secret: str) -> None:
    """What is none is refused, without a word of what it was."""
    with pytest.raises(ValueError, match=r"key of|not") as refused:
        key_of(secret)
    assert not secret.strip("whsec_") or secret not in str(refused.value)


def test_light() -> None:
    """Checking signatures in another service imports no server and no client."""
    code = (
        "import sys; from litgen_runtime import verify_webhook; "
        "print([name for name in ('aiohttp', 'fastapi', 'uvicorn', 'asyncio', 'sqlite3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
