"""Thousands of jobs with webhooks while everything is killed, and the three accounts of them side by side."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.receivers import SECRET, Received, Receiver, Reply, receiving
from tests.services import config, endpoint
from tests.soak import lines, record
from tests.soak.kept import Kept
from tests.soak.record import ENDS, Recorded, Told

_CLIENTS = 16
_DEEDS = (
    ("worker", signal.SIGKILL),
    ("http", signal.SIGKILL),
    ("supervisor", signal.SIGKILL),
    ("supervisor", signal.SIGTERM),
)
_LARGE_EVERY, _LARGE = 20, 100_000  # characters: more than is kept in the database, or told
_REFUSED_EVERY = 29  # so many webhooks are taken before one is refused
_AGAIN_S = 0.05
_PATIENCE_S = 120.0  # without anything that moves
_FILES = "var/jobs.db.files"
_OPEN = "SELECT (SELECT COUNT(*) FROM jobs WHERE finished_at IS NULL) + (SELECT COUNT(*) FROM deliveries WHERE {})"


@dataclass
class Outcome:
    """What it has shown.

    Args:
        seed: of the kills.
        jobs: how many were acknowledged.
        kills: how often who was sent which signal.
        starts: how often the service was started.
        again: jobs that took more than one attempt.
        failed: jobs that were running alone as their worker was killed a second time.
        posts: webhooks that were received, the refused ones included.
        duplicates: webhooks that had been taken before.
        seconds: how long it took.
        complaints: what is wrong.
    """

    seed: int
    jobs: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    again: int = 0
    failed: int = 0
    posts: int = 0
    duplicates: int = 0
    seconds: float = 0.0
    complaints: list[str] = field(default_factory=list)


class _Progress:
    """What has been acknowledged and told of so far."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, set[str]] = {}
        self.refused: set[int] = set()  # which, by identity
        self.taken = 0
        self._numbers = itertools.count(1)

    def says(self, _: int, received: Received) -> Reply:
        """Answer a webhook: now and then it is refused, and has to come again."""
        if not next(self._numbers) % _REFUSED_EVERY:
            self.refused.add(id(received))
            return Reply(503)
        self.taken += 1
        return Reply()


def chaos(
    folder: Path, seed: int, jobs: int, kills: int, say: Callable[[str], None] = lambda _: None, log: Path | None = None
) -> Outcome:
    """Hand in so many jobs, kill so often meanwhile, and compare.

    Args:
        folder: where service.toml and the store go.
        seed: of the kills.
        jobs: how many.
        kills: how often something is killed, spread over the time until all is told.
        say: told about progress.
        log: where the service's log goes.
    """
    began = time.monotonic()
    outcome, progress = Outcome(seed), _Progress()
    with receiving(progress.says) as receiver:
        kept = Kept(_service_toml(folder, receiver), _free_port(), {"HOOK_KEYS": SECRET}, log or folder / "log")
        kept.start()
        try:
            asyncio.run(_run(kept, receiver, progress, outcome, jobs, kills, say))
            outcome.complaints += _until_all_is_done(folder)
        finally:
            kept.stop()
        found, words = _recorded(folder), _files(folder)
        told = _told(receiver.received, progress.refused)
    if kept.exit_code != 0:
        outcome.complaints.append(f"the service ended with exit code {kept.exit_code}")
    outcome.complaints += [f"still running: {line}" for line in kept.marked.leftovers()]
    outcome.complaints += words + record.complaints(progress.acknowledged, found, told)
    everything = [job for those in found.values() for job in those]
    outcome.jobs, outcome.starts, outcome.posts = len(progress.acknowledged), kept.starts, len(receiver.received)
    outcome.again = sum(job.attempt > 1 for job in everything)
    outcome.failed = sum(job.status == "failed" for job in everything)
    outcome.duplicates = record.duplicates(told)
    outcome.seconds = time.monotonic() - began
    return outcome


def _service_toml(folder: Path, receiver: Receiver) -> Path:
    together = endpoint("actions:ActTogether", "/act", jobs=True, batching={"max_size": 32, "max_wait_s": 0.002})
    together["workers"]["per_device"] = 2
    webhooks = {"secrets": "env:HOOK_KEYS", "allow_http": True, "allow_private": True, "ports": [receiver.port]}
    webhooks["schedule_s"] = [0, *[0.2] * 99]
    return config(folder, {"act": together}, jobs={"max_attempts": 50}, webhooks=webhooks)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def _run(
    kept: Kept,
    receiver: Receiver,
    progress: _Progress,
    outcome: Outcome,
    jobs: int,
    kills: int,
    say: Callable[[str], None],
) -> None:
    todo = iter(range(jobs))

    async def client() -> None:
        for number in todo:
            key, size = f"k{number}", 0 if number % _LARGE_EVERY else _LARGE
            progress.acknowledged[key] = {await _accepted(kept.port, key, size, receiver.url)}

    async with asyncio.timeout(_PATIENCE_S + jobs / 20), asyncio.TaskGroup() as group:
        for _ in range(_CLIENTS):
            group.create_task(client())
        group.create_task(_kill(kept, progress, outcome, jobs, kills, say))


