"""Reading ``multipart/form-data``: files stay where they are, fields are small; a hostile form is refused.

The parser is python-multipart, the one that FastAPI uses for an owner's own routes.
"""

from __future__ import annotations

import logging
from typing import Any

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from litgen_runtime.errors import InvalidForm, PayloadTooLarge
from litgen_runtime.upload import Content, File, InMemory, Upload

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # what it warns of is told to the client

_MAX_PARTS = 1000
_MAX_FIELDS_BYTES = 1_048_576
_MAX_HEADERS = 16
_MAX_HEADER_BYTES = 4096
_CHUNK_BYTES = 1_048_576
_ENCODED = {"%22": '"', "%0D": "\r", "%0A": "\n"}  # Source: WHATWG HTML, multipart/form-data encoding algorithm


def is_form(content_type: str) -> bool:
    """Whether a body of this type is a form."""
    return content_type.partition(";")[0].strip().lower() == "multipart/form-data"


def read_form(content_type: str, content: Content, size: int) -> Upload:
    """Return the files and fields of a form.

    Args:
        content_type: the Content-Type header, with the boundary.
        content: the body.
        size: its size in bytes.

    Raises:
        InvalidForm: it is no form; the message says what is wrong with which part.
        PayloadTooLarge: more parts, or larger fields, than a form may have.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not boundary:
        raise InvalidForm("The Content-Type multipart/form-data names no boundary. Let an HTTP client write it.")
    form = _Form(content, boundary)
    for start in range(0, size, _CHUNK_BYTES):
        form.feed(content.read_at(start, _CHUNK_BYTES), start)
    return form.finished()


class _Form:
    """What has been read of a form; the parser calls back with what it finds."""

    def __init__(self, content: Content, boundary: bytes) -> None:
        self._content = content
        self._delimiter = b"\r\n--" + boundary
        self._tail = b"\r\n"  # of the chunk before, for delimiters that lie across
        self._delimiters = 0
        self._base = 0
        self._chunk = b""
        self._complete = False
        self._files: list[File] = []
        self._fields: list[tuple[str, str]] = []
        self._fields_bytes = 0
        self._part = _Part(1)
        callbacks: Any = {
            "on_header_field": self._on_header_name,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers,
            "on_part_data": self._on_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }
        try:
            self._parser = MultipartParser(
                boundary, callbacks, max_header_count=_MAX_HEADERS, max_header_size=_MAX_HEADER_BYTES
            )
        except FormParserError as error:
            raise InvalidForm(f"The form's boundary cannot be used: {error}.") from None

    def feed(self, chunk: bytes, start: int) -> None:
        """Parse the next bytes, which begin at ``start``."""
        self._count_delimiters(chunk)
        self._chunk, self._base = chunk, start
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidForm(f"The form is malformed in its part {self._part.number}: {error}.") from None

    def finished(self) -> Upload:
        """Return everything, the end having been read."""
        if not self._complete:
            raise InvalidForm(
                f"The form ends within its part {self._part.number}: its last boundary is missing. Send all of it."
            )
        return Upload(self._files, self._fields)

    def _count_delimiters(self, chunk: bytes) -> None:
        """Bound the parts, and the false boundaries too, over which the parser is slow."""
        text = self._tail + chunk
        self._delimiters += text.count(self._delimiter)
        self._tail = text[-len(self._delimiter) + 1 :]
        if self._delimiters > _MAX_PARTS + 1:
            raise PayloadTooLarge(f"The form has more than {_MAX_PARTS} parts. Send fewer, in several requests.")

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._part.header_name += data[start:end].lower()

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.header_value += data[start:end]

    def _on_header_end(self) -> None:
        self._part.end_header()

    def _on_headers(self) -> None:
        self._part.read_headers()

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        if part.filename is None:
            self._fields_bytes += end - start
            if self._fields_bytes > _MAX_FIELDS_BYTES:
                raise PayloadTooLarge(
                    f"The form's fields hold more than {_MAX_FIELDS_BYTES} bytes. Send large ones as files."
                )
        if part.filename is None or data is not self._chunk:
            part.data += data[start:end]
        if data is self._chunk and part.start is None:
            part.start = self._base + start - part.size
        part.size += end - start

    def _on_part_end(self) -> None:
        part, self._part = self._part, _Part(self._part.number + 1)
        if part.filename is None:
            self._fields.append((part.name, part.text()))
        elif part.start is None:  # what lies across two chunks and looks like a boundary: some bytes, or none
            self._add_file(part, InMemory(bytes(part.data)), 0)
        else:
            self._add_file(part, self._content, part.start)

    def _add_file(self, part: _Part, content: Content, start: int) -> None:
        if part.filename or part.size:  # a browser's file input that nothing was chosen for has neither
            self._files.append(File(part.name, part.filename, part.content_type, content, start, part.size))

    def _on_end(self) -> None:
        self._complete = True


class _Part:
    """One part of a form while it is read."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.header_name = b""
        self.header_value = b""
        self.headers: dict[bytes, bytes] = {}
        self.name = ""
        self.filename: str | None = None
        self.content_type = ""
        self.data = bytearray()
        self.start: int | None = None
        self.size = 0

    def end_header(self) -> None:
        """Keep a header."""
        self.headers[self.header_name] = self.header_value
        self.header_name = self.header_value = b""

    def read_headers(self) -> None:
        """Take from the headers what the part is."""
        kind, options = parse_options_header(self.headers.get(b"content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise InvalidForm(
                f"Part {self.number} of the form says {kind.decode('latin-1')!r}; "
                'expected "Content-Disposition: form-data" with a name. Send it with an HTTP client.'
            )
        encoding = self.headers.get(b"content-transfer-encoding", b"binary").strip().lower()
        if encoding not in (b"binary", b"8bit", b"7bit"):
            raise InvalidForm(
                f"Part {self.number} of the form is encoded as {encoding.decode('latin-1')!r}; expected it plain "
                "(RFC 7578, 4.7). Send it as it is."
            )
        self.name = _decoded(options[b"name"])
        if b"filename" in options:
            self.filename = _base_name(_decoded(options[b"filename"]))
        content_type = self.headers.get(b"content-type", b"application/octet-stream")
        self.content_type = content_type.decode("latin-1").strip()

    def text(self) -> str:
        """Return a field's value."""
        try:
            return self.data.decode()
        except UnicodeDecodeError as error:
            raise InvalidForm(f"The form's field {self.name!r} is not UTF-8: {error.reason}.") from None


def _decoded(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    for code, character in _ENCODED.items():
        text = text.replace(code, character)
    return text


def _base_name(filename: str) -> str:
    """Return a client's file name without folders."""
    return filename.replace("\\", "/").rpartition("/")[2]
