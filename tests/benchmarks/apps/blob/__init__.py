"""blob: 1 MiB of bytes in, a few numbers out. What is left is how often a body is copied on its way."""