async def _accepted(port: int, key: str, size: int, hook: str) -> str:
    """Hand a job in, again and again, until it has been acknowledged; return its id."""
    body = json.dumps({"do": "echo", "text": f"{key} ".ljust(size)}).encode()
    headers = ("Prefer: respond-async", f"Idempotency-Key: {key}", f"Webhook-Url: {hook}")
    while True:
        with contextlib.suppress(lines.Cut, TimeoutError, OSError):
            line = await lines.Line.open(port)
            try:
                await line.send(lines.post("/act", key, body, *headers))
                answer = await line.answer()
            finally:
                line.close()
            if answer.status == 202:
                return str(json.loads(answer.body)["id"])
        await asyncio.sleep(_AGAIN_S)


async def _kill(
    kept: Kept, progress: _Progress, outcome: Outcome, jobs: int, kills: int, say: Callable[[str], None]
) -> None:
    """Kill one after the other, as jobs are acknowledged and told of."""
    dice = random.Random(outcome.seed)
    for number in range(kills):
        while len(progress.acknowledged) + progress.taken < 2 * jobs * (number + 1) / (kills + 1):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        await asyncio.sleep(dice.uniform(0.0, 0.3))
        who, how = _DEEDS[number % len(_DEEDS)]
        while (pid := await asyncio.to_thread(kept.victim, who)) is None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)
            outcome.kills[f"{how.name} {who}"] += 1
        say(f"{len(progress.acknowledged)} jobs acknowledged, {progress.taken} webhooks taken; {how.name}: {who}")


def _until_all_is_done(folder: Path) -> list[str]:
    """Wait until every job has ended and every webhook is delivered, as the store says."""
    left, moved = -1, time.monotonic()
    while left and time.monotonic() - moved < _PATIENCE_S:
        now = int(_query(folder, _OPEN.format("status = 'pending'"))[0][0])
        if now != left:
            left, moved = now, time.monotonic()
        time.sleep(0.1)
    return [f"{left} jobs and webhooks are still to be done"] if left else []


def _query(folder: Path, words: str) -> Sequence[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(folder / "var" / "jobs.db", timeout=10.0)) as database:
        return database.execute(words).fetchall()


def _recorded(folder: Path) -> Mapping[str, Sequence[Recorded]]:
    ends: Counter[int] = Counter()
    for job, kind in _query(folder, "SELECT job, kind FROM events"):
        ends[job] += kind in ENDS
    deliveries: dict[int, dict[str, str]] = {}
    for job, webhook_id, status in _query(folder, "SELECT job, id, status FROM deliveries"):
        deliveries.setdefault(job, {})[webhook_id] = status
    values = {
        job: _value(data if file is None else (folder / _FILES / file).read_bytes())
        for job, data, file in _query(folder, "SELECT job, data, file FROM payloads WHERE kind = 'result'")
    }
    found: dict[str, list[Recorded]] = {}
    jobs = "SELECT seq, id, status, attempt, error, keys.key FROM jobs LEFT JOIN keys ON keys.job = seq"
    for seq, job_id, status, attempt, error, key in _query(folder, jobs):
        code = json.loads(error)["code"] if error else None
        job = Recorded(job_id, status, attempt, code, ends[seq], values.get(seq), deliveries.get(seq, {}))
        found.setdefault(str(key), []).append(job)
    return found


def _value(result: bytes) -> str:
    """Return the key that a result is of."""
    return str(json.loads(result)["value"]).strip()


def _files(folder: Path) -> list[str]:
    """Return what is wrong with the files beside the database: each is some job's, and there."""
    named = {file for (file,) in _query(folder, "SELECT file FROM payloads WHERE file IS NOT NULL")}
    return [
        f"{file}: a file without a job, or the reverse"
        for file in named ^ {path.name for path in (folder / _FILES).iterdir()}
    ]


def _told(received: Sequence[Received], refused: set[int]) -> Mapping[str, Sequence[Told]]:
    told: dict[str, list[Told]] = {}
    for each in received:
        job = each.document["data"]["job"]
        value = job["output"]["value"].strip() if job["output"] else None
        post = Told(each.webhook_id, each.document["type"], each.body, value, id(each) not in refused)
        told.setdefault(job["id"], []).append(post)
    return told
