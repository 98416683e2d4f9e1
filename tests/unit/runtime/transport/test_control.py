from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litgen_runtime.transport.control import Control


@pytest.fixture
def ends() -> Iterator[tuple[Control, Control]]:
    """Return both ends of a line."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Control(ours), Control(theirs)


def same_file(one: int, other: int) -> bool:
    """Say whether two descriptors are one file."""
    return os.path.sameopenfile(one, other)


def test_nothing_yet(ends: tuple[Control, Control]) -> None:
    """Receiving never waits."""
    assert ends[0].receive() == []


def test_several_at_once(ends: tuple[Control, Control]) -> None:
    """Messages come in order, as many as have arrived."""
    for number in range(3):
        assert ends[0].send({"do": "x", "n": number})
    assert [message["n"] for message in ends[1].receive()] == [0, 1, 2]
    assert ends[1].receive() == []


def test_both_ways(ends: tuple[Control, Control]) -> None:
    """Each end sends and receives."""
    ends[0].send({"from": 0})
    ends[1].send({"from": 1})
    assert ends[1].receive() == [{"from": 0, "fd": None}]
    assert ends[0].receive() == [{"from": 1, "fd": None}]


def test_waiting(ends: tuple[Control, Control]) -> None:
    """With ``wait`` the first message is waited for; what is there already is given at once."""
    ends[0].send({"do": "x"})
    assert ends[1].receive(wait=True)[0]["do"] == "x"


def test_descriptors_belong_to_their_messages(ends: tuple[Control, Control]) -> None:
    """A passed descriptor arrives with its own message, whatever is sent before and after it."""
    pipes = [os.pipe() for _ in range(3)]
    ends[0].send({"n": 0})
    for number, (reading, _) in enumerate(pipes, 1):
        ends[0].send({"n": number}, reading)
    ends[0].send({"n": 4})
    messages: list[dict[str, Any]] = []
    while len(messages) < 5:
        messages += ends[1].receive()
    passed = [message["fd"] for message in messages]
    try:
        assert [fd is None for fd in passed] == [True, False, False, False, True]
        for fd, (reading, _) in zip(passed[1:4], pipes, strict=True):
            assert fd != reading
            assert same_file(fd, reading)
    finally:
        for fd in [*passed[1:4], *(end for pipe in pipes for end in pipe)]:
            os.close(fd)


def test_passed_descriptors_are_not_inherited(ends: tuple[Control, Control]) -> None:
    """A process that the owner's code starts does not hold a worker's line open."""
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    ends[0].send({}, reading)
    passed = ends[1].receive()[0]["fd"]
    try:
        assert not os.get_inheritable(passed)
    finally:
        for fd in (reading, writing, passed):
            os.close(fd)


def test_the_other_end_is_gone(ends: tuple[Control, Control]) -> None:
    """Its end is read as EOF, and sending says so instead of raising."""
    ends[0].close()
    with pytest.raises(EOFError):
        ends[1].receive()
    assert ends[1].send({"do": "x"}) is False


def test_last_words(ends: tuple[Control, Control]) -> None:
    """What was sent before the end is still read; only then comes EOF."""
    ends[0].send({"do": "x"})
    ends[0].close()
    assert ends[1].receive()[0]["do"] == "x"
    with pytest.raises(EOFError):
        ends[1].receive()


@given(
    st.lists(st.dictionaries(st.text(max_size=5).filter(lambda key: key != "fd"), st.text(max_size=200)), max_size=4)
)
@settings(max_examples=25)
def test_round_trip_byte_by_byte(messages: list[dict[str, str]]) -> None:
    """Messages are whole however their bytes arrive."""
    sender, wire_in = socket.socketpair()
    wire_out, receiver = socket.socketpair()
    with sender, wire_in, wire_out, receiver:
        control = Control(sender)
        for message in messages:
            control.send(message)
        sender.shutdown(socket.SHUT_WR)
        stream = b"".join(iter(lambda: wire_in.recv(65_536), b""))
        reading, received = Control(receiver), []
        for byte in stream:
            wire_out.send(bytes([byte]))
            received += reading.receive()
        assert received == [message | {"fd": None} for message in messages]


def test_longer_than_a_socket_holds(ends: tuple[Control, Control]) -> None:
    """A message larger than one read is put together."""
    ends[0].send({"text": "x" * 100_000})
    messages: list[dict[str, Any]] = []
    while not messages:
        messages = ends[1].receive()
    assert len(messages[0]["text"]) == 100_000


def test_offer(ends: tuple[Control, Control]) -> None:
    """What is repeated is sent where there is room, and left out where there is none or nobody."""
    ends[0].offer({"do": "alive"})
    assert ends[1].receive() == [{"do": "alive", "fd": None}]
    for _ in range(10_000):
        ends[0].offer({"do": "alive"})  # and does not wait for a reader
    heard = 0
    while messages := ends[1].receive():
        heard += len(messages)
        assert messages == [{"do": "alive", "fd": None}] * len(messages)
    assert 0 < heard < 10_000
    ends[1].close()
    ends[0].offer({"do": "alive"})
