"""What the endpoint accepts and returns. The HTTP process imports this: keep it light."""

from pydantic import BaseModel, Field


class EmbedRequest(BaseModel):
    """A sentence or a short paragraph."""

    text: str = Field(min_length=1, max_length=8192, examples=["The weather is lovely today."])


class EmbedResponse(BaseModel):
    """Where the sentence lies: sentences that mean the same are near."""

    vector: list[float] = Field(description="384 numbers of length 1: a dot product is a cosine.")
