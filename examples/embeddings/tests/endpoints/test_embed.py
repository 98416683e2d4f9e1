"""POST /embed, with real sentences."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

PATH = "/embed"


def embed(client: httpx.Client, text: str) -> list[float]:
    """Return the vector that the service answers."""
    response = client.post(PATH, json={"text": text})
    assert response.status_code == 200, response.text
    vector: list[float] = response.json()["vector"]
    return vector


def test_a_vector_is_the_one_that_sentence_transformers_computes(client: httpx.Client) -> None:
    """The first numbers of sentence-transformers 6.2.0 for the same model and sentence."""
    vector = embed(client, "The weather is lovely today.")
    assert len(vector) == 384
    expected = [0.019196, 0.120085, 0.159598, 0.067066, 0.050075, -0.025919]
    assert vector[:6] == pytest.approx(expected, abs=2e-6)


def test_sentences_sent_together_get_their_own_answers(client: httpx.Client) -> None:
    """Padding to a common length changes nothing: each comes back with the vector it has alone."""
    texts = ["One.", "Two words.", "Three words, here.", "She sells seashells on the shore. " * 9]
    with ThreadPoolExecutor(max_workers=8) as pool:
        together = list(pool.map(lambda text: embed(client, text), texts * 4))
    for text, vector in zip(texts * 4, together, strict=True):
        assert vector == pytest.approx(embed(client, text), abs=1e-5)


def test_a_text_longer_than_the_model_reads_is_cut(client: httpx.Client) -> None:
    """Past 256 tokens nothing changes the vector, and nothing breaks."""
    assert embed(client, "word " * 300) == pytest.approx(embed(client, "word " * 400), abs=1e-6)


def test_a_request_without_text_is_told_so(client: httpx.Client) -> None:
    """A missing field is the client's error, and the answer names it."""
    response = client.post(PATH, json={"txt": "a quick brown fox"})
    assert response.status_code == 422
    assert "text" in response.text
