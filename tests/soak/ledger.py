"""Who asked, what became of it, and what is wrong with that: a pure core."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.soak.answers import OK, Answer, Asked, Fault, code_of

LEFT = "client left"
CUT = "connection cut"
NEVER_RUN = frozenset(
    {
        "invalid-json",
        "invalid-input",
        "invalid-header",
        "invalid-http",
        "not-found",
        "method-not-allowed",
        "unsupported-media-type",
        "payload-too-large",
        "client-too-slow",
        "queue-full",
        "loading",
        "quarantined",
    }
)


@dataclass
class _Entry:
    asked: Asked
    since: float
    until: float | None = None
    outcome: str | None = None
    runs: int = 0


class Ledger:
    """Every request from its first byte to its end.

    Args:
        most_runs: how often each endpoint may run one request.
    """

    def __init__(self, most_runs: Mapping[str, int]) -> None:
        self._most_runs = dict(most_runs)
        self._entries: dict[str, _Entry] = {}
        self._outages: list[tuple[float, float]] = []
        self._faults: list[str] = []

    @property
    def outcomes(self) -> Counter[str]:
        """How many requests ended in which way."""
        return Counter(entry.outcome or "nothing" for entry in self._entries.values())

    @property
    def asked(self) -> int:
        """How many requests there were."""
        return len(self._entries)

    def opened(self, asked: Asked, now: float) -> None:
        """A client begins to send a request."""
        if asked.key in self._entries:
            raise ValueError(f"{asked.key} is not unique")
        self._entries[asked.key] = _Entry(asked, now)

    def answered(self, key: str, answer: Answer, now: float) -> None:
        """A whole answer has come."""
        try:
            self._close(key, code_of(self._entries[key].asked, answer), now)
        except Fault as fault:
            self._close(key, "wrong answer", now)
            self._faults.append(f"{key}: {fault}")

    def left(self, key: str, now: float) -> None:
        """Its client has left."""
        self._close(key, LEFT, now)

    def cut(self, key: str, now: float) -> None:
        """The connection ended without a whole answer."""
        self._close(key, CUT, now)

    def fault(self, words: str) -> None:
        """Something else was not as it should be."""
        self._faults.append(words)

    def outage(self, began: float, over: float) -> None:
        """The HTTP process was killed, and was there again."""
        self._outages.append((began, over))

    def ran(self, keys: Iterable[str]) -> None:
        """These were run, one by one."""
        for key in keys:
            if key in self._entries:
                self._entries[key].runs += 1
            else:
                self._faults.append(f"{key}: was run although nobody had asked for it")

    def complaints(self) -> list[str]:
        """Return what is wrong, a line each; to be asked once nothing is under way any more."""
        return self._faults + [line for entry in self._entries.values() for line in self._complaints(entry)]

    def _complaints(self, entry: _Entry) -> Iterable[str]:
        key, outcome, runs = entry.asked.key, entry.outcome, entry.runs
        if outcome is None:
            yield f"{key}: lost, never answered (run {runs} times)"
        if outcome == CUT and not entry.asked.may_be_cut and not self._in_outage(entry):
            yield f"{key}: cut without an answer, though the HTTP process was there"
        if outcome == OK and runs == 0:
            yield f"{key}: answered, but never run"
        if outcome in NEVER_RUN and runs and entry.asked.sendings == 1:
            yield f"{key}: refused with {outcome}, but run {runs} times"
        most = self._most_runs[entry.asked.endpoint] * entry.asked.sendings
        if runs > most:
            yield f"{key}: run {runs} times, at most {most} allowed ({outcome})"

    def _in_outage(self, entry: _Entry) -> bool:
        until = entry.since if entry.until is None else entry.until
        return any(entry.since <= over and until >= began for began, over in self._outages)

    def _close(self, key: str, outcome: str, now: float) -> None:
        entry = self._entries[key]
        if entry.outcome is not None:
            self._faults.append(f"{key}: {outcome} after {entry.outcome}: answered more than once")
            return
        entry.outcome, entry.until = outcome, now
