"""POST /similarity: one caller's sentences, each compared with each; they are a batch already."""

from litgen_runtime import Endpoint

from embeddings.minilm import MiniLM

from .schemas import SimilarityRequest, SimilarityResponse


class Similarity(Endpoint[SimilarityRequest, SimilarityResponse]):
    """Compares sentences."""

    def setup(self, device: str) -> None:
        """Load MiniLM."""
        self.minilm = MiniLM(device)

    def predict(self, request: SimilarityRequest) -> SimilarityResponse:
        """Return the cosine of every pair."""
        vectors = self.minilm.embed(request.sentences)
        return SimilarityResponse(similarities=(vectors @ vectors.T).tolist())
