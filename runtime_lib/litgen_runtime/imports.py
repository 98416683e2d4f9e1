"""Finding the classes that service.toml names, and saying which of them cannot be used."""

from __future__ import annotations

import importlib
from typing import Any

from litgen_runtime.endpoint import KINDS, BatchEndpoint, StreamEndpoint, types_of
from litgen_runtime.errors import SettingsError


def resolve(reference: str, key: str) -> Any:
    """Import ``package.module:Name``.

    Args:
        reference: what service.toml says.
        key: the key that says it, for the message.

    Raises:
        SettingsError: no such module or name; whatever else the module raises passes through.
    """
    module_name, _, name = reference.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise
        raise SettingsError(
            f'{key} is "{reference}"; there is no module {error.name!r}. Fix the name in service.toml, install '
            "the package, or start the service from the folder that holds the module."
        ) from None
    try:
        return getattr(module, name)
    except AttributeError:
        raise SettingsError(
            f'{key} is "{reference}"; {module_name} has no {name!r}. Fix the name in service.toml or define it there.'
        ) from None


def resolve_types(key: str, request: str, response: str, response_type: str | None) -> tuple[Any, Any]:
    """Import what an endpoint takes and gives.

    Args:
        key: the table of the endpoint, for the message.
        request: what service.toml says of the request type.
        response: what it says of the response type.
        response_type: the media type of a response of bytes, where service.toml names one.

    Raises:
        SettingsError: no such module or name, or a media type for a response that is sent as JSON.
    """
    types = resolve(request, f"{key}.request"), resolve(response, f"{key}.response")
    if response_type is not None and types[1] is not bytes:
        raise SettingsError(
            f'{key}.response_type is "{response_type}", but {key}.response is "{response}", which is sent as JSON; '
            'expected response = "builtins:bytes". Remove response_type from service.toml, or change response.'
        )
    return types


def resolve_handler(
    reference: str, key: str, request: Any, response: Any, *, batching: bool = False, streaming: bool = False
) -> type[Any]:
    """Import an endpoint class and check that it and service.toml mean the same.

    Args:
        reference: what service.toml says.
        key: the table of the endpoint, for the message.
        request: the request type that service.toml names.
        response: the response type that service.toml names.
        batching: whether the endpoint has a table ``[batching]``.
        streaming: whether it has a table ``[streaming]``.

    Raises:
        SettingsError: not an endpoint class, other types than service.toml says, or a table of another kind.
    """
    handler = resolve(reference, f"{key}.handler")
    if not (isinstance(handler, type) and issubclass(handler, KINDS)):
        raise SettingsError(
            f'{key}.handler is "{reference}"; expected a class derived from litgen_runtime.Endpoint, BatchEndpoint '
            "or StreamEndpoint. Name the class in service.toml."
        )
    try:
        declared = types_of(handler)
    except TypeError as error:
        raise SettingsError(f'{key}.handler is "{reference}"; {error}. Fix the class.') from None
    for word, said, named in (("request", declared[0], request), ("response", declared[1], response)):
        if said is not named:
            raise SettingsError(
                f"{key}.{word} names {_name(named)}, but {handler.__qualname__} is declared with {_name(said)}; "
                "expected the same. Fix service.toml or the class."
            )
    if batching and not issubclass(handler, BatchEndpoint):
        raise SettingsError(
            f"{key}.batching is set, but {handler.__qualname__} is no BatchEndpoint and takes one request at a time. "
            "Remove the table from service.toml, or derive the class from BatchEndpoint."
        )
    if streaming is not issubclass(handler, StreamEndpoint):
        raise SettingsError(
            f"{key}.streaming is {'set' if streaming else 'missing'}, but {handler.__qualname__} is "
            f"{'no' if streaming else 'a'} StreamEndpoint; expected the table for those and only those. "
            f"{'Remove it from' if streaming else f'Add [{key}.streaming] to'} service.toml, or change the class."
        )
    return handler


def _name(annotation: Any) -> str:
    return f"{annotation.__module__}.{annotation.__qualname__}" if isinstance(annotation, type) else repr(annotation)
