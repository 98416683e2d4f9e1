"""Changing a project that exists: what its owner wrote stays, what the template brings comes in."""
