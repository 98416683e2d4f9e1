"""What the endpoint accepts and returns. The HTTP process imports this: keep it light."""

from typing import Annotated

from pydantic import BaseModel, Field

Pixel = Annotated[float, Field(ge=0, le=16)]
Row = Annotated[list[Pixel], Field(min_length=8, max_length=8)]

FOUR = [
    [0, 0, 0, 1, 11, 0, 0, 0],
    [0, 0, 0, 7, 8, 0, 0, 0],
    [0, 0, 1, 13, 6, 2, 2, 0],
    [0, 0, 7, 15, 0, 9, 8, 0],
    [0, 5, 16, 10, 0, 16, 6, 0],
    [0, 4, 15, 16, 13, 16, 1, 0],
    [0, 0, 0, 3, 15, 10, 0, 0],
    [0, 0, 0, 2, 16, 4, 0, 0],
]


class ClassifyRequest(BaseModel):
    """A scan of one handwritten digit."""

    pixels: list[Row] = Field(
        min_length=8,
        max_length=8,
        description="Eight rows of eight pixels, from 0 (black) to 16 (white).",
        examples=[FOUR],
    )


class ClassifyResponse(BaseModel):
    """What the network reads."""

    digit: int = Field(ge=0, le=9, description="The likeliest digit.")
    probability: float = Field(ge=0, le=1, description="How likely it is.")
