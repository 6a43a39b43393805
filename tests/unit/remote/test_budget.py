"""The budget counts the time that the remote costs, once for all threads."""

import threading
import time

import pytest

from buildlib.remote.budget import RATE, Budget
from buildlib.remote.calls import Call, Off, Pool


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_time_counts_while_somebody_waits() -> None:
    """Time without a waiting thread is free, and that of several threads counts once."""
    clock = Clock()
    budget = Budget(5, clock)
    clock.now += 60
    assert budget.left() == 5
    with budget.waiting(), budget.waiting():
        clock.now += 2
        assert budget.left() == 3
    clock.now += 60
    assert budget.left() == 3
    with budget.waiting():
        clock.now += 4
    assert budget.left() == -1


def test_bytes_pay_for_their_time() -> None:
    """A transfer at the usual rate is free; a slower one costs the difference."""
    clock = Clock()
    budget = Budget(5, clock)
    with budget.waiting():
        for _ in range(100):
            clock.now += 1
            budget.arrived(RATE)
        assert budget.left() == 5
        clock.now += 2
        budget.arrived(RATE)
        assert budget.left() == 4


def test_a_fast_transfer_earns_nothing() -> None:
    """Bytes that came quickly are no credit for a hanging request."""
    clock = Clock()
    budget = Budget(5, clock)
    with budget.waiting():
        clock.now += 1
        budget.arrived(100 * RATE)
        clock.now += 5
        assert budget.left() == 0


def test_bytes_without_a_waiting_thread() -> None:
    """An upload in the background, that nobody waits for, changes nothing."""
    clock = Clock()
    budget = Budget(5, clock)
    clock.now += 3
    budget.arrived(RATE)
    with budget.waiting():
        clock.now += 1
    assert budget.left() == 4


def test_a_dripping_byte_is_no_progress() -> None:
    """A server that sends a byte now and then is as one that hangs."""
    clock = Clock()
    budget = Budget(5, clock)
    with budget.waiting():
        for _ in range(50):
            clock.now += 0.1
            budget.arrived(1)
        assert budget.left() == pytest.approx(0, abs=0.001)


def test_a_hanging_call_is_left_alone() -> None:
    """The waiting thread goes on when the budget is spent, and the other one stays behind."""
    release = threading.Event()
    call = Pool(1).submit(release.wait)
    began = time.monotonic()
    with pytest.raises(Off):
        call.wait(Budget(0.1))
    assert 0.05 < time.monotonic() - began < 2
    release.set()


def test_a_call_returns_or_raises() -> None:
    """The result or the error of a call reaches the thread that waits for it."""
    pool = Pool(2)
    assert pool.submit(lambda: 7).wait(Budget(5)) == 7

    def fail() -> None:
        raise KeyError(7)

    with pytest.raises(KeyError):
        pool.submit(fail).wait(Budget(5))
    done: Call[int] = Call(lambda: 7)
    done.run()
    assert done.wait(Budget(0)) == 7  # what is there already costs nothing


def test_a_pool_runs_as_many_as_it_is_wide() -> None:
    """No more threads work at once than asked for, and each job is done once."""
    lock, at_work, most, done = threading.Lock(), [0], [0], list[int]()

    def job(number: int) -> None:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        time.sleep(0.002)
        with lock:
            at_work[0] -= 1
            done.append(number)

    pool = Pool(4)
    for call in [pool.submit(lambda n=n: job(n)) for n in range(100)]:  # type: ignore[misc]
        call.wait(Budget(20))
    assert sorted(done) == list(range(100))
    assert 2 <= most[0] <= 4
