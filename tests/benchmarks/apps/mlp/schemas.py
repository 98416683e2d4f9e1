"""What every contender takes and gives."""

from pydantic import BaseModel, Field


class MlpRequest(BaseModel):
    """What the network looks at."""

    features: list[float] = Field(min_length=512, max_length=512)


class MlpResponse(BaseModel):
    """What it takes it for."""

    label: int
