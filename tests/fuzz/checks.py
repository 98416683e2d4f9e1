"""What has to hold after a command, whatever its owner had done before."""

import re
from collections import Counter
from collections.abc import Iterator

import yaml

from litgen_generator.change.merge import endpoint_of, is_owned
from litgen_generator.change.project import ANSWERS, SETTINGS
from litgen_generator.change.runtime_pin import PYPROJECT
from litgen_generator.change.trees import Entry
from litgen_runtime.errors import SettingsError
from litgen_runtime.settings.load import validate
from tests.fuzz import oracle
from tests.fuzz.plan import Scenario
from tests.fuzz.seen import CONFLICT, Seen
from tests.workshop import WORST_EXIT, Said, Tree

README = "README.md"
_BOOKS = (".litgen/", "vendor/litgen_runtime")


def refused(said: Said, scenario: Scenario) -> Iterator[str]:
    """A refusal is a sentence for the person at the terminal, no traceback; only what the owner made is in the way."""
    blocks = any(edit.kind in ("add", "link", "move", "turn") for edit in scenario.edits)
    if said.code == WORST_EXIT or said.code not in (1, 2):
        yield f"exit code {said.code}: {said.error}"
    elif said.error.startswith("git failed") or "could not be rendered" in said.error or len(said.error) < 30:
        yield f"it is refused with: {said.error}"
    elif "what it was a moment ago" in said.error and not blocks:
        yield f"it is refused without a reason: {said.error}"


def done(seen: Seen) -> Iterator[str]:
    """Everything that holds when a command has changed the tree."""
    yield from _survival(seen)
    yield from _answers(seen)
    yield from _reported(seen)
    yield from _files(seen)
    yield from _deletions(seen)
    yield from _both(seen)
    yield from _fixes(seen)
    yield from _conflicts(seen)
    yield from _settings(seen)


def tokens_in(tree: Tree, scenario: Scenario) -> Iterator[tuple[str, bytes]]:
    """Every line that the owner wrote, and where: those that hold a token, in whatever encoding."""
    marks = [edit.token for edit in scenario.edits if edit.token]
    for path, (_, content) in tree.items():
        if path.startswith(_BOOKS):
            continue
        for token in marks:
            plain, wide = token.encode(), token.encode("utf-16-le")
            if plain in content and path == SETTINGS:
                yield path, plain
            elif plain in content:
                yield from ((path, line.strip(b"\r")) for line in content.split(b"\n") if plain in line)
            elif wide in content:
                yield path, wide


def _any_runtime(text: bytes) -> bytes:
    """The text without which runtime it names: that is the template's, whatever stands beside it."""
    return re.sub(rb"litgen-runtime==[^\"'\s;,]+|litgen_runtime-[^\"'/\s]+\.whl", b"litgen-runtime", text)


def _survival(seen: Seen) -> Iterator[str]:
    kept = b"\n".join(entry.content for path, entry in seen.after.items() if not path.startswith(_BOOKS))
    kept = _any_runtime(kept.replace(b"\r\n", b"\n"))
    for path, line in tokens_in(seen.ours, seen.scenario):
        if _any_runtime(line) not in kept:
            yield f"lost from {path!r}: {line!r}"


def _answers(seen: Seen) -> Iterator[str]:
    known = yaml.safe_load(seen.after[ANSWERS].content)
    scenario = seen.scenario
    wanted = scenario.command[2] if scenario.command[0] == "update" else scenario.tag
    if known.get("_commit") != wanted:
        yield f"the answers name {known.get('_commit')}, not {wanted}"


def _reported(seen: Seen) -> Iterator[str]:
    if (seen.said.code == CONFLICT) != bool(seen.conflicts):
        yield f"exit code {seen.said.code} with the conflicts {seen.conflicts}"
    for path, (_, content) in seen.after.items():
        if b"\n<<<<<<< " in b"\n" + content and path not in seen.conflicting:
            yield f"{path!r} holds markers and no conflict is reported"


