"""What every contender gives for bytes, and how it comes to it."""

from pydantic import BaseModel

_STRIDE = 4096


class BlobResponse(BaseModel):
    """What the bytes were: their number, and the sum of every 4096th, which takes next to no time."""

    length: int
    total: int


def measured(body: bytes) -> BlobResponse:
    """Return what some bytes are."""
    return BlobResponse(length=len(body), total=sum(body[::_STRIDE]))
