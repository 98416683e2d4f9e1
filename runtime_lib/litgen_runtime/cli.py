"""The service's own command: ``myservice serve | check | routes | openapi | keys | bench | jobs``."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from litgen_runtime._version import __version__
from litgen_runtime.errors import SettingsError
from litgen_runtime.jobs_command.command import jobs
from litgen_runtime.service import Service

_SECONDS = click.FloatRange(0.1, 86_400)
_SECONDS_OR_NONE = click.FloatRange(0, 3600)
_CONFIG = click.option(
    "--config",
    envvar="LITGEN_CONFIG",
    default="service.toml",
    show_default=True,
    help="The service's choices; also LITGEN_CONFIG.",
)


def _config(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --config to a command and give it the service; a bad choice ends with exit code 3."""

    @_CONFIG
    @wraps(command)
    def wrapper(config: str, **options: Any) -> None:
        overrides = {f"service.{key}": options[key] for key in ("host", "port") if options.get(key) is not None}
        try:
            service = Service.from_toml(Path(config), overrides)
            command(service, **options)
        except SettingsError as error:
            click.echo(str(error), err=True)
            sys.exit(3)

    return wrapper


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="litgen-runtime %(version)s")
def main() -> None:
    """Run and inspect this model service."""
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))


@main.command()
@_config
@click.option("--host", help="The address to listen on, instead of service.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port, instead of service.port; 0 takes a free one.")
@click.option("--fd", type=click.IntRange(3), help="An inherited, listening socket to serve on instead.")
def serve(service: Service, host: str | None, port: int | None, fd: int | None) -> None:
    """Load the models and serve until told to stop."""
    sys.exit(service.run(None if fd is None else socket.socket(fileno=fd)))


@main.command()
@_config
@click.option("--without-keys", is_flag=True, help="Leave auth.keys and webhooks.secrets unread, where they are not.")
def check(service: Service, without_keys: bool) -> None:
    """Check service.toml and import everything it names, without loading a model."""
    from litgen_runtime import access
    from litgen_runtime.check import problems, warnings_of

    keyring = None if without_keys else access.keyring_of(service.settings, os.environ)
    if not without_keys:
        _read_webhook_secrets(service)
    for warning in (*warnings_of(service.settings), *access.warnings_of(service.settings, keyring)):
        click.echo(f"warning: {warning}", err=True)
    found = problems(service.settings)
    for problem in found:
        click.echo(problem, err=True)
    if found:
        sys.exit(1)
    click.echo(f"{service.settings.service.name}: {len(service.settings.endpoints)} endpoints, all well")


def _read_webhook_secrets(service: Service) -> None:
    """Read them as the service does at its start; without jobs it reads none."""
    source = service.settings.webhooks.secrets
    if source and service.takes_jobs:
        from litgen_runtime.webhooks.secrets import read_secrets

        read_secrets(source, os.environ)


@main.command()
@_config
def routes(service: Service) -> None:
    """List the endpoints and what serves them."""
    for name, endpoint in service.settings.endpoints.items():
        workers, batching = endpoint.workers, endpoint.batching
        batch = f"batches of {batching.max_size} within {batching.max_wait_s:g} s" if batching else "one at a time"
        answer_type = f" as {endpoint.response_type}" if endpoint.response_type else ""
        timeout = "no timeout" if endpoint.timeout_s is None else f"timeout {endpoint.timeout_s:g} s"
        click.echo(
            f"POST {endpoint.path}  {name}  {endpoint.handler}\n"
            f"     takes {endpoint.request}, gives {endpoint.response}{answer_type}\n"
            f"     workers per device: {workers.per_device}, devices: {workers.devices}, {batch}, {timeout}, "
            f"queue of {endpoint.queue.max_size}"
        )
        if endpoint.jobs:
            click.echo("     takes jobs (Prefer: respond-async)")
        if service.settings.auth.keys is not False:
            click.echo(f"     {_needed(endpoint.auth)}")
    click.echo("GET  /livez /readyz /health /metrics /docs /openapi.json")
    if service.takes_jobs:
        click.echo("GET  /v1/jobs and what is below it, of each job")
    if service.settings.shutdown.api:
        click.echo("POST /shutdown")


def _needed(auth: bool | list[str] | None) -> str:
    if auth is False:
        return "open: needs no key"
    return f"needs a key of {', '.join(auth)}" if isinstance(auth, list) else "needs a key"


@main.command()
@_config
def openapi(service: Service) -> None:
    """Print the service's OpenAPI document; no model is loaded."""
    from litgen_runtime.http.site import build

    click.echo(json.dumps(build(service.settings).openapi(), indent=2))


@main.group()
def keys() -> None:
    """Make the keys of clients; ``auth.keys`` in service.toml says where they stand."""


@keys.command("new")
@click.argument("name")
def new_key(name: str) -> None:
    """Print a new key for NAME, and below it the entry for the service, which holds its hash. Nothing is stored."""
    from litgen_runtime import api_keys

    try:
        key, entry = api_keys.new(name)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="NAME") from None
    click.echo(f"The first line is the key, for {name} alone. The second is for the file or variable.", err=True)
    click.echo(f"{key}\n{entry}")


@main.command()
@_CONFIG
@click.argument("path")
@click.option("--url", help="A running service, such as http://127.0.0.1:8000; without it one is started.")
@click.option("--connections", type=click.IntRange(1, 10_000), default=64, show_default=True, help="How many ask.")
@click.option("--duration", type=_SECONDS, default=10.0, show_default=True, help="Seconds that count.")
@click.option("--warm-up", type=_SECONDS_OR_NONE, default=1.0, show_default=True, help="Seconds before that.")
@click.option("--data", metavar="FILE|-|JSON", help="The body, instead of the request model's examples.")
@click.option("--content-type", help="What --data is; by default what the endpoint takes.")
@click.option(
    "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Sent with every request; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document, for programs.")
def bench(config: str, as_json: bool, **options: Any) -> None:
    """Load the endpoint at PATH and say how fast it answers, and where the time goes.

    Each connection asks again as soon as it has its answer. Ends with 1 if a request failed.
    """
    from litgen_runtime.bench.command import main as bench_main

    sys.exit(bench_main(config, as_json=as_json, **options))


main.add_command(jobs)
