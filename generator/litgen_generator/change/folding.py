"""The owner's service.toml folded into the answers, so that every file that follows an answer follows the owner.

A manifest's grace period is computed from `drain_timeout_s`: the answer has to be what service.toml says, not what was
once answered.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final, NamedTuple, Self

from litgen_generator.answers.model import Answers, Endpoint, is_moot
from litgen_generator.answers.problems import Told, problems
from litgen_generator.change.toml_edit import Editor, lookup, set_value
from litgen_generator.change.toml_text import Document, Form, Key, dotted, key_of, lines_of, literal, loads, same

SERVICE: Final[Mapping[str, Key]] = {
    "api_keys": ("auth", "keys"),
    "webhooks": ("webhooks", "secrets"),
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
    "jobs": ("jobs",),
}
"""Where the answers about an endpoint stand in its table."""

_NOT_GIVEN: Final[Mapping[str, str]] = {"run_limit_s": "auto"}
"""How service.toml spells that an answer is not given, where it can."""

_SWITCHES: Final[Mapping[str, object]] = {
    "api_keys": "env:API_KEYS",
    "webhooks": "env:WEBHOOK_SECRETS",
    "jobs": True,
}
"""How the template spells yes to what it says nothing of otherwise; an owner may keep secrets in another place."""

_BROUGHT: Final = ("jobs", "webhooks")
"""The tables that are in service.toml only where an answer asks for them."""

_INPUTS = {"builtins:bytes": "bytes", "litgen_runtime:Upload": "upload"}
_MISSING = object()
_REFUSED = "but as an answer it is refused, so other files do not follow it"
_NOT_TAKEN = "in service.toml is not taken into the answers"


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
        said = f"{key} is {'no longer' if gone else literal(ours)} in service.toml"
        value = _as_answer(place, ours)
        return cls(place, None if value is _MISSING else value, said)

    @property
    def spelled(self) -> Any:
        """The value as the template would write it; None for none."""
        return (_SWITCHES[self.place.name] if self.value else None) if self.place.name in _SWITCHES else self.value


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
    if is_moot("webhooks", folded.answers):
        folded.values.pop(dotted(SERVICE["webhooks"]), None)  # the template has no such table: it is the owner's own
    return folded


def is_refusal(note: str) -> bool:
    """Whether a note tells of something in service.toml that the other files do not follow."""
    return _REFUSED in note or _NOT_TAKEN in note


def rebased(base_toml: str, theirs_toml: str, values: Mapping[str, Any], ours_toml: str = "") -> str:
    """The base as if what the owner chose were the template's: then only what was asked for is a change by it.

    A choice that the template spells in its own way (60.0 for 60, false for -1), or fills in where the owner removed
    the key, is no change either.

    Args:
        base_toml: service.toml as the template rendered it from the stored answers.
        theirs_toml: As the template renders it now.
        values: What was folded.
        ours_toml: As the owner has it: what stands in a table of a switch before that is on is the owner's choice.
    """
    base, theirs = Document.parse(lines_of(base_toml)), Document.parse(lines_of(theirs_toml))
    before, template = loads(base.text()), loads(theirs.text())
    for spelled, value in values.items():
        path = key_of(spelled)
        now = lookup(template, path)
        if now is not None and lookup(before, path) is None:
            Editor(base, theirs).add(path, now)  # with its comment, which is no change of the template's
        set_value(base, path, now if value is None or _is_alike(value, now) else value)
    _add_written_before(base, theirs, loads(lines_of(ours_toml)))
    return Form.of(base_toml).put_on(base.text())


def _add_written_before(base: Document, theirs: Document, ours: Mapping[str, Any]) -> None:
    """Give the base what the template brings with a switch, where the owner has written another value already."""
    before, template = loads(base.text()), loads(theirs.text())
    for table in _BROUGHT:
        for key, now in lookup(template, (table,), {}).items():
            path = (table, key)
            if lookup(before, path, _MISSING) is _MISSING and lookup(ours, path, _MISSING) is not _MISSING:
                Editor(base, theirs).add(path, now)


def _is_alike(one: Any, other: Any) -> bool:
    """Whether two values are one to the runtime."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    unlimited = all(value is False or repr(value) in ("-1", "-1.0") for value in (one, other))
    return same(one, other) or unlimited or (numbers and one == other)


