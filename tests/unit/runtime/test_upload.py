from __future__ import annotations

import gc
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime import Upload
from litgen_runtime.errors import InvalidInput
from litgen_runtime.upload import File, OnDisk


def test_an_owners_test() -> None:
    """An upload is made in one line, and read in another."""
    upload = Upload.of(b"PNG", filename="a.png", content_type="image/png", fields={"top": "5"})
    assert upload.file.read() == b"PNG"
    assert (upload.file.filename, upload.file.content_type, upload.file.size) == ("a.png", "image/png", 3)
    assert upload.field("top") == "5"


def test_many_of_a_name() -> None:
    """Files and fields keep their order, those of one name together."""
    files = [File.of(b"1", "1"), File.of(b"2", "2", name="other"), File.of(b"3", "3")]
    upload = Upload(files, [("tag", "a"), ("tag", "b"), ("top", "5")])
    assert upload.files == {"file": [files[0], files[2]], "other": [files[1]]}
    assert upload.fields == {"tag": ["a", "b"], "top": ["5"]}
    assert upload.file is files[0]
    assert upload.field("tag") == "a"


def test_what_is_not_there() -> None:
    """A file or field that the client did not send is the client's error, and says what to send."""
    with pytest.raises(InvalidInput, match="holds no file") as refused:
        _ = Upload().file
    assert refused.value.status == 422
    with pytest.raises(InvalidInput, match="no field 'top'"):
        Upload().field("top")
    assert Upload().field("top", "3") == "3"


def test_words() -> None:
    """A log line shows what there is, not the bytes."""
    assert repr(Upload.of(b"secret", "a.txt")) == (
        "Upload(files=[File('file', filename='a.txt', application/octet-stream, 6 bytes)], fields={})"
    )


def test_save(tmp_path: Path) -> None:
    """A file can be written where a tool wants it."""
    assert File.of(b"data").save(tmp_path / "x").read_bytes() == b"data"


@pytest.fixture
def on_disk(tmp_path: Path) -> File:
    """Return a file in the middle of a spooled body that has lost its name already."""
    path = tmp_path / "body"
    path.write_bytes(b"<<<" + b"0123456789" + b">>>")
    content = OnDisk(str(path))
    path.unlink()
    return File("file", "a", "text/plain", content, 3, 10)


def test_on_disk(on_disk: File) -> None:
    """A file that stands on disk is read as one in memory is, also when its name is gone."""
    assert on_disk.read() == b"0123456789"
    with on_disk.open() as first, on_disk.open() as second:
        assert (first.read(4), second.read(2), first.read()) == (b"0123", b"01", b"456789")


def test_closed_with_the_last_reference(on_disk: File) -> None:
    """The descriptor goes with the upload, and not before an open file object."""
    descriptor = on_disk._content._descriptor  # type: ignore[attr-defined]
    opened = on_disk.open()
    del on_disk
    gc.collect()
    os.fstat(descriptor)
    assert opened.read() == b"0123456789"


def test_missing() -> None:
    """A file that cannot be opened is an error, and no half-made object."""
    with pytest.raises(FileNotFoundError):
        OnDisk("/nowhere/at/all")


@given(
    st.binary(max_size=50), st.lists(st.tuples(st.sampled_from(["read", "set", "cur", "end"]), st.integers(-60, 60)))
)
def test_as_a_file_object(data: bytes, steps: list[tuple[str, int]]) -> None:
    """``open`` gives what BytesIO would."""
    ours, model = File.of(data).open(), io.BytesIO(data)
    for action, number in steps:
        if action == "read":
            assert ours.read(max(number, -1)) == model.read(max(number, -1))
        else:
            whence = {"set": os.SEEK_SET, "cur": os.SEEK_CUR, "end": os.SEEK_END}[action]
            base = {"set": 0, "cur": model.tell(), "end": len(data)}[action]
            if base + number >= 0:
                ours.seek(number, whence)
                model.seek(base + number)
        assert ours.tell() == model.tell()
