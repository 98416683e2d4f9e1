"""What the rounds share: the workshop of the laws."""

from tests.laws.conftest import shop

__all__ = ["shop"]
