"""What a round has seen of a command, for the checks."""

import json
from dataclasses import dataclass
from typing import Any

from tests.fuzz.plan import Scenario
from tests.workshop import Said, Tree

DONE, CONFLICT = 0, 4
"""The exit codes of a command that has changed something."""


@dataclass(frozen=True)
class Seen:
    """A command and what was there before and after it.

    Args:
        scenario: What was done.
        said: What the command said.
        base: What the template gave before.
        theirs: What it gives now, for the answers that the project has now.
        ours: All that its owner had, with modes as git keeps them.
        after: All that is there now.
    """

    scenario: Scenario
    said: Said
    base: Tree
    theirs: Tree
    ours: Tree
    after: Tree

    @property
    def conflicts(self) -> list[dict[str, Any]]:
        """What was reported."""
        found: list[dict[str, Any]] = json.loads(self.said.out)["conflicts"]
        return found

    @property
    def conflicting(self) -> set[str]:
        """Where."""
        return {each["path"] for each in self.conflicts}

    @property
    def kept(self) -> set[str]:
        """What was reported as left alone, by the path that it has now."""
        return {each["path"] for each in json.loads(self.said.out)["kept"]}

    @property
    def targets(self) -> set[str]:
        """Where the owner moved files to, and folders, or copied them."""
        moved = {edit.what for edit in self.scenario.edits if edit.kind in ("move", "link") and edit.what}
        return moved | {edit.path for edit in self.scenario.edits if edit.kind == "add" and edit.what}

    def was_moved(self, path: str) -> bool:
        """Whether a file is there because its owner moved it, or its folder."""
        return any(path == target or path.startswith(f"{target}/") for target in self.targets)
