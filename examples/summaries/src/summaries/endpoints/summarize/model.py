"""POST /summarize: a long text, read page by page; short ones are answered at once, long ones are jobs."""

from asyncio import CancelledError

import torch
from litgen_runtime import Endpoint, HTTPError

from summaries.minilm import MiniLM
from summaries.ranking import centrality, sentences_of

from .schemas import SummarizeResponse

PAGE = 16  # sentences that are read together
MOST = 4000  # whose similarities, each with each, take 64 MB
BEST = 5


class Summarize(Endpoint[bytes, SummarizeResponse]):
    """Picks the sentences that are most like all others."""

    def setup(self, device: str) -> None:
        """Load MiniLM."""
        self.minilm = MiniLM(device)

    def predict(self, request: bytes) -> SummarizeResponse:
        """Read a text and return its central sentences, in its own order."""
        sentences = read(request)
        pages = [sentences[start : start + PAGE] for start in range(0, len(sentences), PAGE)]
        vectors = []
        for number, page in enumerate(pages, start=1):
            if self.cancelled():
                raise CancelledError  # nobody waits for it any more
            vectors.append(self.minilm.embed(page))
            self.progress(number / len(pages), f"page {number} of {len(pages)}")
        shares = centrality(torch.cat(vectors))
        best = sorted(shares.topk(min(BEST, len(sentences))).indices.tolist())
        return SummarizeResponse(
            summary=[sentences[index] for index in best], sentences=len(sentences)
        )


def read(body: bytes) -> list[str]:
    """Return the sentences of a body, or tell its sender what is wrong with it."""
    try:
        sentences = sentences_of(body.decode())
    except UnicodeDecodeError:
        raise HTTPError(415, "The body is no text in UTF-8. Convert it.") from None
    if not 1 <= len(sentences) <= MOST:
        raise HTTPError(422, f"The text has {len(sentences)} sentences; expected 1 to {MOST}.")
    return sentences
