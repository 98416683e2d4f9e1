"""What every contender takes and gives."""

from pydantic import BaseModel


class DeviceRequest(BaseModel):
    """A number."""

    x: float


class DeviceResponse(BaseModel):
    """Its square."""

    y: float
