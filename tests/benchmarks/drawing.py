"""Run by matplotlib's own environment, which has nothing else: draws what `plot.py` gives it on standard input."""

import json
import sys
from collections.abc import Sequence
from typing import Any

_COLUMNS = 3
_COLORS = ("#d62728", "#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#7f7f7f", "#000000")


def draw(panels: Sequence[dict[str, Any]], titles: Sequence[str], groups: Sequence[str], path: str) -> None:
    """Write an SVG with a panel for each work.

    Args:
        panels: each with a ``title`` and ``bars``, the values by title, one for each group.
        titles: the bars' names, in the order of their colors.
        groups: what the bars stand together for.
        path: where the file is written.
    """
    import matplotlib as mpl  # type: ignore[import-not-found]  # it has an environment of its own

    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "litgen", "font.size": 8})
    from matplotlib import pyplot

    rows = -(-(len(panels) + 1) // _COLUMNS)  # the legend takes the last place
    figure, axes = pyplot.subplots(rows, _COLUMNS, figsize=(11, 3.2 * rows), squeeze=False)
    for panel, axis in zip(panels, axes.flat, strict=False):
        _panel(panel, titles, groups, axis)
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=color) for color, _ in zip(_COLORS, titles, strict=False)]
    axes.flat[-1].legend(handles, titles, loc="center", frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def _panel(panel: dict[str, Any], titles: Sequence[str], groups: Sequence[str], axis: Any) -> None:
    """Draw one work: a group of bars for each number of connections."""
    width = 0.8 / max(len(panel["bars"]), 1)
    for place, (title, values) in enumerate(panel["bars"].items()):
        left = [group - 0.4 + width * (place + 0.5) for group in range(len(groups))]
        axis.bar(left, values, width * 0.9, color=_COLORS[titles.index(title)])
    axis.set_title(panel["title"])
    axis.set_xticks(range(len(groups)), groups)
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.grid(visible=True, axis="y", linewidth=0.3)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    draw(**json.load(sys.stdin))
