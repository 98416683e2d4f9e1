"""Markdown tables, and how figures stand in them."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(values: Sequence[float], form: Callable[[float], str]) -> str:
    """Return the median, with the lowest and the highest in brackets."""
    return f"{form(median(values))} ({form(min(values))} to {form(max(values))})"


def ms(seconds: float) -> str:
    """Return whole milliseconds."""
    return f"{seconds * 1e3:,.0f}"


def ratio(value: float) -> str:
    """Return a ratio with the digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
