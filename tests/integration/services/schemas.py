"""What the trial services take and give; the HTTP process imports this."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Number(BaseModel):
    """A number that JSON can say; strict, as its JSON schema says: pydantic by itself takes false and "1" too."""

    model_config = ConfigDict(strict=True)

    x: float = Field(allow_inf_nan=False, ge=-1e6, le=1e6)


class Command(BaseModel):
    """What ``Act`` should do."""

    do: str = Field(max_length=40)
    seconds: float = Field(default=0.0, ge=0, le=600)
    number: int = 0
    text: str = ""


class Answer(BaseModel):
    """What it did, and in which process."""

    value: Any
    pid: int
    score: float | None = None
    name: str = ""


class Echo(BaseModel):
    """A text, to be given back."""

    model_config = ConfigDict(strict=True)

    text: str
    inner: dict[str, list[int]] = {}


class ReceivedFile(BaseModel):
    """One file of an upload."""

    field: str
    filename: str | None
    content_type: str
    size: int
    sha256: str


class Received(BaseModel):
    """What an upload held."""

    files: list[ReceivedFile]
    fields: dict[str, list[str]]
    pid: int
