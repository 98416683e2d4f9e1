"""What every contender takes and gives, and where it gets it from."""

from collections.abc import Iterator

from pydantic import BaseModel, Field


class StreamRequest(BaseModel):
    """How many tokens are wanted."""

    count: int = Field(ge=0, le=10_000)


class Token(BaseModel):
    """One of them."""

    token: str


def tokens(request: StreamRequest) -> Iterator[Token]:
    """Yield the tokens."""
    for number in range(request.count):
        yield Token(token=f"token-{number}")
