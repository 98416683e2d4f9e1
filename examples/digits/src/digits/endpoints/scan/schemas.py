"""What the endpoint returns. The HTTP process imports this: keep it light."""

from pydantic import BaseModel, Field


class ScanResponse(BaseModel):
    """What the network reads."""

    digit: int = Field(ge=0, le=9, description="The likeliest digit.")
    probability: float = Field(ge=0, le=1, description="How likely it is.")
