"""Schemas that cannot be imported."""

from pydantic import BaseModel


class Number(BaseModel):
    """Never gets as far as being used."""

    x: float


raise RuntimeError("the schemas are broken")
