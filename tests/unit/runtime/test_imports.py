from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from litgen_runtime import Upload
from litgen_runtime.errors import SettingsError
from litgen_runtime.imports import resolve, resolve_handler, resolve_types
from tests.unit.runtime.mini import HERE, Answer, Ask, Flow, Many, Single


def refusal(name: str, request: Any = Ask, response: Any = Answer, **tables: bool) -> str:
    """Return why a class is refused."""
    with pytest.raises(SettingsError) as refused:
        resolve_handler(f"{HERE}:{name}", "endpoints.embed", request, response, **tables)
    return str(refused.value)


def test_resolve() -> None:
    """A reference gives what it names."""
    assert resolve(f"{HERE}:Ask", "key") is Ask


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("no_such_package.model:Embed", "there is no module 'no_such_package'"),
        (f"{HERE}.deeper:Embed", f"there is no module '{HERE}.deeper'"),
        (f"{HERE}:Nothing", f"{HERE} has no 'Nothing'"),
    ],
)
def test_resolve_what_is_not_there(reference: str, words: str) -> None:
    """A missing module or name is told with the key, the reference and the fix."""
    with pytest.raises(SettingsError) as refused:
        resolve(reference, "endpoints.embed.handler")
    assert str(refused.value).startswith(f'endpoints.embed.handler is "{reference}"; {words}. Fix the name')


def test_a_missing_import_inside_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that exists but misses a dependency is the owner's error, shown as it is."""
    (tmp_path / "unit_needs_more.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        resolve("unit_needs_more:Embed", "key")


@pytest.mark.parametrize(
    ("handler", "tables"), [(Single, {}), (Many, {}), (Many, {"batching": True}), (Flow, {"streaming": True})]
)
def test_handler(handler: type[Any], tables: dict[str, bool]) -> None:
    """A class whose types and tables are those of service.toml is taken."""
    reference = f"{HERE}:{handler.__name__}"
    assert resolve_handler(reference, "endpoints.embed", Ask, Answer, **tables) is handler


@pytest.mark.parametrize("name", ["not_a_class", "Ask"])
def test_not_an_endpoint(name: str) -> None:
    """Anything that is not an endpoint class is refused."""
    assert "expected a class derived from litgen_runtime.Endpoint, BatchEndpoint or StreamEndpoint" in refusal(name)


def test_untyped() -> None:
    """A class without types is refused, naming the class."""
    assert "Untyped does not name its types" in refusal("Untyped")


@pytest.mark.parametrize(
    ("request_type", "response_type", "word"), [(Answer, Answer, "request"), (Ask, Ask, "response")]
)
def test_other_types(request_type: Any, response_type: Any, word: str) -> None:
    """A class declared with other types than service.toml names is refused, naming both."""
    message = refusal("Many", request_type, response_type)
    assert message.startswith(f"endpoints.embed.{word} names {HERE}.")
    assert f"but Many is declared with {HERE}." in message


def test_batching_of_a_single_endpoint() -> None:
    """Batching that would do nothing is refused with the two ways out."""
    message = refusal("Single", batching=True)
    assert "endpoints.embed.batching is set, but Single is no BatchEndpoint" in message
    assert "Remove the table from service.toml, or derive the class from BatchEndpoint." in message


def test_streaming_of_another_kind() -> None:
    """The table of streams belongs to a StreamEndpoint."""
    message = refusal("Single", streaming=True)
    assert "endpoints.embed.streaming is set, but Single is no StreamEndpoint" in message
    assert "Remove it from service.toml, or change the class." in message


def test_stream_without_its_table() -> None:
    """A StreamEndpoint says so in service.toml, since the HTTP process never imports it."""
    message = refusal("Flow")
    assert "endpoints.embed.streaming is missing, but Flow is a StreamEndpoint" in message
    assert "Add [endpoints.embed.streaming] to service.toml, or change the class." in message


def test_resolve_types() -> None:
    """What an endpoint takes and gives may be bytes and uploads too."""
    types = resolve_types("endpoints.embed", "litgen_runtime:Upload", "builtins:bytes", "image/png")
    assert types == (Upload, bytes)
    assert resolve_types("endpoints.embed", f"{HERE}:Ask", f"{HERE}:Answer", None) == (Ask, Answer)


def test_a_media_type_for_json() -> None:
    """A media type for a response that is sent as JSON would do nothing, and is refused."""
    with pytest.raises(SettingsError) as refused:
        resolve_types("endpoints.embed", f"{HERE}:Ask", f"{HERE}:Answer", "image/png")
    assert str(refused.value) == (
        f'endpoints.embed.response_type is "image/png", but endpoints.embed.response is "{HERE}:Answer", which is sent '
        'as JSON; expected response = "builtins:bytes". Remove response_type from service.toml, or change response.'
    )
