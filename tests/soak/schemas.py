"""What the soaked service takes and gives; the HTTP process imports this."""

from pydantic import BaseModel, Field


class Ask(BaseModel):
    """One request: who it is, what comes with it, and what the model should do."""

    key: str = Field(max_length=64)
    value: int
    do: str = "work"
    seconds: float = Field(default=0.0, ge=0, le=120)
    items: int = Field(default=0, ge=0, le=10_000)
    size: int = Field(default=0, ge=0, le=20_000_000, description="characters of ballast in the answer, or each item")
    pad: str = ""


class Told(BaseModel):
    """An answer that can belong to one request only."""

    key: str
    value: int
    pid: int
    ballast: str = ""


class Piece(BaseModel):
    """One item of a stream that can belong to one request only."""

    key: str
    index: int
    pid: int
    ballast: str = ""
