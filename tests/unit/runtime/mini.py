"""A minimal service: what the references of the tests' settings name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from litgen_runtime import BatchEndpoint, Endpoint, StreamEndpoint
from litgen_runtime.settings import Settings
from litgen_runtime.settings.load import validate

HERE = "tests.unit.runtime.mini"


class Ask(BaseModel):
    text: str


class Answer(BaseModel):
    length: int


class Health(BaseModel):
    """An owner's model that is called like one of the runtime's."""

    pulse: int


class Single(Endpoint[Ask, Answer]):
    def predict(self, request: Ask) -> Answer:
        return Answer(length=len(request.text))


class Many(BatchEndpoint[Ask, Answer]):
    def predict(self, batch: list[Ask]) -> list[Answer]:
        return [Answer(length=len(ask.text)) for ask in batch]


class Flow(StreamEndpoint[Ask, Answer]):
    def predict(self, request: Ask) -> Iterator[Answer]:
        for letter in request.text:
            yield Answer(length=len(letter))


class Untyped(Endpoint):  # type: ignore[type-arg]  # what an owner may forget
    def predict(self, request: Any) -> Any:
        return request


not_a_class = 3


def tables(**endpoint: object) -> dict[str, Any]:
    """Return the tables of a service with one endpoint ``embed``, some of its keys given."""
    embed = {
        "handler": f"{HERE}:Many",
        "request": f"{HERE}:Ask",
        "response": f"{HERE}:Answer",
        "path": "/embed",
    }
    return {"service": {"name": "mini"}, "endpoints": {"embed": embed | endpoint}}


def choices(**endpoint: object) -> Settings:
    """Return the checked settings of ``tables``."""
    return validate(tables(**endpoint), "service.toml")
