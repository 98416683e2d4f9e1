"""One version of the template as a git bundle: one parentless commit, the same id from the same sources."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from litgen_generator import git
from litgen_generator.release import wheel
from litgen_generator.release.source import Source

VERSION_FILE = "template/version.yml"
VENDOR = "template/project/vendor"

_SOURCE_REF = "refs/litgen/source/"
_COMMIT = f"""\
commit refs/heads/main
committer litgen <litgen@localhost> {wheel.BUILD_TIME} +0000
"""


def with_version(question: str, runtime_version: str) -> str:
    """The text of template/version.yml with the version that projects are to pin."""
    return re.sub(r"^  default: .*$", f"  default: {runtime_version}", question, flags=re.MULTILINE)


def build(source: Source, target: Path) -> None:
    """Write the bundle of the sources to `target`, which is replaced at once or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".litgen-bundle-", dir=target.parent) as folder:
        scratch = Path(folder)
        runtime = wheel.built(source, source.runtime_version, scratch)
        repository = scratch / "repository"
        repository.mkdir()
        env = git.neutral_environment()
        git.run(
            "init",
            "--quiet",
            "--bare",
            "--object-format=sha1",
            "--initial-branch=main",
            ".",
            cwd=repository,
            env=env,
        )
        git.run("fast-import", "--quiet", cwd=repository, env=env, stdin=b"".join(_history(source, runtime)))
        refs = ("HEAD", "refs/heads/main", f"refs/tags/{source.tag}", f"{_SOURCE_REF}{source.digest}")
        git.run("-c", "pack.threads=1", "bundle", "create", "--quiet", "../bundle", *refs, cwd=repository, env=env)
        (scratch / "bundle").replace(target)


def source_digest(bundle: Path) -> str:
    """The digest of the sources that a bundle was built from."""
    with bundle.open("rb") as file:
        for line in file:
            name = line.decode("ascii", "replace").rstrip("\n").partition(" ")[2]
            if name.startswith(_SOURCE_REF):
                return name.removeprefix(_SOURCE_REF)
            if line == b"\n":
                break
    raise ValueError(f"{bundle} does not say which sources it holds")


def _history(source: Source, runtime: Path) -> Iterator[bytes]:
    """The commit as git's fast-import reads it."""
    yield _COMMIT.encode() + _data(f"litgen {source.tag}\n".encode())
    for path in source.files("copier.yml", "template"):
        content = (source.root / path).read_bytes()
        if path == VERSION_FILE:
            content = with_version(content.decode(), source.runtime_version).encode()
        yield _file(path, content, executable=source.is_executable(path))
    yield _file(f"{VENDOR}/{runtime.name}", runtime.read_bytes())
    for ref in (f"refs/tags/{source.tag}", f"{_SOURCE_REF}{source.digest}"):
        yield f"reset {ref}\nfrom refs/heads/main\n\n".encode()


def _file(path: str, content: bytes, *, executable: bool = False) -> bytes:
    return f"M {'100755' if executable else '100644'} inline {path}\n".encode() + _data(content)


def _data(content: bytes) -> bytes:
    return f"data {len(content)}\n".encode() + content + b"\n"
