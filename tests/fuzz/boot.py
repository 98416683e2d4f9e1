"""Whether a project's service still starts and its own tests pass, on the runtime that it carries."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path


def failures(project: Path) -> Iterator[str]:
    """What its tests say, if they fail."""
    wheels = list((project / "vendor").glob("litgen_runtime-*.whl"))
    if len(wheels) != 1:
        yield f"vendor/ holds {[wheel.name for wheel in wheels]}; expected one wheel of the runtime"
        return
    runtime = project.parent / "runtime"
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(runtime)
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis", "tests")
    done = subprocess.run(
        command,
        cwd=project,
        env={**env, "PYTHONPATH": f"{runtime}:{project / 'src'}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        yield f"its tests say {done.stdout[-1500:]}{done.stderr[-500:]}"
