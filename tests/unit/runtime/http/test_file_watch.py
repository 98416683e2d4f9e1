from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from litgen_runtime.api_keys import read
from litgen_runtime.http.file_watch import key_watch

ALICE, BOB = "alice-key-0123456789", "bob-key-9876543210"


def test_a_file_that_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """New keys are taken and told; a broken file changes nothing and is logged once, without a key of it."""
    monkeypatch.setattr(logging.getLogger("litgen_runtime"), "propagate", True)
    caplog.set_level(logging.INFO)
    path = tmp_path / "keys"
    path.write_text(f"alice:{ALICE}\n")
    keyring = read(f"file:{path}", {})
    told: list[dict[str, Any]] = []
    watch = key_watch(f"file:{path}", keyring, told.append)

    def look(text: str) -> tuple[str | None, str | None]:
        path.write_text(text)
        asyncio.run(watch.look())
        return keyring.owner(ALICE.encode()), keyring.owner(BOB.encode())

    assert look(f"alice:{ALICE}\n") == ("alice", None)
    assert told == []
    assert look(f"alice:{ALICE}\nbob:{BOB}\n") == ("alice", "bob")
    assert look(f"bob:{BOB}\n{ALICE}") == ("alice", "bob")
    asyncio.run(watch.look())
    assert look(f"bob:{BOB}\n") == (None, "bob")
    assert [message["do"] for message in told] == ["api_keys", "api_keys"]
    assert caplog.text.count("The keys that were read before stay valid.") == 1
    assert "new keys: 1, of bob; none of alice" in caplog.text
    assert not any(secret in caplog.text for secret in (ALICE, BOB))


def test_a_variable_is_not_watched() -> None:
    """It cannot change."""
    asyncio.run(asyncio.wait_for(key_watch("env:A", read("env:A", {"A": f"a:{ALICE}"}), print).run(), 5))
