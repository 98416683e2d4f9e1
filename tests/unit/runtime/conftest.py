"""Hypothesis without wall-clock deadlines: two slow cores must not make a property fail."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("litgen", deadline=None, max_examples=60)
settings.load_profile("litgen")
