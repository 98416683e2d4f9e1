"""Changing a project that stands: what the template would give now, merged with what its owner made of it."""
