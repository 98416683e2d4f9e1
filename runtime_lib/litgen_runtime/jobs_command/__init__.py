"""``myservice jobs``: looking after the jobs of a running service."""
