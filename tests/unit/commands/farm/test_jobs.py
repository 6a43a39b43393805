"""Which worker gets which job."""

import pytest

from buildlib.commands.farm.cluster import Machine
from buildlib.commands.farm.jobs import Job, Worker, choose
from buildlib.model import Variant
from tests.unit.conftest import function


def job(name: str, environment: str, *, contained: bool = False, arm64: bool = False) -> Job:
    variant = Variant(name, function(), "3.13", "arm64" if arm64 else "x86_64")
    return Job(variant, f"key of {name}", environment, contained)


def workers(*names: str, threads: int = 1, **resources: float) -> dict[str, Worker]:
    return {name: Worker(Machine(name, threads, resources), is_usable=True) for name in names}


def play(some: dict[str, Worker], waiting: list[Job]) -> dict[str, list[str]]:
    """Let workers build jobs in turns; return the environments that each one had, in order."""
    had: dict[str, list[str]] = {name: [] for name in some}
    while waiting:
        for name, worker in some.items():
            chosen = choose(worker, waiting, some)
            if chosen is not None:
                waiting.remove(chosen)
                worker.note(chosen, 1)
                had[name].append(chosen.environment)
        for worker in some.values():
            worker.jobs.clear()
    return had


def test_an_environment_stays_at_its_worker() -> None:
    """While there are as many environments as workers, each is installed by one worker only."""
    waiting = [job(f"{e}{n}", e) for n in range(6) for e in ("a", "b", "c", "d")]
    had = play(workers("one", "two"), waiting)
    assert {*had["one"]} & {*had["two"]} == set()
    assert sorted(map(len, had.values())) == [12, 12]


def test_a_large_environment_is_shared() -> None:
    """If one environment has most variants, workers without work help, and all are busy."""
    waiting = [job(f"big{n}", "big") for n in range(18)] + [job("small", "small")]
    had = play(workers("one", "two", "three"), waiting)
    assert max(map(len, had.values())) - min(map(len, had.values())) <= 1
    assert sum(environments.count("small") for environments in had.values()) == 1


def test_the_largest_environment_comes_first() -> None:
    """Of new environments, the one with the most variants is taken first."""
    some = workers("one")
    chosen = choose(some["one"], [job("x", "x"), job("y1", "y"), job("y2", "y")], some)
    assert chosen is not None
    assert chosen.environment == "y"


def test_no_worker_tries_twice() -> None:
    """A worker gets no job that failed there, and none while it is busy or refused."""
    some = workers("one")
    tried = job("x", "x")
    tried.tried.add("one")
    assert choose(some["one"], [tried], some) is None
    other = job("y", "y")
    some["one"].note(other, 1)
    assert choose(some["one"], [job("z", "z")], some) is None
    some["one"].jobs.clear()
    some["one"].is_usable = False
    assert choose(some["one"], [job("z", "z")], some) is None


@pytest.mark.parametrize(
    ("resources", "x86_64", "arm64"),
    [({}, False, False), ({"docker": 1}, True, False), ({"docker": 1, "arm64": 1}, False, True)],
)
def test_containers(resources: dict[str, float], *, x86_64: bool, arm64: bool) -> None:
    """A container goes to a worker with an engine and its processor; wheels go anywhere."""
    machine = Machine("one", 1, resources)
    assert job("x", "x", contained=True).fits(machine) == x86_64
    assert job("x", "x", contained=True, arm64=True).fits(machine) == arm64
    assert job("x", "x", arm64=True).fits(machine)


def test_as_many_containers_as_the_resource_says() -> None:
    """A worker with many threads runs no more containers than its resource `docker` allows."""
    some = workers("one", threads=4, docker=1.0)
    some["one"].note(job("x", "x", contained=True), 1)
    assert choose(some["one"], [job("y", "y", contained=True)], some) is None
    assert choose(some["one"], [job("z", "z")], some) is not None