def _places(answers: dict[str, Any], present: list[dict[str, Any]]) -> Iterator[_Place]:
    for name, path in SERVICE.items():
        yield _Place(name, answers, name, path, _is_nullable(Answers, name))
    for index, given in enumerate(answers.get("endpoints", [])):
        for name, path in ENDPOINT.items() if given in present else ():
            whole = ("endpoints", str(given["name"]), *path)
            yield _Place(f"endpoints[{index}].{name}", given, name, whole, _is_nullable(Endpoint, name))


def _edits(place: _Place, base: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[_Edit]:
    before, now = (lookup(values, place.path, _MISSING) for values in (base, ours))
    if now == _NOT_GIVEN.get(place.name):
        now = _MISSING
    was, is_now = (_as_answer(place, value) for value in (before, now))
    if not same(was, is_now) and (is_now is not _MISSING or place.nullable):
        yield _Edit.of(place, now)


def _as_answer(place: _Place, value: Any) -> Any:
    """What a value of service.toml says to its question: of secrets only whether there are any, wherever they are."""
    if place.name not in _SWITCHES:
        return value
    if value is _MISSING or value is False:
        return False
    is_source = isinstance(value, str) and value.startswith(("env:", "file:"))
    return True if is_source and place.name != "jobs" else value


def _fold(folded: Folded, edits: list[_Edit]) -> None:
    """Take all edits together, since one may be good only with another; then give back those that are refused."""
    accepted = problems(folded.answers)
    stored = {id(edit): dict(edit.place.given) for edit in edits}
    for edit in edits:
        edit.place.given[edit.place.name] = edit.value
    refused: dict[int, str] = {}
    while new := [told for told in problems(folded.answers) if told not in accepted]:
        taken = [edit for edit in edits if id(edit) not in refused]
        for edit in _to_blame(folded, taken, stored, new[0]):
            refused[id(edit)] = new[0].message
            _give_back(edit.place, stored[id(edit)])
    for edit in edits:
        why = refused.get(id(edit))
        if why:
            folded.notes.append(f"{edit.said}, {_REFUSED}: {why}")
            continue
        is_known = _is_alike(stored[id(edit)].get(edit.place.name, _MISSING), edit.value)
        folded.notes.extend([] if is_known else [edit.said])
        folded.values[dotted(edit.place.path)] = edit.spelled


def _to_blame(folded: Folded, taken: list[_Edit], stored: Mapping[int, dict[str, Any]], told: Told) -> list[_Edit]:
    """The edit of the very answer that is refused; else one without which it is not; else all."""
    for edit in taken:
        if edit.place.at == told.at:
            return [edit]
    for edit in taken:
        _give_back(edit.place, stored[id(edit)])
        cured = told not in problems(folded.answers)
        edit.place.given[edit.place.name] = edit.value
        if cured:
            return [edit]
    return taken


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
        folded.notes.append(f"{dotted(('endpoints', name))} {_NOT_TAKEN}: {why}")
        return
    folded.answers["endpoints"] = endpoints
    folded.adopted.append(name)
    folded.notes.append(f"endpoints.{name}, added by hand in service.toml, is now one of the answers")


def _answer(name: str, table: dict[str, Any]) -> dict[str, Any]:
    kind = "batch" if "batching" in table else "stream" if "streaming" in table else "single"
    given: dict[str, Any] = {"name": name, "kind": kind, "framework": "python"}
    if str(table.get("request")) in _INPUTS:  # JSON is not said: templates of old know no other
        given["input"] = _INPUTS[str(table.get("request"))]
    if table.get("response") == "builtins:bytes":
        given["output"] = "bytes"
    found = {key: lookup(table, path, _MISSING) for key, path in ENDPOINT.items()}
    said = {key: value for key, value in found.items() if value is not _MISSING and value != _NOT_GIVEN.get(key)}
    return given | said


def _tables(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    endpoints = values.get("endpoints")
    tables = endpoints if isinstance(endpoints, dict) else {}
    return {name: table for name, table in tables.items() if isinstance(table, dict)}


def _is_nullable(model: type[Answers | Endpoint], name: str) -> bool:
    field = model.model_fields[name]
    return not field.is_required() and field.default is None
