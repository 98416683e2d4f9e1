"""Files drawn as a tree."""

from pathlib import Path

from litgen_generator.tree import drawn


def test_folders_are_drawn_with_what_is_in_them() -> None:
    """Each folder and file has a line, and the last of each folder a corner."""
    paths = [Path("b.txt"), Path("a/one.py"), Path("a/two/three.py"), Path("c/four.py")]
    assert drawn("svc", paths).splitlines() == [
        "svc/",
        "├── a/",
        "│   ├── one.py",
        "│   └── two/",
        "│       └── three.py",
        "├── b.txt",
        "└── c/",
        "    └── four.py",
    ]


def test_nothing_is_drawn_as_a_name() -> None:
    """A project without files has one line."""
    assert drawn("svc", []) == "svc"
