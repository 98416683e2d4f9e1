from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from litgen_runtime.errors import StorageDamaged
from litgen_runtime.jobs.blobs import Blobs
from litgen_runtime.jobs.payloads import Payloads
from litgen_runtime.transport.bodies import spooled_body, unpack_body


def test_a_file_that_workers_read_is_looked_for_first(tmp_path: Path) -> None:
    """Its loss ends the job with what it means; a worker would fail with an error of ours, attempt after attempt."""
    source = tmp_path / "source"
    source.write_bytes(b"x" * 10)
    payloads = Payloads(Blobs(tmp_path / "files"))

    given = spooled_body(b"image/png", str(source), 10, b"key", source.unlink)
    kept = asyncio.run(payloads.keep_body("job_1", "image/png", given))
    path = unpack_body(asyncio.run(payloads.body("job_1", kept))).path
    assert path is not None
    assert Path(path).read_bytes() == b"x" * 10
    Path(path).unlink()
    with pytest.raises(StorageDamaged):
        asyncio.run(payloads.body("job_1", kept))
