"""``python -m litgen_runtime``: the same commands, without a generated package."""

from litgen_runtime.cli import main

main(prog_name="python -m litgen_runtime")
