"""POST /v1/scan: one picture of a digit, as a file."""

import torch
from litgen_runtime import Endpoint, HTTPError, Upload

from digits.network import likeliest, trained
from digits.pictures import NotAPictureError, pixels

from .schemas import ScanResponse


class Scan(Endpoint[Upload, ScanResponse]):
    """Reads a picture."""

    def setup(self, device: str) -> None:
        """Load the trained weights."""
        self.device = device
        self.network = trained(device)

    def predict(self, request: Upload) -> ScanResponse:
        """Return the likeliest digit in the picture."""
        try:
            image = pixels(request.file.read())
        except NotAPictureError as error:
            raise HTTPError(422, str(error)) from error
        [(digit, probability)] = likeliest(self.network, torch.tensor([image], device=self.device))
        return ScanResponse(digit=digit, probability=probability)
