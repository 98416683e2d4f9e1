"""The owner's service.toml folded into the answers, so that every file that follows an answer follows the owner.

A manifest's grace period is computed from `drain_timeout_s`: the answer has to be what service.toml says, not what was
once answered.
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final, NamedTuple

from litgen_generator.answers.model import Answers, Endpoint
from litgen_generator.answers.problems import problems
from litgen_generator.change.toml_edit import lookup
from litgen_generator.change.toml_text import Key, dotted, lines_of, loads, same

SERVICE: Final[Mapping[str, Key]] = {
    "shutdown_api": ("shutdown", "api"),
    "drain_timeout_s": ("shutdown", "drain_timeout_s"),
}
"""Where the answers about the whole service stand in service.toml."""

ENDPOINT: Final[Mapping[str, Key]] = {
    "path": ("path",),
    "timeout_s": ("timeout_s",),
    "response_type": ("response_type",),
    "run_limit_s": ("run_limit_s",),
    "devices": ("workers", "devices"),
    "workers_per_device": ("workers", "per_device"),
    "gpu_memory_fraction": ("workers", "gpu_memory_fraction"),
    "max_batch_size": ("batching", "max_size"),
    "max_wait_s": ("batching", "max_wait_s"),
    "max_streams": ("streaming", "max_streams"),
    "queue_max_size": ("queue", "max_size"),
}
"""Where the answers about an endpoint stand in its table."""

_INPUTS = {"builtins:bytes": "bytes", "litgen_runtime:Upload": "upload"}
_MISSING = object()


class Folded(NamedTuple):
    """The answers that service.toml gives, and what is to be said of it."""

    answers: dict[str, Any]
    notes: list[str]
    """A line for each difference between the answers and service.toml."""
    values: dict[str, Any]
    """The owner's value of each dotted key that is now in the answers; None where the owner removed the key."""
    adopted: list[str]
    """The endpoints that the owner added by hand and that are now in the answers."""
    orphans: list[str]
    """The endpoints of the answers that are no longer in service.toml."""


class _Place(NamedTuple):
    """An answer and the key of service.toml that it sets."""

    given: dict[str, Any]
    """The answers that it is one of: the service's or an endpoint's."""
    name: str
    path: Key
    nullable: bool


def fold(answers: Mapping[str, Any], base_toml: str, ours_toml: str) -> Folded:
    """Put what the owner set by hand in service.toml into the answers.

    Args:
        answers: What `.copier-answers.yml` holds, without the keys that begin with "_".
        base_toml: service.toml as the template rendered it from these answers.
        ours_toml: As the owner has it.

    Raises:
        NotToml: `ours_toml` is not TOML.
    """
    base, ours = (loads(lines_of(text)) for text in (base_toml, ours_toml))
    folded = Folded(deepcopy(dict(answers)), [], {}, [], [])
    listed = [each for each in folded.answers.get("endpoints", []) if isinstance(each, dict)]
    _find_orphans(folded, listed, ours)
    for place in list(_places(folded.answers, [each for each in listed if each.get("name") not in folded.orphans])):
        _fold_one(folded, place, lookup(base, place.path, _MISSING), lookup(ours, place.path, _MISSING))
    known = {each.get("name") for each in listed} | _tables(base).keys()
    for name, table in _tables(ours).items():
        if name not in known:
            _adopt(folded, name, table)
    return folded


def _places(answers: dict[str, Any], endpoints: list[dict[str, Any]]) -> Iterator[_Place]:
    for name, path in SERVICE.items():
        yield _Place(answers, name, path, _is_nullable(Answers, name))
    for given in endpoints:
        for name, path in ENDPOINT.items():
            yield _Place(given, name, ("endpoints", str(given.get("name")), *path), _is_nullable(Endpoint, name))


def _fold_one(folded: Folded, place: _Place, base: Any, ours: Any) -> None:
    if same(base, ours) or (ours is _MISSING and not place.nullable):
        return
    value = None if ours is _MISSING else ours
    before = problems(folded.answers)
    had, was = place.name in place.given, place.given.get(place.name)
    place.given[place.name] = value
    refused = [told.message for told in problems(folded.answers) if told not in before]
    key = dotted(place.path)
    said = f"{key} is {'no longer' if ours is _MISSING else _shown(value)} in service.toml"
    if not refused:
        folded.notes.append(said)
        folded.values[key] = value
        return
    if had:
        place.given[place.name] = was
    else:
        del place.given[place.name]
    folded.notes.append(f"{said}, but as an answer it is refused, so other files do not follow it: {refused[0]}")


def _find_orphans(folded: Folded, listed: list[dict[str, Any]], ours: Mapping[str, Any]) -> None:
    for given in listed:
        name = str(given.get("name"))
        if name not in _tables(ours):
            folded.orphans.append(name)
            folded.notes.append(
                f"endpoints.{name} is no longer in service.toml; to remove its files too: litgen remove-endpoint {name}"
            )


def _adopt(folded: Folded, name: str, table: dict[str, Any]) -> None:
    """Make an answer of an endpoint that the owner wrote into service.toml."""
    endpoints = [*folded.answers.get("endpoints", []), _answer(name, table)]
    at = f"endpoints[{len(endpoints) - 1}]"
    refused = [told.message for told in problems({**folded.answers, "endpoints": endpoints}) if told.at.startswith(at)]
    if refused:
        why = refused[0].removeprefix(f"{at}.")
        folded.notes.append(f"{dotted(('endpoints', name))} in service.toml is not taken into the answers: {why}")
        return
    folded.answers["endpoints"] = endpoints
    folded.adopted.append(name)
    folded.notes.append(f"endpoints.{name}, added by hand in service.toml, is now one of the answers")


def _answer(name: str, table: dict[str, Any]) -> dict[str, Any]:
    kind = "batch" if "batching" in table else "stream" if "streaming" in table else "single"
    given: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "input": _INPUTS.get(str(table.get("request")), "json"),
        "output": "bytes" if table.get("response") == "builtins:bytes" else "json",
        "framework": "python",
    }
    found = {key: lookup(table, path, _MISSING) for key, path in ENDPOINT.items()}
    return given | {key: value for key, value in found.items() if value is not _MISSING}


def _tables(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    endpoints = values.get("endpoints")
    tables = endpoints if isinstance(endpoints, dict) else {}
    return {name: table for name, table in tables.items() if isinstance(table, dict)}


def _is_nullable(model: type[Answers | Endpoint], name: str) -> bool:
    field = model.model_fields[name]
    return not field.is_required() and field.default is None


def _shown(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:
        return str(value)
