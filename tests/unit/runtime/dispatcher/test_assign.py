from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from litgen_runtime.dispatcher.assign import Load, StreamLoad, choose

LOADS = st.builds(
    Load,
    st.integers(1, 40),
    st.integers(0, 90),
    st.integers(0, 40),
    st.just(0.0) | st.floats(1e-6, 10.0),
    max_bytes=st.integers(1, 100),
    held_bytes=st.integers(0, 150),
)


def test_nobody_there() -> None:
    """Without workers nobody takes the request."""
    assert choose([]) is None


def test_idle_worker_first() -> None:
    """A worker that runs nothing comes before one that does."""
    busy, idle = Load(4, running=4), Load(4)
    assert choose([busy, idle]) is idle


def test_batch_is_filled_before_the_next_is_begun() -> None:
    """Of two idle workers, the one whose batch is begun is filled up first."""
    begun, empty = Load(4, waiting=3), Load(4)
    assert choose([empty, begun]) is begun


def test_idle_worker_before_a_second_batch() -> None:
    """Once a batch is full, the next one goes to the worker that is free."""
    full, empty = Load(4, waiting=4), Load(4)
    assert choose([full, empty]) is empty


def test_next_batch_behind_running_one() -> None:
    """A busy worker gets what it runs next, so that its device never waits."""
    assert choose([busy := Load(4, running=4)]) is busy


def test_unbatched_workers_take_turns() -> None:
    """Two unbatched workers get one request each before either gets a second."""
    loads = [Load(1), Load(1)]
    for _ in range(2):
        chosen = choose(loads)
        assert chosen is not None
        chosen.send(0)
    assert [load.held for load in loads] == [1, 1]


def test_credit_is_two_batches() -> None:
    """A worker holds what it runs and what it runs next, no more."""
    assert Load(8).credit == 16
    assert Load(8, run_s=0.5).credit == 16


def test_more_credit_where_a_batch_is_shorter_than_the_way() -> None:
    """A worker that is done in microseconds holds several batches, with a bound."""
    assert Load(1, run_s=0.001).credit == 4
    assert Load(1, run_s=1e-9).credit == 64
    assert Load(32, run_s=1e-9).credit == 64
    assert Load(100, run_s=1e-9).credit == 200


@given(st.lists(LOADS, max_size=6))
def test_choice(loads: list[Load]) -> None:
    """Credit is never exceeded, nobody is left idle, and the fewest batches stand before the chosen place."""
    chosen = choose(loads)
    able = [load for load in loads if not load.is_full]
    if not able:
        assert chosen is None
        return
    assert chosen is not None
    assert chosen in able

    def before(load: Load) -> int:
        return load.waiting // load.max_size + bool(load.running)

    assert before(chosen) == min(map(before, able))
    peers = [load for load in able if before(load) == before(chosen)]
    assert chosen.waiting % chosen.max_size == max(load.waiting % load.max_size for load in peers)


@given(st.integers(1, 5), st.integers(1, 20), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=60))
def test_counts(max_size: int, max_bytes: int, steps: list[tuple[int, int]]) -> None:
    """Whatever happens, what a load says it holds is what went in and has not come out, and in bounds."""
    load, waiting, running = Load(max_size, max_bytes=max_bytes), 0, 0
    sizes: list[int] = []
    for step, count in steps:
        if step == 0 and choose([load]):
            load.send(count)
            sizes.append(count)
            waiting += 1
        elif step == 1 and (taken := min(count, waiting, max_size)):
            load.start(taken)
            waiting, running = waiting - taken, running + taken
        elif step == 2 and running:
            load.finish(sizes.pop(0), 0.01, started=True)
            running -= 1
        elif step == 3 and waiting:
            load.finish(sizes.pop(0), 0.0, started=False)
            waiting -= 1
        assert (load.waiting, load.running, load.held) == (waiting, running, waiting + running)
        assert load.held_bytes == sum(sizes)
        assert load.held <= load.credit
        assert sum(sizes[:-1]) < max_bytes, "only one body stands out"
        assert load.held or choose([load]) is load, "one request alone may always go"


def test_run_time_is_smoothed() -> None:
    """The first run counts whole, later ones a fifth; a request that never ran counts nothing."""
    load = Load(1, waiting=4)
    load.finish(0, 1.0, started=False)
    assert load.run_s == 1.0
    load.finish(0, 2.0, started=False)
    assert load.run_s == 1.2
    load.finish(0, 0.0, started=False)
    assert load.run_s == 1.2


def test_streams_are_spread() -> None:
    """Workers that run all they hold at once get the next stream in turn, and never more than they advance."""
    loads = [StreamLoad(2), StreamLoad(2)]
    given = []
    while (chosen := choose(loads)) is not None:
        chosen.send(0)
        chosen.start(1)
        given.append(loads.index(chosen))
    assert given == [0, 1, 0, 1]
