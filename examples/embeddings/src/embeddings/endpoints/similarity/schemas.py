"""What the endpoint accepts and returns. The HTTP process imports this: keep it light."""

from typing import Annotated

from pydantic import BaseModel, Field

Sentence = Annotated[str, Field(min_length=1, max_length=8192)]


class SimilarityRequest(BaseModel):
    """Sentences to compare, each with each."""

    sentences: list[Sentence] = Field(
        min_length=2,
        max_length=64,
        examples=[["The weather is lovely today.", "It is so sunny outside!"]],
    )


class SimilarityResponse(BaseModel):
    """How near the sentences are to each other in meaning."""

    similarities: list[list[float]] = Field(
        description="Row i, column j: the cosine between sentences i and j; 1 is the same."
    )
