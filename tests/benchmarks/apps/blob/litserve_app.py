"""blob as a LitServe API: one worker, one HTTP process, no access log. It reads bytes from a multipart form."""

import sys
from typing import Any

import litserve as ls  # type: ignore[import-not-found]  # it has an environment of its own
from fastapi import Request

from tests.benchmarks.apps.blob.schemas import BlobResponse, measured


class Blob(ls.LitAPI):  # type: ignore[misc]  # untyped where it is not installed
    """Measures bytes in a worker process."""

    def setup(self, device: str) -> None:
        """Load nothing."""

    def decode_request(self, request: Request) -> bytes:
        """Take the bytes from the form."""
        content: bytes = request["content"].file.read()
        return content

    def predict(self, request: bytes) -> BlobResponse:
        """Return what the bytes are."""
        return measured(request)

    def encode_response(self, output: BlobResponse, **_kwargs: Any) -> BlobResponse:
        """Give the response as it is."""
        return output


if __name__ == "__main__":
    ls.LitServer(Blob(), accelerator="cpu", workers_per_device=1).run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
