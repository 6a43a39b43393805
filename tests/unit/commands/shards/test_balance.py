"""The split of a build into shards."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildlib.commands.shards.balance import Work, duration, split

_ENVIRONMENTS = [f"e{number}" for number in range(6)]
_INSTALLS = st.fixed_dictionaries(dict.fromkeys(_ENVIRONMENTS, st.integers(0, 5_000)))
_WORKS = st.lists(
    st.builds(
        Work,
        id=st.text("abcdef", min_size=1, max_size=6),
        runner=st.sampled_from(["a", "b"]),
        environment=st.sampled_from(_ENVIRONMENTS),
        own=st.integers(1, 2_000),
        others=st.sets(st.sampled_from(_ENVIRONMENTS), max_size=2).map(frozenset),
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda work: work.id,
)
_NUMBERS = st.integers(1, 12)


def parts(shard: list[Work]) -> list[list[Work]]:
    """Return the variants of a shard, by their environments."""
    found: dict[str, list[Work]] = {}
    for work in shard:
        found.setdefault(work.environment, []).append(work)
    return list(found.values())


@given(_WORKS, _INSTALLS, _NUMBERS)
def test_every_variant_once(works: list[Work], installs: dict[str, int], number: int) -> None:
    """Each variant is in exactly one shard, and no shard is empty or for two runners."""
    shards = split(works, installs, number)
    assert Counter(work for shard in shards for work in shard) == Counter(works)
    assert all(len({work.runner for work in shard}) == 1 for shard in shards)
    assert len(shards) <= max(number, len({work.runner for work in works}))


@given(_WORKS, _INSTALLS, _NUMBERS, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(
    works: list[Work], installs: dict[str, int], number: int, chance: random.Random
) -> None:
    """The same variants give the same shards, in whatever order they come."""
    other = list(works)
    chance.shuffle(other)
    keys = list(installs.items())
    chance.shuffle(keys)
    assert split(works, installs, number) == split(other, dict(keys), number)


@given(_WORKS, _INSTALLS, _NUMBERS)
def test_the_bound(works: list[Work], installs: dict[str, int], number: int) -> None:
    """Of one runner, no shard takes longer than another one plus one of its own parts."""
    shards = split(works, installs, number)
    for runner in {work.runner for work in works}:
        alike = [shard for shard in shards if shard[0].runner == runner]
        ends = [duration(shard, installs) for shard in alike]
        smallest = min(duration(part, installs) for part in parts(alike[ends.index(max(ends))]))
        assert max(ends) <= min(ends) + smallest


@given(_WORKS, _INSTALLS, _NUMBERS)
def test_an_environment_is_divided_if_it_pays(
    works: list[Work], installs: dict[str, int], number: int
) -> None:
    """An environment in several shards is too large for one, and worth to be installed in each."""
    shards = split(works, installs, number)
    for runner in {work.runner for work in works}:
        alike = [shard for shard in shards if shard[0].runner == runner]
        every = [work for shard in alike for work in shard]
        for environment in {work.environment for work in every}:
            members = [work for work in every if work.environment == environment]
            where = sum(any(work.environment == environment for work in one) for one in alike)
            if where > 1:
                own = sum(work.own for work in members)
                install = duration(members, installs) - own
                assert (install + own) * number > duration(every, installs) - number
                assert own >= install * where


@given(_WORKS, _INSTALLS)
def test_no_time_is_lost_in_one_shard(works: list[Work], installs: dict[str, int]) -> None:
    """One shard for one runner is the whole build, in which each environment is installed once."""
    alike = [work._replace(runner="a") for work in works]
    (shard,) = split(alike, installs, 1)
    assert duration(shard, installs) == sum(work.own for work in alike) + sum(
        installs[key] for key in {key for work in alike for key in work.environments}
    )


def alike(number: int, environment: str = "e", own: int = 10) -> list[Work]:
    """Return variants that share an environment."""
    return [Work(f"{environment}{i:03}", "a", environment, own) for i in range(number)]


@pytest.mark.parametrize(
    ("install", "number", "sizes"),
    [
        (0, 4, [25, 25, 25, 25]),
        (100, 4, [25, 25, 25, 25]),  # 100 + 250 ms each, instead of 1,100
        (600, 4, [100]),  # to install it twice would take longer than the rest
        (450, 4, [50, 50]),
    ],
)
def test_one_large_environment(install: int, number: int, sizes: list[int]) -> None:
    """A hundred functions with one environment are divided as far as that saves time."""
    shards = split(alike(100), {"e": install}, number)
    assert [len(shard) for shard in shards] == sizes


def test_layers_are_installed_once() -> None:
    """Functions with one layer and environments of their own are together where that is faster."""
    layers = (0, 1, 1, 0, 0, 0, 1, 1)
    works = [
        Work(f"f{i}", "a", f"e{i}", 10, frozenset({f"layer{layer}"}))
        for i, layer in enumerate(layers)
    ]
    installs = {f"e{i}": 10 for i in range(8)} | {"layer0": 1000, "layer1": 1000}
    shards = split(works, installs, 2)
    assert [{key for work in shard for key in work.others} for shard in shards] == [
        {"layer0"},
        {"layer1"},
    ]


def test_more_shards_where_more_is_left() -> None:
    """Runners share the number of shards by their work, and each has at least one."""
    works = [*alike(90), *(work._replace(runner="b") for work in alike(10, "x"))]
    runners = Counter(shard[0].runner for shard in split(works, {"e": 0, "x": 0}, 10))
    assert runners == {"a": 9, "b": 1}
    assert len(split(works, {"e": 0, "x": 0}, 1)) == 2


def test_fewer_than_asked() -> None:
    """There are no more shards than variants."""
    assert len(split(alike(3), {"e": 0}, 200)) == 3
