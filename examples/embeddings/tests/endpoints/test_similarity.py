"""POST /similarity, with real sentences."""

import httpx
import pytest

PATH = "/similarity"


def test_similarities_are_those_of_sentence_transformers(client: httpx.Client) -> None:
    """The cosines of sentence-transformers 6.2.0 for the same model and sentences."""
    sentences = [
        "The weather is lovely today.",
        "It is so sunny outside!",
        "He drove to the stadium.",
    ]
    response = client.post(PATH, json={"sentences": sentences})
    assert response.status_code == 200, response.text
    expected = [[1.0, 0.6793, 0.10458], [0.6793, 1.0, 0.1491], [0.10458, 0.1491, 1.0]]
    for row, numbers in zip(response.json()["similarities"], expected, strict=True):
        assert row == pytest.approx(numbers, abs=2e-5)


def test_one_sentence_has_nothing_to_be_compared_with(client: httpx.Client) -> None:
    """Too few sentences is the client's error, and the answer names the field."""
    response = client.post(PATH, json={"sentences": ["Alone."]})
    assert response.status_code == 422
    assert "sentences" in response.text
