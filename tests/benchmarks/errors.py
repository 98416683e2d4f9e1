"""What stops a benchmark."""


class BenchmarkError(Exception):
    """A measurement cannot be made, or would not be honest; says what to do."""
