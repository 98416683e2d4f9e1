"""Who is measured: what each one needs installed, and how it is started."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.works import APPS, BLOB, JOBS, ROOT, Ask, Work

_TORCH = "torch==2.13.0"


@dataclass(frozen=True)
class Contender:
    """One server, or the model without one.

    Args:
        name: its environment, and the first half of its app's module name.
        title: how the report calls it.
        requirements: what its environment holds.
        packages: of these, the versions that the report names.
        probe: the path that is 200 as soon as the server is up.
        processes: who takes part, in words.
        batching: how its batches are configured, in words.
        notes: what else a reader has to know to judge it.
        env: variables that it is started with.
    """

    name: str
    title: str
    requirements: tuple[str, ...]
    packages: tuple[str, ...]
    probe: str
    processes: str
    batching: str = "none"
    notes: str = ""
    env: Mapping[str, str] = field(default_factory=dict, hash=False)

    def takes(self, work: Work) -> bool:
        """Say whether it has an app for this work."""
        return (APPS / work.name / f"{self.name}_app.py").is_file()

    def needs(self, works: tuple[Work, ...]) -> tuple[str, ...]:
        """Return what its environment holds, for these works."""
        torch = any(work.torch and self.takes(work) for work in works)
        return (*self.requirements, _TORCH) if torch else self.requirements

    def ask(self, work: Work) -> Ask:
        """Return the request in the form that this server takes."""
        return work.ask

    def command(self, work: Work, port: int) -> list[str]:
        """Return Python's arguments, to be run in the repository's root."""
        return ["-m", f"tests.benchmarks.apps.{work.name}.{self.name}_app", str(port)]


class Litgen(Contender):
    """litgen's runtime, started as its documentation says."""

    def command(self, work: Work, port: int) -> list[str]:
        """Return Python's arguments, to be run in the repository's root."""
        config = str(APPS / work.name / "service.toml")
        return ["-m", "litgen_runtime", "serve", "--config", config, "--host", "127.0.0.1", "--port", str(port)]


class LitServe(Contender):
    """LitServe, which takes bytes in multipart forms only."""

    def ask(self, work: Work) -> Ask:
        """Return the request in the form that LitServe takes."""
        if work is not BLOB:
            return work.ask
        head = 'Content-Disposition: form-data; name="content"; filename="blob"\r\nContent-Type: {}\r\n\r\n'
        boundary = b"--litgen-benchmark"
        parts = [boundary, b"\r\n", head.format(work.ask.content_type).encode(), work.ask.body, b"\r\n", boundary]
        content_type = f"multipart/form-data; boundary={boundary[2:].decode()}"
        return Ask(b"".join([*parts, b"--\r\n"]), work.ask.answer, content_type)


class Mosec(Contender):
    """MOSEC, which is configured on its command line."""

    def command(self, work: Work, port: int) -> list[str]:
        """Return Python's arguments, to be run in the repository's root."""
        options = ["--address", "127.0.0.1", "--port", str(port), "--log-level", "warning", "--timeout", "30000"]
        return [*super().command(work, port)[:2], *options]


class BentoML(Contender):
    """BentoML, whose batched methods take a list from every client."""

    def ask(self, work: Work) -> Ask:
        """Return the request in the form that BentoML takes."""
        if self.batches(work):
            return Ask(json.dumps({"batch": [json.loads(work.ask.body)]}).encode(), [work.ask.answer])
        return work.ask

    def batches(self, work: Work) -> bool:
        """Say whether the work is batched."""
        return work is JOBS or (APPS / work.name / "alone_app.py").is_file()

    def command(self, work: Work, port: int) -> list[str]:
        """Return Python's arguments, to be run in the repository's root."""
        app = super().command(work, port)[1]
        where = ["--host", "127.0.0.1", "--port", str(port), "--working-dir", str(ROOT)]
        return ["-m", "bentoml", "serve", f"{app}:{_SERVICES[work.name]}", *where]


class Alone(Contender):
    """A model in a loop, without a server: the ceiling for batched works."""

    def command(self, work: Work, port: int) -> list[str]:
        """Return Python's arguments; the caller appends the size of a batch and the seconds."""
        return super().command(work, port)[:2]


_SERVICES = {
    "noop": "Noop",
    "device": "DeviceService",
    "mlp": "MlpService",
    "blob": "Blob",
    "stream": "Stream",
    "jobs": "DeviceTasks",
}
_UVICORN = ("uvicorn", "uvloop", "httptools")
_OURS: dict[str, Any] = {
    "requirements": (str(ROOT / "runtime_lib"),),
    "packages": ("litgen-runtime", *_UVICORN, "pydantic"),
    "probe": "/livez",
}

LITGEN = Litgen(
    "litgen",
    "litgen",
    processes="HTTP process, one worker",
    batching="`max_size = 32`, `max_wait_s = 0.005`",
    notes="validation, request ids, deadlines, queue bounds and metrics on, as in every service",
    **_OURS,
)
LITSERVE = LitServe(
    "litserve",
    "LitServe",
    ("litserve", "python-multipart", *_UVICORN),
    ("litserve", "fastapi", *_UVICORN, "pydantic"),
    "/health",
    "HTTP process, one worker",
    "`max_batch_size=32`, `batch_timeout=0.005`",
    "takes bytes in a multipart form; streams a JSON document a line",
)
MOSEC = Mosec(
    "mosec",
    "MOSEC",
    ("mosec", "pydantic"),
    ("mosec", "pydantic"),
    "/",
    "HTTP process (Rust), one worker",
    "`max_batch_size=32`, `max_wait_time=5`",
    "pydantic in `deserialize` and `serialize`; `--timeout 30000`",
)
BENTOML = BentoML(
    "bentoml",
    "BentoML",
    ("bentoml", *_UVICORN),
    ("bentoml", *_UVICORN, "pydantic"),
    "/livez",
    "HTTP and model in one process",
    "`batchable=True`, `max_batch_size=32`, its own adaptive window",
    "a batched request is a list of one; bytes come as a file; access log off",
    {"BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": str(ROOT / ".litgen-cache" / "benchmarks" / "bentoml-home")},
)
FASTAPI = Contender(
    "fastapi",
    "FastAPI by hand",
    ("fastapi", *_UVICORN),
    ("fastapi", *_UVICORN, "pydantic"),
    "/livez",
    "HTTP and model in one process",
    notes="`async def` where nothing blocks; models in its thread pool; its own server-sent events",
)
STARLETTE = Contender(
    "starlette",
    "bare uvicorn+Starlette",
    ("starlette", "pydantic", *_UVICORN),
    ("starlette", *_UVICORN, "pydantic"),
    "/livez",
    "HTTP process only",
    notes="no worker and nothing to dispatch: the ceiling of its HTTP server; nothing to measure where batches matter",
)
ALONE = Alone(
    "alone",
    "the model alone",
    processes="one process without a server",
    batching="batches of 32, or of one at one connection",
    notes="the same model code in a loop: what a server in front of it can reach at best",
    **_OURS,
)
SERVERS = (LITGEN, LITSERVE, MOSEC, BENTOML, FASTAPI, STARLETTE)
CONTENDERS = (*SERVERS, ALONE)
