"""Which sentences of a text say the most of it: LexRank, over vectors of meaning instead of counted words.

Source: Erkan and Radev, LexRank, https://arxiv.org/abs/1109.2128
"""

import re

import torch
from torch import Tensor

DAMPING = 0.85
STEPS = 50

_BETWEEN = re.compile(r"(?<=[.!?]) (?=[\"'“]?[A-Z0-9])")


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text, in its order; blanks and line ends between words are one."""
    return [sentence for sentence in _BETWEEN.split(" ".join(text.split())) if sentence]


def centrality(vectors: Tensor) -> Tensor:
    """Return how central each sentence is: how often one ends there who goes on to what is similar.

    Args:
        vectors: of the sentences, each of length 1: float32 [sentences, width].

    Returns:
        Shares that add up to 1: float32 [sentences].
    """
    count = len(vectors)
    ways = (vectors @ vectors.T).clamp(min=0)
    ways /= ways.sum(dim=1, keepdim=True)
    shares = torch.full((count,), 1 / count)
    for _ in range(STEPS):
        shares = (1 - DAMPING) / count + DAMPING * (shares @ ways)
    return shares
