from __future__ import annotations

import logging
import resource
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from litgen_runtime.http.crowd import Crowd, within_descriptors


@dataclass(eq=False)
class Client:
    is_silent: bool = True
    idle_since: float | None = None
    is_cut: bool = False

    def cut(self) -> None:
        self.is_cut = True


def test_a_flood() -> None:
    """However many come, no more are held than the bound and the reserve; of those beyond, the silent ones go first."""
    crowd = Crowd(10)
    inside = [Client() for _ in range(10)]
    assert all(crowd.enter(client, 0.0) for client in inside)
    asking = Client(is_silent=False)
    assert not crowd.enter(asking, 0.0)
    flood = [Client() for _ in range(500)]
    for client in flood:
        assert not crowd.enter(client, 0.0)
        assert len(crowd) <= 74
    assert not any(client.is_cut for client in [*inside, asking])
    assert [client.is_cut for client in flood] == [True] * 437 + [False] * 63


def test_a_reserve_full_of_requests() -> None:
    """Where all beyond the bound have begun to ask, the newest one is cut."""
    crowd = Crowd(1)
    clients = [Client(is_silent=False) for _ in range(67)]
    for client in clients:
        crowd.enter(client, 0.0)
    assert [client.is_cut for client in clients] == [False] * 65 + [True] * 2


def test_looking_for_the_idle_is_cheap() -> None:
    """A flood does not make us look at every connection for every newcomer."""
    looks = []

    class Looked(Client):
        def __getattribute__(self, name: str) -> object:
            if name == "idle_since":
                looks.append(self)
            return super().__getattribute__(name)

    crowd = Crowd(100)
    for _ in range(160):
        crowd.enter(Looked(), 5.0)
    assert len(looks) < 250


def test_the_log_says_it_once_a_minute(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The owner is told, not flooded."""
    monkeypatch.setattr(logging.getLogger("litgen_runtime"), "propagate", True)
    crowd = Crowd(1)
    for now in (1.0, 1.0, 2.0, 30.0, 62.0):
        crowd.enter(Client(), now)
    assert len([line for line in caplog.messages if "service.max_connections" in line]) == 2


@pytest.fixture
def limit() -> Iterator[tuple[int, int]]:
    """Put this process's limit of open files back in the end."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_descriptors_are_provided(limit: tuple[int, int]) -> None:
    """The soft limit is raised as far as the connections ask."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, limit[1]))
    assert within_descriptors(1000) == 1000
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1192, limit[1])


def test_too_few_descriptors(
    limit: tuple[int, int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the system does not allow that, there are fewer connections, and the log says what to do."""
    monkeypatch.setattr(logging.getLogger("litgen_runtime"), "propagate", True)
    hard = limit[1]
    assert within_descriptors(hard * 2) == hard - 192
    assert caplog.messages == [
        f"service.max_connections is {hard * 2}, but this process may open {hard} files, enough for {hard - 192}; "
        f"expected {hard * 2 + 192}. Raise the limit (ulimit -n, LimitNOFILE), or lower max_connections"
    ]
