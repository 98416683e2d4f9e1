"""POST /summarize, with a real speech: at once, and as a job that is watched and canceled."""

import time
from pathlib import Path

import httpx
import pytest
from litgen_runtime import Client

PATH = "/summarize"
# John F. Kennedy at Rice University, 12 September 1962, abridged: in the public domain.
SPEECH = (Path(__file__).parents[1] / "moon.txt").read_bytes()
PLAIN = "text/plain; charset=utf-8"


@pytest.fixture(scope="module")
def answer(client: httpx.Client) -> httpx.Response:
    """What the service says of the speech at once."""
    return client.post(PATH, content=SPEECH)


def test_a_summary_has_the_texts_own_sentences(answer: httpx.Response) -> None:
    """Five, in its order, and about what it is about."""
    summary = answer.json()["summary"]
    whole = " ".join(SPEECH.decode().split())
    places = [whole.index(sentence) for sentence in summary]
    assert len(places) == 5
    assert places == sorted(places)
    assert sum("space" in sentence for sentence in summary) >= 3


def test_a_job_tells_each_page_and_has_the_same_answer(
    client: httpx.Client, jobs: Client, answer: httpx.Response
) -> None:
    """Whoever listens hears how far it is; the result is that of the call."""
    job = jobs.submit(PATH, SPEECH, content_type=PLAIN)
    assert jobs.result(job.id).content == answer.content
    ended = jobs.job(job.id)
    assert ended.progress == 1.0
    assert ended.note == "page 5 of 5"
    assert "page 5 of 5" in client.get(f"/v1/jobs/{job.id}/events").text


def test_a_long_job_is_canceled_between_two_pages(client: httpx.Client, jobs: Client) -> None:
    """It stops by itself, well before its end, and the service goes on."""
    job = jobs.submit(PATH, SPEECH * 40, content_type=PLAIN)
    give_up = time.monotonic() + 60
    while not jobs.job(job.id).progress:
        assert time.monotonic() < give_up, "it does not begin"
        time.sleep(0.05)
    jobs.cancel(job.id)
    ended = jobs.wait(job.id, timeout_s=60)
    assert ended.status == "canceled"
    assert ended.progress is not None
    assert ended.progress < 0.9
    assert client.get("/readyz").status_code == 200


def test_what_is_no_text_is_told_so(client: httpx.Client) -> None:
    """Bytes that are no UTF-8, or no sentence, are the client's error."""
    assert client.post(PATH, content=b"\xff\xfe").status_code == 415
    assert client.post(PATH, content=b" \n ").status_code == 422
