"""Split variants into shards that take equally long, without a look at the repository.

The rule is Graham's: the longest first, each to the shard that is then finished first ("Bounds on
Multiprocessing Timing Anomalies", 1969). Thus no shard takes longer than another one plus one of
its own parts. A part is all variants that share an environment, because an environment is installed
and compressed once in each shard that needs it. A larger part is divided only if each piece then
works at least as long as it installs.

Times are whole milliseconds and ties are broken by name: equal inputs give equal shards.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Work(NamedTuple):
    """A variant to build, on the runner `runner`.

    `environment` is the one that its ZIP contains, and `others` are those of its layers, which its
    build installs, too; all of them are keys. `own` is the duration of its other steps in ms.
    """

    id: str
    runner: str
    environment: str
    own: int
    others: frozenset[str] = frozenset()

    @property
    def environments(self) -> frozenset[str]:
        """The environments that its build installs."""
        return self.others | {self.environment}


# The durations in ms to install environments, by their keys.
Installs = Mapping[str, int]


def duration(works: Iterable[Work], installs: Installs) -> int:
    """Return how long one machine takes for variants, in ms."""
    every = list(works)
    needed = {key for work in every for key in work.environments}
    return sum(work.own for work in every) + sum(installs[key] for key in needed)


def split(works: Iterable[Work], installs: Installs, number: int) -> list[list[Work]]:
    """Return at most `number` shards, but one for each runner; the longest first.

    Every variant is in one of them, none is empty, and all variants of one are for one runner.
    """
    by_runner: dict[str, list[Work]] = {}
    for work in sorted(works, key=lambda work: work.id):
        by_runner.setdefault(work.runner, []).append(work)
    numbers = _numbers(by_runner, installs, number)
    shards = [
        shard
        for runner, members in by_runner.items()
        for shard in _of_runner(members, installs, numbers[runner])
    ]
    return sorted(shards, key=lambda shard: (-duration(shard, installs), shard[0].id))


def _numbers(
    by_runner: Mapping[str, Sequence[Work]], installs: Installs, number: int
) -> dict[str, int]:
    """Return how many shards each runner gets: another one goes where the most is left for each."""
    totals = {runner: duration(works, installs) for runner, works in by_runner.items()}
    numbers = dict.fromkeys(by_runner, 1)
    for _ in range(number - len(numbers)):
        able = [runner for runner, works in by_runner.items() if numbers[runner] < len(works)]
        if not able:
            break
        numbers[max(able, key=lambda runner: (totals[runner] / numbers[runner], runner))] += 1
    return numbers


def _of_runner(works: Sequence[Work], installs: Installs, number: int) -> list[list[Work]]:
    by_environment: dict[str, list[Work]] = {}
    for work in works:
        by_environment.setdefault(work.environment, []).append(work)
    share = -(-duration(works, installs) // number)
    parts = [
        part
        for members in by_environment.values()
        for part in _parts(members, installs, share, number)
    ]
    return _placed(parts, installs, min(number, len(parts)))


def _parts(
    members: Sequence[Work], installs: Installs, share: int, number: int
) -> list[list[Work]]:
    """Divide the variants of an environment if they take too long for a shard, and it pays."""
    work = sum(member.own for member in members)
    install = duration(members, installs) - work
    if install + work <= share:
        return [list(members)]
    wanted = -(-work // max(share - install, 1))
    worthwhile = max(work // install, 1) if install else number
    return _placed(
        [[member] for member in members],
        {key: 0 for member in members for key in member.environments},
        min(wanted, worthwhile, number, len(members)),
    )


class _Shard:
    """A shard that is being filled, and when it is finished."""

    def __init__(self) -> None:
        self.works: list[Work] = []
        self.end = 0
        self._there: set[str] = set()

    def after(self, part: Sequence[Work], installs: Installs) -> int:
        """Return when the shard would be finished with another part."""
        new = {key for work in part for key in work.environments} - self._there
        return self.end + sum(work.own for work in part) + sum(installs[key] for key in new)

    def add(self, part: Sequence[Work], installs: Installs) -> None:
        """Add a part."""
        self.end = self.after(part, installs)
        self.works += part
        self._there |= {key for work in part for key in work.environments}


def _placed(parts: Iterable[list[Work]], installs: Installs, number: int) -> list[list[Work]]:
    """Place each part, the longest first, where it is finished first."""
    shards = [_Shard() for _ in range(number)]
    for part in sorted(parts, key=lambda one: (-duration(one, installs), one[0].id)):
        ends = [shard.after(part, installs) for shard in shards]
        shards[ends.index(min(ends))].add(part, installs)
    return [shard.works for shard in shards if shard.works]
