"""noop: x*x, unbatched. What is left is the way from the socket to `predict` and back."""
