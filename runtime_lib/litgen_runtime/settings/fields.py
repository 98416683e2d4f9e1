"""The value types of service.toml. Each says in ``description`` what an error message tells the owner."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainValidator, TypeAdapter
from pydantic_core import PydanticCustomError

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*([KMG]?i?B)", re.IGNORECASE)
_KEY_SOURCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\0\r\n]+")
_KEY_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HOST = r"^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$|^[0-9A-Fa-f:.]+$"
_DEVICES = re.compile(r"auto|cpu|mps|cuda(:(0|[1-9][0-9]{0,2})(,(0|[1-9][0-9]{0,2}))*)?")


def _bytes(value: object) -> object:
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(float(match[1]) * _UNITS[match[2].upper()]) if match else value


def _timeout(value: object) -> object:
    if value is False or (value == -1 and not isinstance(value, bool)):
        return None
    return value


def _path(value: object) -> object:
    if isinstance(value, str) and {".", ".."} & set(value.split("/")):
        raise PydanticCustomError("path", "clients resolve dots away")
    return value


def _store(value: object) -> object:
    if value == "sqlite:///:memory:":
        raise PydanticCustomError("store", "memory outlasts nothing")
    return value


def _list(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _key_source(value: object) -> object:
    if value is not False and not (isinstance(value, str) and _KEY_SOURCE.fullmatch(value)):
        raise PydanticCustomError("keys", "not a source of keys")
    return value


def _auth(value: object) -> object:
    if isinstance(value, bool) or value is None:
        return value
    if not isinstance(value, list) or not value:
        raise PydanticCustomError("auth", "not a list")
    if not all(isinstance(name, str) and _KEY_NAME.fullmatch(name) for name in value):
        raise PydanticCustomError("auth", "not names")
    return list(value)


def _devices(value: object) -> object:
    if not isinstance(value, str) or not _DEVICES.fullmatch(value):
        raise PydanticCustomError("devices", "not a device list")
    indices = value.partition(":")[2].split(",")
    if len(set(indices)) != len(indices):
        raise PydanticCustomError("devices", "a device twice")
    return value


Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False, description="seconds, 0 to 86400")]
PositiveSeconds = Annotated[
    float, Field(gt=0, le=86_400, allow_inf_nan=False, description="seconds, more than 0, at most 86400")
]
JobSeconds = Annotated[
    float, Field(gt=0, le=31_536_000, allow_inf_nan=False, description="seconds, more than 0, at most 31536000")
]
StoreUrl = Annotated[
    str,
    BeforeValidator(_store),
    Field(
        pattern=r"^sqlite:///[^?#\x00]+$",
        description='"sqlite:///" and a file, relative to service.toml\'s folder, such as "sqlite:///var/jobs.db"',
    ),
]
Timeout = Annotated[
    Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] | None,
    BeforeValidator(_timeout),
    Field(description="seconds (more than 0, at most 86400), or false or -1 for none"),
]
_TIMEOUT: TypeAdapter[float | None] = TypeAdapter(Timeout)


def _auto_timeout(value: object) -> float | Literal["auto"] | None:
    return "auto" if value == "auto" else _TIMEOUT.validate_python(value, strict=True)


AutoTimeout = Annotated[
    float | Literal["auto"] | None,
    PlainValidator(_auto_timeout),
    Field(description='seconds (more than 0, at most 86400), "auto" for timeout_s, or false or -1 for none'),
]
Bytes = Annotated[
    int,
    BeforeValidator(_bytes),
    Field(ge=1, le=2**31, description='a size of at least 1 byte, such as "10MB" or 10000000, at most "2GiB"'),
]
Memory = Annotated[
    int,
    BeforeValidator(_bytes),
    Field(ge=1_000_000, le=2**44, description='a size of at least "1MB", such as "2GB", at most "16384GiB"'),
]


def _threads(value: object) -> object:
    if value != "auto" and (not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 256):
        raise PydanticCustomError("threads", "not a number of threads")
    return value


Threads = Annotated[
    int | Literal["auto"], PlainValidator(_threads), Field(description='"auto" or a whole number of threads, 1 to 256')
]
Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9]*([-_][a-z0-9]+)*$",
        max_length=63,
        description='lower-case letters, digits and single "-" or "_", starting with a letter',
    ),
]
EndpointName = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$",
        max_length=63,
        description='an endpoint name of lower-case letters, digits and single "_", starting with a letter',
    ),
]
Reference = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$",
        description='"package.module:Name", something that Python can import',
    ),
]
MediaType = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*(; ?[a-z-]+=[A-Za-z0-9_.-]+)*$",
        max_length=200,
    ),
]
UrlPath = Annotated[
    str,
    BeforeValidator(_path),
    Field(
        pattern=r"^(/[A-Za-z0-9._~-]+)+$",
        description='a path such as "/embed": "/" and then letters, digits and ._~- only',
    ),
]
Devices = Annotated[
    str, BeforeValidator(_devices), Field(description='"auto", "cpu", "mps", "cuda", "cuda:0" or "cuda:0,2"')
]
SecretSource = Annotated[
    str | Literal[False],
    PlainValidator(_key_source),
    Field(
        description='false, "env:NAME" (a variable) or "file:PATH" that holds the secrets, not the secrets themselves'
    ),
]
Hosts = Annotated[
    tuple[Annotated[str, Field(pattern=_HOST, max_length=253)], ...],
    BeforeValidator(_list),
    Field(max_length=1000, description='a list of host names such as "hooks.example.com" or "*.example.com"'),
]
Ports = Annotated[
    tuple[Annotated[int, Field(ge=1, le=65535)], ...],
    BeforeValidator(_list),
    Field(min_length=1, max_length=1000, description="a list of at least one port, 1 to 65535"),
]
Schedule = Annotated[
    tuple[Annotated[float, Field(ge=0, le=604_800, allow_inf_nan=False)], ...],
    BeforeValidator(_list),
    Field(min_length=1, max_length=100, description="a list of at least one number of seconds, each 0 to 604800"),
]
KeySource = Annotated[
    str | Literal[False],
    PlainValidator(_key_source),
    Field(description='false, "env:NAME" (a variable) or "file:PATH" that holds the keys, not the keys themselves'),
]
Auth = Annotated[
    bool | list[str] | None,
    PlainValidator(_auth),
    Field(description='true, false or a list of the names of keys, such as ["alice"]'),
]
