"""POST /embed: many callers' sentences, encoded in one pass."""

from litgen_runtime import BatchEndpoint

from embeddings.minilm import MiniLM

from .schemas import EmbedRequest, EmbedResponse


class Embed(BatchEndpoint[EmbedRequest, EmbedResponse]):
    """Encodes a batch of sentences."""

    def setup(self, device: str) -> None:
        """Load MiniLM."""
        self.minilm = MiniLM(device)

    def predict(self, batch: list[EmbedRequest]) -> list[EmbedResponse]:
        """Return one vector for each request, in the same order."""
        vectors = self.minilm.embed([request.text for request in batch])
        return [EmbedResponse(vector=vector) for vector in vectors.tolist()]
