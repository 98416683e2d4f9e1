"""Who is measured: what each one needs installed, and how it is started."""

from dataclasses import dataclass

from tests.benchmarks.works import APPS, ROOT, Work


@dataclass(frozen=True)
class Contender:
    """One server.

    Args:
        name: its environment, and the first half of its app's module name.
        title: how the report calls it.
        requirements: what its environment holds.
        packages: of these, the versions that the report names.
        probe: the path that is 200 as soon as the server is up.
        processes: who takes part, in words.
    """

    name: str
    title: str
    requirements: tuple[str, ...]
    packages: tuple[str, ...]
    probe: str
    processes: str

    def command(self, work: Work, port: int) -> list[str]:
        """Return Python's arguments, to be run in the repository's root."""
        return ["-m", f"tests.benchmarks.apps.{work.name}.{self.name}_app", str(port)]


class Litgen(Contender):
    """litgen's runtime, started as its documentation says."""

    def command(self, work: Work, port: int) -> list[str]:
        """Return Python's arguments, to be run in the repository's root."""
        config = str(APPS / work.name / "service.toml")
        return ["-m", "litgen_runtime", "serve", "--config", config, "--host", "127.0.0.1", "--port", str(port)]


_UVICORN = ("uvicorn", "uvloop", "httptools")

LITGEN = Litgen(
    "litgen",
    "litgen",
    (str(ROOT / "runtime_lib"),),
    ("litgen-runtime", *_UVICORN, "pydantic"),
    "/livez",
    "HTTP process, one worker",
)
LITSERVE = Contender(
    "litserve",
    "LitServe",
    ("litserve", *_UVICORN),
    ("litserve", "fastapi", *_UVICORN, "pydantic"),
    "/health",
    "HTTP process, one worker",
)
STARLETTE = Contender(
    "starlette",
    "bare uvicorn+Starlette",
    ("starlette", "pydantic", *_UVICORN),
    ("starlette", *_UVICORN, "pydantic"),
    "/livez",
    "HTTP process only",
)
CONTENDERS = (LITGEN, LITSERVE, STARLETTE)
