"""The summary of a soak, as Markdown."""

from __future__ import annotations

import os
import platform

from litgen_runtime import __version__
from tests.soak import chaos
from tests.soak.soak import Outcome

_MOST_COMPLAINTS = 50


def summary(outcome: Outcome) -> str:
    """Return what happened, and what is wrong with it."""
    verdict = f"{len(outcome.complaints)} COMPLAINTS" if outcome.complaints else "every claim held"
    lines = [
        "# The soak",
        "",
        f"{outcome.events.total()} random events, {outcome.requests} requests, {outcome.seconds:.0f} s, "
        f"seed {outcome.seed}: **{verdict}**.",
        "",
        f"litgen-runtime {__version__}, Python {platform.python_version()}, {platform.system()}, "
        f"{os.cpu_count()} cores. `make soak` writes this page; tests/soak has the events and the claims.",
        "",
        "| event | times |",
        "|---|---|",
        *(f"| {kind} | {times} |" for kind, times in sorted(outcome.events.items())),
        "",
        "| a request's end | requests |",
        "|---|---|",
        *(f"| {end} | {count} |" for end, count in outcome.outcomes.most_common()),
        "",
        "| quiet moment | HTTP process | its MB | its descriptors | supervisor's MB | its descriptors |",
        "|---|---|---|---|---|---|",
        *(
            f"| {number} | {s.http_pid} | {s.http_rss / 1e6:.1f} | {s.http_fds} | {s.supervisor_rss / 1e6:.1f} "
            f"| {s.supervisor_fds} |"
            for number, s in enumerate(outcome.samples)
        ),
    ]
    if outcome.complaints:
        lines += ["", *(f"- {complaint}" for complaint in outcome.complaints[:_MOST_COMPLAINTS])]
    return "\n".join(lines) + "\n"


def jobs_section(outcome: chaos.Outcome) -> str:
    """Return what became of jobs while everything was killed."""
    verdict = f"{len(outcome.complaints)} COMPLAINTS" if outcome.complaints else "every claim held"
    kills = ", ".join(f"{who} {times}" for who, times in sorted(outcome.kills.items()))
    rows = [
        ("jobs that were acknowledged", outcome.jobs),
        (f"signals: {kills}", outcome.kills.total()),
        ("starts of the service, which is started again as systemd does it", outcome.starts),
        ("jobs that took more than one attempt", outcome.again),
        ("jobs that failed: their worker was killed twice, the second time while it ran them alone", outcome.failed),
        ("webhooks that came, those included that the receiver refused", outcome.posts),
        ("of these, with an id that had been taken before", outcome.duplicates),
    ]
    lines = [
        "## Jobs",
        "",
        f"{outcome.jobs} jobs with webhooks, {outcome.kills.total()} kills and restarts, {outcome.seconds:.0f} s, "
        f"seed {outcome.seed}: **{verdict}**. Each job has one id, however often it was handed in, one end in the "
        "record and one webhook, which was taken and tells what the record says; what came twice came under one id.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {what} | {count:,} |" for what, count in rows),
    ]
    if outcome.complaints:
        lines += ["", *(f"- {complaint}" for complaint in outcome.complaints[:_MOST_COMPLAINTS])]
    return "\n".join(lines) + "\n"
