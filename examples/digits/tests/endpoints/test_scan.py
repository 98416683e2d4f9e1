"""POST /v1/scan, with pictures of scans that the network has never seen."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageOps
from torch import Tensor

from digits.training import scans

PATH = "/v1/scan"
FOUR = Path(__file__).parents[1] / "four.png"


def scan(client: httpx.Client, picture: bytes) -> int:
    """Return the digit that the service answers."""
    response = client.post(PATH, files={"file": ("digit.png", picture, "image/png")})
    assert response.status_code == 200, response.text
    digit: int = response.json()["digit"]
    return digit


def png(image: Tensor) -> bytes:
    """Return a scan as a picture of 64 by 64 pixels."""
    grey = bytes(int(value) for value in (image * 255 / 16).round().flatten().tolist())
    file = io.BytesIO()
    Image.frombytes("L", (8, 8), grey).resize((64, 64), Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()


def test_it_reads_pictures_of_handwriting(client: httpx.Client) -> None:
    """At least 97 of 100 held-out scans are read right, sent as PNG files."""
    _, _, images, digits = scans()
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(lambda image: scan(client, png(image)), images))
    right = sum(answer == digit for answer, digit in zip(answers, digits.tolist(), strict=True))
    assert right / len(answers) >= 0.97


@pytest.mark.parametrize("format_name", ["PNG", "JPEG"])
def test_dark_ink_on_a_light_ground_is_read_too(client: httpx.Client, format_name: str) -> None:
    """As on paper; the picture's corners tell which is which."""
    file = io.BytesIO()
    with Image.open(FOUR) as four:
        ImageOps.invert(four.convert("L")).save(file, format_name)
    assert scan(client, FOUR.read_bytes()) == scan(client, file.getvalue()) == 4


@pytest.mark.parametrize("content", [b"", b"a quick brown fox", FOUR.read_bytes()[:100]])
def test_what_is_no_picture_is_told_so(client: httpx.Client, content: bytes) -> None:
    """Another file, or half of one, is the client's error."""
    response = client.post(PATH, content=content, headers={"Content-Type": "image/png"})
    assert response.status_code == 422
    assert "picture" in response.text