def _files(seen: Seen) -> Iterator[str]:
    """What only one side has touched is as that side has it."""
    adopted = _adopted(seen)
    for path, mine in seen.ours.items():
        base, theirs, now = (tree.get(path) for tree in (seen.base, seen.theirs, seen.after))
        if path in seen.conflicting or path in (ANSWERS, SETTINGS) or path.startswith(_BOOKS):
            continue
        if path + "~yours" in seen.conflicting and now is None:
            now = seen.after.get(path + "~yours")  # a folder has to be there now
        if base is None and theirs is None and now != mine and not seen.was_moved(path):
            yield f"{path!r}, the owner's own, is {'gone' if now is None else 'another'}"
        if base == mine and now != theirs and not (path == README and _is_silent(seen)):
            yield f"{path!r}, which nobody had edited, is not what the template gives"
        if base and now and base.mode != mine.mode and now.mode != mine.mode:
            yield f"{path!r} had the mode {mine.mode} and has {now.mode}"
    for path in seen.theirs:
        if path in seen.base or path in seen.ours or path in seen.conflicting or endpoint_of(path) in adopted:
            continue
        if path not in seen.after and not _is_elsewhere(seen, path):
            yield f"{path!r}, which is new, is not there"


def _is_elsewhere(seen: Seen, path: str) -> bool:
    """Whether there is a reason that a file of the template is not at its path: it, or where it was, was moved."""
    content = seen.theirs[path].content
    gone = [old for old in seen.base.keys() - seen.ours.keys() if oracle.similar(seen.base[old].content, content)]
    return bool(gone) or any(name.rpartition("/")[2] == path.rpartition("/")[2] for name in seen.after)


def _deletions(seen: Seen) -> Iterator[str]:
    """What the owner has deleted does not come back."""
    for path in seen.base.keys() - seen.ours.keys():
        if path in seen.after and path not in seen.conflicting and not path.startswith(_BOOKS) and path != ANSWERS:
            yield f"{path!r} was deleted and is back"


def _both(seen: Seen) -> Iterator[str]:
    """Where both sides have edited a text without conflict, it has what each has added and nothing that one deleted."""
    for path, new in _changed_by_the_template(seen):
        mine, now, old = (tree.get(path) for tree in (seen.ours, seen.after, seen.base))
        if path in seen.conflicting or path in seen.kept or not (mine and now and old) or is_owned(path):
            continue
        was, own, fresh, found = (_once(entry.content) for entry in (old, mine, new, now))
        for line in fresh - was - found:
            if path == PYPROJECT and any(line in other for other in found):
                continue  # the runtime's, with what the owner wrote behind it
            yield f"{path!r} lacks the template's new line {line!r}"
        for line in (was & fresh & found) - own:
            yield f"{path!r} has again what was deleted: {line!r}"


def _fixes(seen: Seen) -> Iterator[str]:
    """What the template has changed is taken, or it is said that it is not; in files that were only moved too."""
    for path, new in _changed_by_the_template(seen):
        mine, now, old = (tree.get(path) for tree in (seen.ours, seen.after, seen.base))
        if path in seen.conflicting or path in seen.kept:
            continue
        if mine and mine == now and mine.content != new.content:
            yield f"{path!r} stays as it is, and nothing is said"
        moved = [each for each in seen.ours if seen.ours[each] == old and each not in seen.base]
        if mine is None and len(moved) == 1 and moved[0] not in seen.conflicting and seen.after[moved[0]] != new:
            yield f"{moved[0]!r}, moved from {path!r}, does not have the template's change"


def _changed_by_the_template(seen: Seen) -> Iterator[tuple[str, Entry]]:
    for path, new in seen.theirs.items():
        old = seen.base.get(path)
        if path == README and _is_silent(seen):
            continue
        if old and new.content and old != new and path not in (ANSWERS, SETTINGS) and not path.startswith(_BOOKS):
            yield path, new


