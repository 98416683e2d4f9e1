"""The commands. Whatever goes wrong is one sentence on standard error and exit code 1."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click

from litgen_runtime.errors import LitgenError
from litgen_runtime.jobs_command.client import Client, NotThere, Refused
from litgen_runtime.jobs_command.table import about, age_s, backlog, mail, table
from litgen_runtime.service import Service

_STATUS = ("queued", "running", "succeeded", "failed", "canceled", "expired")
_ENDED = _STATUS[2:]
_LOST = ("dead", "blocked")
_EVERY_S = 1.0
_CONFIG = click.option(
    "--config", envvar="LITGEN_CONFIG", default="service.toml", show_default=True, help="The service's choices."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print a JSON document, for programs.")
_ID = click.argument("ids", metavar="ID...", nargs=-1, required=True)


@click.group()
def jobs() -> None:
    """Look after the jobs of a service; all but `backup` and `restore` ask the running service."""


def _asking(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which service, and give the command a client of it."""

    @_CONFIG
    @click.option("--url", envvar="LITGEN_URL", help="The running service; by default where service.toml has it.")
    @click.option(
        "--key-file", type=click.Path(path_type=Path), help="A file with an API key, instead of LITGEN_API_KEY."
    )
    @wraps(command)
    def wrapper(config: str, url: str | None, key_file: Path | None, **options: Any) -> None:
        try:
            command(Client(url or _url(config), _key(key_file)), **options)
        except LitgenError as error:
            raise click.ClickException(str(error)) from None

    return wrapper


@jobs.command("list")
@_asking
@click.option("--status", type=click.Choice(_STATUS), help="Only those that stand there.")
@click.option("--endpoint", help="Only this endpoint's.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many at most.")
@click.option("--watch", is_flag=True, help="Show them again each second, with what waits and runs.")
@_JSON
def list_jobs(client: Client, status: str | None, endpoint: str | None, limit: int, watch: bool, as_json: bool) -> None:
    """List jobs, the latest first."""
    filters = {"status": status, "endpoint": endpoint}
    if not watch:
        found = list(client.jobs(filters, limit))
        click.echo(json.dumps(found, indent=2) if as_json else "\n".join(table(found)))
        return
    while True:
        counts, found = client.backlog(), list(client.jobs(filters, limit))
        if as_json:
            click.echo(json.dumps({"backlog": counts, "jobs": found}))
        else:
            click.clear()
            click.echo("\n".join([*backlog(counts), "", *table(found)]))
        time.sleep(_EVERY_S)


@jobs.command()
@_asking
@_ID
@_JSON
def show(client: Client, ids: Sequence[str], as_json: bool) -> None:
    """Say everything of jobs."""
    for job_id in ids:
        job = client.job(job_id)
        click.echo(json.dumps(job, indent=2) if as_json else "\n".join(about(job)))


@jobs.command()
@_asking
@_ID
def cancel(client: Client, ids: Sequence[str]) -> None:
    """End jobs: what waits at once, what runs is told to stop."""
    for job_id in ids:
        job = client.cancel(job_id)
        click.echo(f"{job_id}: {'canceled' if job['status'] == 'canceled' else 'told to stop'}")


@jobs.command()
@_asking
@_ID
def retry(client: Client, ids: Sequence[str]) -> None:
    """Submit jobs again that failed, were canceled or have expired, each as a new one; a second time it is the same."""
    for job_id in ids:
        job = client.again(job_id)
        click.echo(f"{job_id}: again as {job['id']}, {job['status']}")


@jobs.command()
@_asking
@_ID
@_JSON
def deliveries(client: Client, ids: Sequence[str], as_json: bool) -> None:
    """List the webhooks of jobs: where they stand, how often they were tried, what the latest answer was."""
    found = [delivery for job_id in ids for delivery in client.deliveries(job_id)]
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(mail(found)))


@jobs.command()
@_asking
@_ID
def redeliver(client: Client, ids: Sequence[str]) -> None:
    """Send webhooks again, each by its ID; with the ID of a job, those of it that were given up."""
    for given in ids:
        lost = _given_up(client, given) if given.startswith("job_") else [given]
        for delivery_id in lost:
            delivery = client.redeliver(delivery_id)
            last = f"; last time: {delivery['last_error']}" if delivery["last_error"] else ""
            click.echo(f"{delivery_id}: {delivery['type']} of {delivery['job_id']} is to be sent again{last}")
        if not lost:
            click.echo(f"{given}: nothing was given up")


@jobs.command()
@_asking
@click.option("--status", type=click.Choice(_ENDED), multiple=True, help="Only those; repeatable. All that have ended.")
@click.option("--endpoint", help="Only this endpoint's.")
@click.option("--older-than", type=click.FloatRange(0), default=0.0, help="Only those that ended so many seconds ago.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(client: Client, status: Sequence[str], endpoint: str | None, older_than: float, yes: bool) -> None:
    """Delete jobs that have ended, with their results."""
    now = datetime.now(UTC)
    found = [
        job["id"]
        for each in status or _ENDED
        for job in client.jobs({"status": each, "endpoint": endpoint})
        if age_s(job, "finished_at", now) >= older_than
    ]
    if not found:
        click.echo("nothing to delete")
        return
    if not yes:
        click.confirm(f"Delete {len(found)} jobs and their results?", abort=True)
    deleted = 0
    for job_id in found:
        with suppress(NotThere):  # others delete jobs too, and so does time
            client.delete(job_id)
            deleted += 1
    click.echo(f"deleted {deleted} jobs")


@jobs.command()
@_CONFIG
@click.argument("file", type=click.Path(path_type=Path))
def backup(config: str, file: Path) -> None:
    """Copy the job store to FILE and its large bodies to FILE.files; the service may run meanwhile."""
    from litgen_runtime.jobs.backup import back_up

    try:
        count, files = back_up(Path(Service.from_toml(Path(config)).settings.jobs.path), file)
    except LitgenError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{file}: {count} jobs, and {files} files in {file}.files")


@jobs.command()
@_CONFIG
@click.argument("file", type=click.Path(path_type=Path))
def restore(config: str, file: Path) -> None:
    """Put a backup in the place of the job store, which is moved aside; the service must not run."""
    from litgen_runtime.jobs.restore import restore as put_back

    try:
        store = Path(Service.from_toml(Path(config)).settings.jobs.path)
        done = put_back(file, store)
    except LitgenError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{store}: {done.jobs} jobs, and {done.files} files in {store}.files")
    if done.old is not None:
        click.echo(f"What stood there is in {done.old.parent}; delete it when nothing of it is needed.")


def _given_up(client: Client, job_id: str) -> list[str]:
    return [each["id"] for each in client.deliveries(job_id) if each["status"] in _LOST]


def _url(config: str) -> str:
    service = Service.from_toml(Path(config)).settings.service
    if not service.port:
        raise Refused("service.port is 0, so that nobody knows where the service listens. Give its --url.")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(service.host, service.host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{service.port}" if ":" in host else f"http://{host}:{service.port}"


def _key(file: Path | None) -> str | None:
    if file is None and not os.environ.get("LITGEN_API_KEY"):
        return None
    try:
        key = (os.environ["LITGEN_API_KEY"] if file is None else file.read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file} cannot be read: {error}. Give the path of a file that holds an API key.") from None
    if not key or not key.isascii() or not key.isprintable():
        raise Refused(f"{file or 'LITGEN_API_KEY'} holds no API key; expected one line of visible ASCII.")
    return key
