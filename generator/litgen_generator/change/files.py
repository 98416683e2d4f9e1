"""Files written, moved and kept so that a stop at any moment leaves the one or the other."""

import contextlib
import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

from litgen_generator.change.apart import tell
from litgen_generator.change.trees import LINK, PROGRAM, Entry


def write(place: Path, entry: Entry, target: Path) -> None:
    """Write a file, with the permissions that it has where it is to go."""
    if entry.mode == LINK:
        place.symlink_to(os.fsdecode(entry.content))
        return
    place.write_bytes(entry.content)
    mode = target.stat().st_mode & 0o777 if target.is_file() and not target.is_symlink() else place.stat().st_mode
    runs = (mode & 0o444) >> 2 if entry.mode == PROGRAM else 0
    place.chmod((mode & ~0o111 | runs) & 0o777)


def keep(file: Path, place: Path) -> None:
    """Have a file at a second place, too, unless it is there already."""
    if os.path.lexists(place) or not os.path.lexists(file):
        return
    try:
        os.link(file, place, follow_symlinks=False)
    except OSError:  # another file system, or one without links
        beside = place.with_name("copy")
        beside.unlink(missing_ok=True)
        shutil.copy2(file, beside, follow_symlinks=False)
        beside.rename(place)


def put(file: Path, target: Path) -> None:
    """Move a file to where it is to be, whatever stands there; to another file system too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = target.with_name(f".litgen-{target.name}")
        try:
            shutil.copy2(file, beside, follow_symlinks=False)
            sync(beside)
            beside.replace(target)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        file.unlink()


def remove(root: Path, place: Path) -> None:
    """Delete a file, and the folders below the root that are empty without it."""
    place.unlink(missing_ok=True)
    for folder in place.parents:
        if folder == root:
            break
        with contextlib.suppress(OSError):
            folder.rmdir()


def put_aside(place: Path) -> None:
    """Keep what the owner has written since, and say where."""
    names = (f"{place.name}.yours{number}" for number in ("", *range(2, 1000)))
    beside = next(each for name in names if not os.path.lexists(each := place.with_name(name)))
    place.rename(beside)
    tell(f"{place} was edited after litgen had been stopped while it wrote: what you have written is in {beside}")


def write_json(place: Path, data: Any) -> None:
    """Write a JSON document, whole or not at all."""
    beside = place.with_name(f"{place.name}.new")
    beside.write_text(json.dumps(data), encoding="utf-8")
    beside.replace(place)


def sync(*places: Path) -> None:
    """Have files and folders on the disk itself."""
    for place in places:
        if place.is_symlink():
            continue
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError:
            if not place.is_dir():  # not every file system can do that to a folder
                raise
        finally:
            os.close(descriptor)
