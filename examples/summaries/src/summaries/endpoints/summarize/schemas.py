"""What the endpoint returns. The HTTP process imports this: keep it light."""

from pydantic import BaseModel, Field


class SummarizeResponse(BaseModel):
    """The sentences that say the most of a text."""

    summary: list[str] = Field(description="Five of its own sentences at most, in its order.")
    sentences: int = Field(description="How many it has.")
