"""What an endpoint with ``In = Upload`` is given: the files and fields of a request, however it was sent.

A raw body is one file. A ``multipart/form-data`` body is files by field name, and fields. What is large stays on disk
until it is read: an ``Upload`` of 100 MB takes no memory by itself.
"""

from __future__ import annotations

import io
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from litgen_runtime.errors import InvalidInput

_REQUIRED: Any = object()


class Content(ABC):
    """Bytes that somebody keeps."""

    @abstractmethod
    def read_at(self, start: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``start``; fewer only at the end."""


class InMemory(Content):
    """Bytes that are here.

    Args:
        data: all of them.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read_at(self, start: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``start``."""
        whole = start == 0 and size >= len(self._data)
        return self._data if whole else self._data[start : start + size]


class OnDisk(Content):
    """Bytes of an open file, which may have lost its name; it is closed when nobody refers to it any more.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read_at(self, start: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``start``."""
        return os.pread(self._descriptor, size, start)

    def __del__(self) -> None:
        """Close the file."""
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)


class File:
    """One file of an upload. Make one for a test with ``File.of``.

    Args:
        name: the form field that it came in; ``"file"`` for a raw body.
        filename: what the client calls it, without folders; never to be trusted as a path. None for a raw body.
        content_type: what the client says it is, such as ``image/png``.
        content: who keeps its bytes.
        start: where they begin there.
        size: how many bytes they are.
    """

    def __init__(
        self, name: str, filename: str | None, content_type: str, content: Content, start: int, size: int
    ) -> None:
        self.name = name
        self.filename = filename
        self.content_type = content_type
        self.size = size
        self._content = content
        self._start = start

    @classmethod
    def of(
        cls,
        data: bytes,
        filename: str | None = None,
        content_type: str = "application/octet-stream",
        name: str = "file",
    ) -> File:
        """Return a file that holds these bytes."""
        return cls(name, filename, content_type, InMemory(data), 0, len(data))

    def read(self) -> bytes:
        """Return the whole file."""
        data = self._content.read_at(self._start, self.size)
        if len(data) < self.size:  # one read gives at most 2 GiB, and may be interrupted
            with self.open() as file:
                return file.read()
        return data

    def open(self) -> BinaryIO:
        """Return a new readable, seekable file object at the beginning; several may be open at once."""
        return io.BufferedReader(_Window(self._content, self._start, self.size), 262_144)

    def save(self, path: str | Path) -> Path:
        """Write the file to ``path``, for tools that want one by name; return that path."""
        with self.open() as source, Path(path).open("wb") as target:
            shutil.copyfileobj(source, target, 1_048_576)
        return Path(path)

    def __repr__(self) -> str:
        return f"File({self.name!r}, filename={self.filename!r}, {self.content_type}, {self.size} bytes)"


class Upload:
    """A request's files and fields.

    Args:
        files: the files, in the order in which they came.
        fields: (name, value) of the form's other fields, in the order in which they came.
    """

    def __init__(self, files: Sequence[File] = (), fields: Sequence[tuple[str, str]] = ()) -> None:
        self.files: dict[str, list[File]] = {}
        for file in files:
            self.files.setdefault(file.name, []).append(file)
        self.fields: dict[str, list[str]] = {}
        for name, value in fields:
            self.fields.setdefault(name, []).append(value)
        self._first = next(iter(files), None)

    @classmethod
    def of(
        cls,
        data: bytes,
        filename: str | None = None,
        content_type: str = "application/octet-stream",
        name: str = "file",
        fields: Mapping[str, str] | None = None,
    ) -> Upload:
        """Return an upload of one file, for a test: ``Upload.of(b"...", filename="a.png", fields={"top": "5"})``."""
        return cls([File.of(data, filename, content_type, name)], list((fields or {}).items()))

    @property
    def file(self) -> File:
        """The only file, or the first one.

        Raises:
            InvalidInput: there is none; the client is answered 422.
        """
        if self._first is None:
            raise InvalidInput("The form holds no file. Send one, as in: curl -F file=@picture.png")
        return self._first

    def field(self, name: str, default: str = _REQUIRED) -> str:
        """Return a field's first value.

        Args:
            name: the field.
            default: what to return where there is none.

        Raises:
            InvalidInput: there is none, and no default; the client is answered 422.
        """
        values = self.fields.get(name)
        if values:
            return values[0]
        if default is _REQUIRED:
            raise InvalidInput(f"The form has no field {name!r}. Send it, as in: curl -F {name}=...")
        return default

    def __repr__(self) -> str:
        return f"Upload(files={[file for files in self.files.values() for file in files]}, fields={self.fields})"


class _Window(io.RawIOBase):
    """A part of some content, as a file of its own."""

    def __init__(self, content: Content, start: int, size: int) -> None:
        self._content = content
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self._size - self._position))
        data = self._content.read_at(self._start + self._position, count)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"cannot seek to {base + offset}; expected 0 or more")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position
