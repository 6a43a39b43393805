"""The tree of imports that `python -X importtime` writes, with the time of each module.

Source: Python's documentation, "-X importtime": a line for each module, after those that it
imports, with microseconds for itself and for all; two spaces before a name are one level.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

_LINE = re.compile(r"import time:\s*(?P<own>\d+) \|\s*(?P<all>\d+) \|(?P<name> .+)")


class Import(NamedTuple):
    """A module, its imports, and its times in ms: without these, and with them."""

    name: str
    own_ms: float
    all_ms: float
    imports: "tuple[Import, ...]" = ()

    def modules(self) -> "Iterator[Import]":
        """Yield this module and all below it."""
        yield self
        for one in self.imports:
            yield from one.modules()


def read(lines: Iterable[str]) -> tuple[list[Import], list[str]]:
    """Return the modules at the top of the tree, in their order, and all other lines."""
    waiting: list[tuple[int, Import]] = []
    others = []
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            if not line.startswith("import time:"):
                others.append(line)
            continue
        name = match["name"][1:]
        depth = (len(name) - len(name.lstrip())) // 2
        below = []
        while waiting and waiting[-1][0] > depth:
            below.append(waiting.pop()[1])
        times = (int(match["own"]) / 1000, int(match["all"]) / 1000)
        waiting.append((depth, Import(name.strip(), *times, tuple(reversed(below)))))
    return [one for _, one in waiting], others


def find(roots: Sequence[Import], name: str) -> Import | None:
    """Return a module of the tree, by its name."""
    return next((one for root in roots for one in root.modules() if one.name == name), None)


class Package(NamedTuple):
    """A package at the top of the import path, the time of its modules in ms, and their number."""

    name: str
    own_ms: float
    modules: int


def packages(roots: Iterable[Import]) -> list[Package]:
    """Return the packages of the modules in a tree, the one that takes longest first."""
    times: dict[str, list[float]] = {}
    for root in roots:
        for one in root.modules():
            times.setdefault(one.name.partition(".")[0], []).append(one.own_ms)
    found = [Package(name, sum(own), len(own)) for name, own in times.items()]
    return sorted(found, key=lambda one: (-one.own_ms, one.name))
