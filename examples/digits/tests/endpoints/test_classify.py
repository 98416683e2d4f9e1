"""POST /v1/classify, with scans that the network has never seen."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from digits.training import scans

PATH = "/v1/classify"


def classify(client: httpx.Client, pixels: list[list[float]]) -> int:
    """Return the digit that the service answers."""
    response = client.post(PATH, json={"pixels": pixels})
    assert response.status_code == 200, response.text
    digit: int = response.json()["digit"]
    return digit


def test_it_reads_handwriting_that_it_has_never_seen(client: httpx.Client) -> None:
    """At least 97 of 100 held-out scans are read right; training left them out."""
    _, _, images, digits = scans()
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(lambda pixels: classify(client, pixels), images.tolist()))
    right = sum(answer == digit for answer, digit in zip(answers, digits.tolist(), strict=True))
    assert right / len(answers) >= 0.97


def test_an_image_of_another_size_is_refused(client: httpx.Client) -> None:
    """Seven rows are the client's error, and the answer names the field."""
    response = client.post(PATH, json={"pixels": [[0.0] * 8] * 7})
    assert response.status_code == 422
    assert "pixels" in response.text
