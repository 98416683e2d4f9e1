"""Versions of the template as a git bundle: a parentless commit for each, the same id from the same sources."""

import hashlib
import io
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from litgen_generator import git
from litgen_generator.release import wheel
from litgen_generator.release.source import Source

VERSION_FILE = "template/version.yml"
VENDOR = "template/project/vendor"

_SOURCE_REF = "refs/litgen/source/"
_HEAD = re.compile(rb"# v[23] git bundle(\n@[^\n]*)*(\n[0-9a-f]{40,64} [^\n]+)+")
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
        _init(repository, env)
        git.run("fast-import", "--quiet", cwd=repository, env=env, stdin=b"".join(_history(source, runtime)))
        kept = ("HEAD", "refs/heads/main", f"refs/tags/{source.tag}", f"{_SOURCE_REF}{source.digest}")
        _pack(repository, scratch / "bundle", *kept)
        (scratch / "bundle").replace(target)


def join(bundles: Mapping[str, Path], target: Path) -> None:
    """Write one bundle that holds several versions, each as its parentless commit.

    Args:
        bundles: A bundle for each tag, which is in it; the last one is the HEAD of the new bundle.
        target: Where it is written; nothing stands there yet.

    Raises:
        LitgenError: If a bundle cannot be read, or does not hold its tag.
    """
    with tempfile.TemporaryDirectory(prefix="litgen-bundle-") as folder:
        env, repository = git.neutral_environment(), Path(folder)
        _init(repository, env)
        for tag, path in bundles.items():
            git.run("fetch", "--quiet", path, f"refs/tags/{tag}:refs/tags/{tag}", cwd=repository, env=env)
        git.run("update-ref", "refs/heads/main", f"refs/tags/{[*bundles][-1]}", cwd=repository, env=env)
        _pack(repository, target, "HEAD", "refs/heads/main", *(f"refs/tags/{tag}" for tag in bundles))


def refs(bundle: Path) -> dict[str, str]:
    """What a bundle holds: the commit of each ref."""
    with bundle.open("rb") as file:
        return _refs(file)


def holds(content: bytes, tag: str) -> bool:
    """Whether a bundle holds a version."""
    return f"refs/tags/{tag}" in _refs(io.BytesIO(content))


def is_whole(content: bytes) -> bool:
    """Whether a bundle is whole: its head names versions only, and a pack of git's ends with its own SHA-1."""
    head, _, pack = content.partition(b"\n\n")
    return bool(_HEAD.fullmatch(head)) and hashlib.sha1(pack[:-20], usedforsecurity=False).digest() == pack[-20:]


def file_in(bundle: Path, tag: str, path: str) -> bytes | None:
    """A file of a version in a bundle, if there is such a file.

    Raises:
        LitgenError: If the bundle cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="litgen-bundle-") as folder:
        env, repository = git.neutral_environment(), Path(folder)
        _init(repository, env)
        git.run("fetch", "--quiet", bundle, f"refs/tags/{tag}:refs/tags/{tag}", cwd=repository, env=env)
        if not git.run("ls-tree", "--name-only", tag, "--", path, cwd=repository, env=env):
            return None
        return git.output("cat-file", "blob", f"{tag}:{path}", cwd=repository, env=env)


def source_digest(bundle: Path) -> str:
    """The digest of the sources that a bundle was built from."""
    digests = [name.removeprefix(_SOURCE_REF) for name in refs(bundle) if name.startswith(_SOURCE_REF)]
    if not digests:
        raise ValueError(f"{bundle} does not say which sources it holds")
    return digests[0]


def _refs(file: BinaryIO) -> dict[str, str]:
    found = {}
    for line in file:
        commit, _, name = line.decode("ascii", "replace").rstrip("\n").partition(" ")
        if line == b"\n":
            break
        found[name] = commit
    return found


def _init(repository: Path, env: Mapping[str, str]) -> None:
    branch = "--initial-branch=main"
    git.run("init", "--quiet", "--bare", "--object-format=sha1", branch, ".", cwd=repository, env=env)


def _pack(repository: Path, target: Path, *kept: str) -> None:
    env = git.neutral_environment()
    git.run("-c", "pack.threads=1", "bundle", "create", "--quiet", target, *kept, cwd=repository, env=env)


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
