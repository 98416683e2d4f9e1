"""`python -m tests.benchmarks`: litgen beside its peers, in one run on one machine. Measures; asserts nothing."""