def _once(content: bytes) -> set[bytes]:
    """The lines that stand in a text exactly once."""
    lines = [line.strip(b"\r") for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    return {line for line, count in Counter(lines).items() if count == 1}


def _is_silent(seen: Seen) -> bool:
    """Whether the owner's README says nothing of some endpoint: then nothing about it is brought in."""
    said = seen.ours[README].content if README in seen.ours else b""
    names = _endpoints(seen.base[SETTINGS].content) | _adopted(seen)
    return any(f"/endpoints/{name}/".encode() not in said for name in names)


def _adopted(seen: Seen) -> set[str]:
    """The endpoints that the owner wrote into service.toml: their files are the owner's to write."""
    mine = _endpoints(seen.ours[SETTINGS].content) if SETTINGS in seen.ours else set()
    return mine - _endpoints(seen.base[SETTINGS].content)


def _endpoints(settings: bytes) -> set[str]:
    return {path[1] for path in oracle.values(settings) if path[0] == "endpoints" and path[1:]}


def _conflicts(seen: Seen) -> Iterator[str]:
    """Conflicts stand only where both sides have changed the same."""
    for conflict in seen.conflicts:
        path, key = conflict["path"], conflict["key"]
        if path == SETTINGS and key:
            if not _keys_clash(seen, oracle.key_path(key)):
                yield f"no reason for the conflict at {key} of {path} ({conflict['why']})"
        elif not _texts_clash(seen, path):
            yield f"no reason for the conflict in {path!r} ({conflict['why']})"


def _keys_clash(seen: Seen, key: oracle.Path) -> bool:
    """Whether both have changed the key, or the owner something in a table that the template has no more."""
    sides = [tree[SETTINGS].content for tree in (seen.base, seen.ours, seen.theirs)]
    found = oracle.triples(*sides)
    if any(each.clash for path, each in found.items() if oracle.under(path, key)):
        return True
    for length in range(1, len(key) + 1):
        within = [each for path, each in found.items() if oracle.under(path, key[:length])]
        was, is_gone = any(each.base for each in within), all(each.theirs == oracle.MISSING for each in within)
        if was and is_gone and (b"tok" in sides[1] or any(each.ours != each.base for each in within)):
            return True
    return False


def _texts_clash(seen: Seen, path: str) -> bool:
    """Whether some file of the base, or none, could have become a conflict at this path."""
    mine, new = seen.ours.get(path), seen.theirs.get(path)
    if path in seen.base and mine and new:
        old = seen.base[path]
        if mine.mode != old.mode != new.mode != mine.mode or not oracle.is_text(mine.content + new.content):
            return True
        return oracle.touch(old.content, oracle.unix(mine.content), new.content)
    is_untouched = path in seen.base and seen.ours.get(path) == seen.base[path]
    return not is_untouched  # it was moved, deleted or added on one side


def _settings(seen: Seen) -> Iterator[str]:
    """Each key of service.toml has the value of the side that changed it, and what was good is good."""
    if SETTINGS not in seen.ours or SETTINGS in seen.conflicting or seen.ours[SETTINGS].mode == "120000":
        return
    before, now = seen.ours[SETTINGS].content, seen.after[SETTINGS].content
    merged = oracle.values(now)
    if not oracle.values(before):
        return  # in an encoding that TOML does not know
    if not merged:
        yield f"{SETTINGS} is no TOML"
        return
    set_now = {word.partition("=")[0] for word in seen.scenario.command[1:]}
    adopted, gone = _adopted(seen), _endpoints(seen.base[SETTINGS].content) - _endpoints(before)
    for path, each in oracle.triples(seen.base[SETTINGS].content, before, seen.theirs[SETTINGS].content).items():
        wanted = each.theirs if each.base == each.ours else each.ours
        if path[0] == "endpoints" and path[1] in gone | adopted:
            wanted = each.ours
        if each.clash and set_now:
            continue
        if merged.get(path, oracle.MISSING) != wanted and not _is_read(path, seen):
            yield f"{'.'.join(path)} is {merged.get(path, oracle.MISSING)}, not {wanted}, of {each}"
    yield from _accepted(before, now)


def _is_read(path: oracle.Path, seen: Seen) -> bool:
    """Whether a table of the endpoint that a command adds or removes is concerned."""
    return seen.scenario.command[0] == "remove-endpoint" and path[:2] == ("endpoints", seen.scenario.command[1])


def _accepted(before: bytes, now: bytes) -> Iterator[str]:
    problem = _problem(now)
    if problem and not _problem(before):
        yield f"the runtime took {SETTINGS} before and does not now: {problem}"


def _problem(content: bytes) -> str | None:
    try:
        validate(oracle.parsed(content) or {}, SETTINGS)
    except SettingsError as error:
        return str(error)
    return None
