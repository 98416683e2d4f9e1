"""The owner's service.toml folded into the answers, so that every file that follows an answer follows the owner.

A manifest's grace period is computed from `drain_timeout_s`: the answer has to be what service.toml says, not what was
once answered.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final, NamedTuple, Self

from litgen_generator.answers.model import Answers, Endpoint
from litgen_generator.answers.problems import problems
from litgen_generator.change.toml_edit import lookup
from litgen_generator.change.toml_text import Key, dotted, lines_of, literal, loads, same

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

    at: str
    """The answer as problems name it, such as `endpoints[0].path`."""
    given: dict[str, Any]
    """The answers that it is one of: the service's or an endpoint's."""
    name: str
    path: Key
    nullable: bool


class _Edit(NamedTuple):
    """An answer that the owner has changed in service.toml."""

    place: _Place
    value: Any
    said: str

    @classmethod
    def of(cls, place: _Place, ours: Any) -> Self:
        gone = ours is _MISSING
        key = dotted(place.path)
        return cls(place, None if gone else ours, f"{key} is {'no longer' if gone else literal(ours)} in service.toml")


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
    present = [each for each in listed if each.get("name") not in folded.orphans]
    _fold(folded, [edit for place in _places(folded.answers, present) for edit in _edits(place, base, ours)])
    known = {each.get("name") for each in listed} | _tables(base).keys()
    for name, table in _tables(ours).items():
        if name not in known:
            _adopt(folded, name, table)
    return folded


def _places(answers: dict[str, Any], present: list[dict[str, Any]]) -> Iterator[_Place]:
    for name, path in SERVICE.items():
        yield _Place(name, answers, name, path, _is_nullable(Answers, name))
    for index, given in enumerate(answers.get("endpoints", [])):
        for name, path in ENDPOINT.items() if given in present else ():
            whole = ("endpoints", str(given["name"]), *path)
            yield _Place(f"endpoints[{index}].{name}", given, name, whole, _is_nullable(Endpoint, name))


def _edits(place: _Place, base: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[_Edit]:
    before, now = (lookup(values, place.path, _MISSING) for values in (base, ours))
    if not same(before, now) and (now is not _MISSING or place.nullable):
        yield _Edit.of(place, now)


def _fold(folded: Folded, edits: list[_Edit]) -> None:
    """Take all edits together, since one may be good only with another; then give back those that are refused."""
    accepted = problems(folded.answers)
    stored = [dict(edit.place.given) for edit in edits]
    refused: dict[int, str] = {}
    for edit in edits:
        edit.place.given[edit.place.name] = edit.value
    while new := [told for told in problems(folded.answers) if told not in accepted]:
        taken = [index for index in range(len(edits)) if index not in refused]
        blamed = [index for index in taken if edits[index].place.at == new[0].at]
        near = [index for index in taken if edits[index].place.at.partition(".")[0] == new[0].at.partition(".")[0]]
        for index in blamed or near or taken:
            refused[index] = new[0].message
            _give_back(edits[index].place, stored[index])
    for index, edit in enumerate(edits):
        if index in refused:
            why = f"but as an answer it is refused, so other files do not follow it: {refused[index]}"
            folded.notes.append(f"{edit.said}, {why}")
        else:
            folded.notes.append(edit.said)
            folded.values[dotted(edit.place.path)] = edit.value


def _give_back(place: _Place, stored: dict[str, Any]) -> None:
    if place.name in stored:
        place.given[place.name] = stored[place.name]
    else:
        del place.given[place.name]


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
