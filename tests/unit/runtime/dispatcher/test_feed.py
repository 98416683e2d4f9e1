from __future__ import annotations

import asyncio

from litgen_runtime.dispatcher.feed import Feed
from tests.unit.runtime.fakes import run, turns


def test_items_in_order() -> None:
    """What was pushed is taken once, in order."""
    feed = Feed()
    assert not feed.began
    feed.push(b"1")
    feed.push(b"2")
    assert feed.began
    assert feed.has_items
    assert feed.take() == [b"1", b"2"]
    assert feed.take() == []
    assert feed.began


def test_an_item_wakes_the_reader() -> None:
    """A waiting reader goes on with the first item."""

    async def main() -> None:
        feed = Feed()
        reading = asyncio.ensure_future(feed.wait())
        await turns()
        assert not reading.done()
        feed.push(b"1")
        feed.push(b"2")
        await reading

    run(main())


def test_silence_wakes_the_reader_too() -> None:
    """Without anything to take, the reader goes on after the time it gave."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        feed, began = Feed(), loop.time()
        await feed.wait(15.0)
        assert loop.time() - began == 15.0
        assert not feed.has_items

    run(main())
