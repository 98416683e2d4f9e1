"""neighbours: a fast endpoint beside a slow one, in the same service."""
