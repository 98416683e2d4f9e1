"""What every contender takes and gives."""

from pydantic import BaseModel


class NoopRequest(BaseModel):
    """A number."""

    x: float


class NoopResponse(BaseModel):
    """Its square."""

    y: float
