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


class Received(BaseModel):
    """What an upload held: (field, file name, content type, size, SHA-256) of each file, and the fields."""

    files: list[tuple[str, str | None, str, int, str]]
    fields: dict[str, list[str]]
    pid: int
