"""Runs a Dockerfile's steps in order, without Docker, in bare folders that stand for the images.

Each stage begins with nothing but a Python, as its base image does. Paths inside the image are moved below the
stage's folder; every stage has the same one while it is built, so that what one stage built still works after
`COPY --from` has put it into the next, as in Docker. Left out is what needs root or only saves time: users, caches,
byte code.
"""

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.template.rendering import environment

_MOVED = re.compile(r"(?<![\w.$}/:])/(app|tmp|usr/local)(?![\w.])")
_FAKES = ("useradd", "chown")
_LEFT_OUT = ("UV_CACHE_DIR", "UV_COMPILE_BYTECODE")


@dataclass
class Image:
    """What a stage has come to.

    Args:
        root: The folder that stands for its file system.
        env: Its ENV.
        workdir: Its WORKDIR, moved below root.
        says: Its CMD, HEALTHCHECK, USER and STOPSIGNAL.
    """

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    workdir: Path = Path("/")
    says: dict[str, str] = field(default_factory=dict)

    def words(self, instruction: str) -> list[str]:
        """Return the exec form of CMD or HEALTHCHECK, with the program's full path."""
        text = self.says[instruction]
        words: list[str] = json.loads(text[text.index("[") :])
        return [shutil.which(words[0], path=self.env["PATH"]) or words[0], *words[1:]]


def build(context: Path, folder: Path) -> Image:
    """Run every step of the context's Dockerfile, and return the last stage.

    Args:
        context: A project's folder; .dockerignore says what of it the steps see.
        folder: An empty folder to work in.
    """
    root, stages = folder / "root", dict[str, Path]()
    seen = _without_ignored(context, folder / "context")
    image, name = Image(root), ""
    for instruction, words in _instructions((context / "Dockerfile").read_text(encoding="utf-8")):
        if instruction == "FROM":
            if root.exists():
                stages[name] = root.rename(folder / f"stage-{name}")
            name = words.partition(" AS ")[2]
            image = _base(root)
        elif root.exists():
            _step(image, instruction, words, seen, stages)
    return image


def moved(text: str, root: Path) -> str:
    """Put the absolute paths of an image below the folder that stands for it."""
    return _MOVED.sub(lambda match: f"{root}/{match[1]}", text)


def _step(image: Image, instruction: str, words: str, context: Path, stages: Mapping[str, Path]) -> None:
    words = moved(words, image.root)
    match instruction:
        case "WORKDIR":
            image.workdir = Path(words)
            image.workdir.mkdir(parents=True, exist_ok=True)
        case "ENV":
            _env(image, shlex.split(words))
        case "COPY":
            _copy(image, shlex.split(words), context, stages)
        case "RUN":
            _run(image, re.sub(r"--mount=\S+\s+", "", words))
        case "CMD" | "HEALTHCHECK" | "USER" | "STOPSIGNAL":
            image.says[instruction] = words
        case _:
            assert instruction in ("ARG", "EXPOSE"), f"{instruction} is not known here"


def _env(image: Image, words: list[str]) -> None:
    """ENV KEY=value KEY="more with $PATH"."""
    for word in words:
        key, _, value = word.partition("=")
        if key not in _LEFT_OUT:
            image.env[key] = value.replace("$PATH", image.env["PATH"])


def _copy(image: Image, words: list[str], context: Path, stages: Mapping[str, Path]) -> None:
    """COPY a b c/, COPY folder folder, COPY --from=stage /path path."""
    source, target = context, image.workdir / words[-1]
    patterns = words[:-1]
    if patterns[0].startswith("--from="):
        source = stages[patterns.pop(0).removeprefix("--from=")]
        patterns = [str(Path(pattern).relative_to(image.root)) for pattern in patterns]
    found = [path for pattern in patterns for path in sorted(source.glob(pattern))]
    assert found, f"COPY {' '.join(words)} finds nothing"
    for path in found:
        if path.is_dir():
            shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(path, target / path.name if words[-1].endswith("/") else target)


def _run(image: Image, command: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=image.workdir,
        env=environment(image.env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"RUN {command} said:\n{done.stdout[-8000:]}"


def _base(root: Path) -> Image:
    """A Python and nothing else, as in python:3.x-slim."""
    local = root / "usr/local"
    (root / "tmp").mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", local], check=True)
    for name in _FAKES:
        (local / "bin" / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (local / "bin" / name).chmod(0o755)
    return Image(root, {"PATH": f"{local}/bin:/usr/bin:/bin"}, root)


def _without_ignored(context: Path, target: Path) -> Path:
    """Copy what .dockerignore lets through: it lists everything first, then the exceptions."""
    lines = (context / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    kept = [rule[1:] for rule in rules if rule.startswith("!")]
    dropped = [rule.removeprefix("**/") for rule in rules[1:] if not rule.startswith("!")]
    target.mkdir(parents=True)
    for path in context.iterdir():
        if not any(fnmatch.fnmatch(path.name, rule) for rule in kept):
            continue
        if path.is_dir():
            shutil.copytree(path, target / path.name, ignore=shutil.ignore_patterns(*dropped))
        else:
            shutil.copy2(path, target / path.name)
    return target


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction with its arguments, comments left out and continued lines joined."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        instruction, _, words = line.partition(" ")
        yield instruction, words.strip()
