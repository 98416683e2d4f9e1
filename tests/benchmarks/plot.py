"""The plot: answers a second of every contender, work by work; made by matplotlib in an environment of its own."""

import json
import subprocess
from pathlib import Path
from statistics import median

from tests.benchmarks.environments import Environment
from tests.benchmarks.errors import BenchmarkError
from tests.benchmarks.serving import Plan, Results
from tests.benchmarks.works import CONNECTIONS, ROOT

REQUIREMENTS = ("matplotlib",)
_SCRIPT = Path(__file__).with_name("drawing.py")


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
    groups = [f"{connections} conn." for connections in CONNECTIONS]
    given = json.dumps({"panels": panels, "titles": titles, "groups": groups, "path": str(path)})
    command = [str(environment.python), str(_SCRIPT)]
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"the plot could not be drawn; see what matplotlib says:\n{done.stderr}")
