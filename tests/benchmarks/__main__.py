"""`python -m tests.benchmarks` runs them all."""

from tests.benchmarks.command import main

main(prog_name="python -m tests.benchmarks")
