"""The plot: answers a second of every contender, work by work; made by matplotlib in an environment of its own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.environments import Environment
from tests.benchmarks.errors import BenchmarkError
from tests.benchmarks.serving import Plan, Results
from tests.benchmarks.works import CONNECTIONS, ROOT

REQUIREMENTS = ("matplotlib",)
_COLUMNS = 3
_COLORS = ("#d62728", "#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#7f7f7f", "#000000")


def write(results: Results, plan: Plan, environment: Environment, path: Path) -> None:
    """Draw a run as SVG.

    Raises:
        BenchmarkError: If matplotlib fails.
    """
    panels = [
        {
            "title": f"{work.name}, {'items' if work.streams else 'requests'} a second",
            "bars": {
                contender.title: [
                    median(reading.per_s for reading in results.loads[work, contender, connections])
                    for connections in CONNECTIONS
                ]
                for contender in plan.contenders
                if (work, contender, CONNECTIONS[0]) in results.loads
            },
        }
        for work in plan.works
    ]
    titles = [contender.title for contender in plan.contenders]
    given = json.dumps({"panels": panels, "titles": titles, "path": str(path)})
    command = [str(environment.python), "-m", "tests.benchmarks.plot"]
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"the plot could not be drawn; see what matplotlib says:\n{done.stderr}")


def _draw(panels: Sequence[dict[str, Any]], titles: Sequence[str], path: str) -> None:
    import matplotlib as mpl  # type: ignore[import-not-found]  # it has an environment of its own

    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "litgen", "font.size": 8})
    from matplotlib import pyplot

    rows = -(-len(panels) // _COLUMNS)
    figure, axes = pyplot.subplots(rows, _COLUMNS, figsize=(11, 3.2 * rows), squeeze=False)
    for panel, axis in zip(panels, axes.flat, strict=False):
        _panel(panel, titles, axis)
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=color) for color, _ in zip(_COLORS, titles, strict=False)]
    figure.legend(handles, titles, loc="lower right", bbox_to_anchor=(0.95, 0.08), frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def _panel(panel: dict[str, Any], titles: Sequence[str], axis: Any) -> None:
    """Draw one work: a group of bars for each number of connections, on a logarithmic scale."""
    width = 0.8 / max(len(panel["bars"]), 1)
    for place, (title, values) in enumerate(panel["bars"].items()):
        left = [group - 0.4 + width * (place + 0.5) for group in range(len(CONNECTIONS))]
        axis.bar(left, values, width * 0.9, color=_COLORS[titles.index(title)])
    axis.set_title(panel["title"])
    axis.set_xticks(range(len(CONNECTIONS)), [f"{connections} conn." for connections in CONNECTIONS])
    axis.set_yscale("log")
    axis.grid(visible=True, axis="y", linewidth=0.3)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    _draw(**json.load(sys.stdin))
