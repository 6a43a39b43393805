"""Follow the imports from a handler through the function's own code, without running it."""

import os
from collections import deque
from collections.abc import Collection, Iterator
from typing import NamedTuple

from buildlib.code.places import ALWAYS, GUARDED, LATER, NEVER
from buildlib.code.reader import Module
from buildlib.code.resolve import Gap, Tree, packages, resolve

# The places of an import in a file: the path in the tree, and the line.
Place = tuple[str, int]


class Missing(NamedTuple):
    """An import that does not find a name: its place, and the imports that lead there.

    `place` is one of ALWAYS, GUARDED and LATER. With ALWAYS, Lambda cannot import the handler.
    """

    gap: Gap
    at: Place
    place: str
    via: tuple[Place, ...] = ()

    @property
    def is_certain(self) -> bool:
        """Whether Lambda surely fails."""
        return self.place == ALWAYS


class Verdict(NamedTuple):
    """The imports that fail, and whether code changes the search path."""

    missing: list[Missing]
    edits_path: bool


def missing(tree: Tree, handler: str, allowed: Collection[str]) -> Verdict:
    """Return the imports that fail, from the handler's module at the path `handler` on.

    `allowed` are dotted names that need not be there. If some module changes the search path, it
    may reach any other folder, and no import is certain to fail.
    """
    roots: list[str] = [""]
    while True:
        walk = _Walk(tree, roots, allowed)
        walk.run(handler)
        more = [root for root in walk.roots if root not in roots]
        if not more:
            break
        roots += more
    found = [one for one in walk.found.values() if not _is_moot(one)]
    if walk.edits_path:
        found = [one._replace(place=max(one.place, GUARDED, key=_rank)) for one in found]
    return Verdict(found, walk.edits_path)


def _is_moot(one: Missing) -> bool:
    """Tell whether an import fails by design: where code tries one way, and then another."""
    return one.place == GUARDED and bool(one.gap.problem)


def _rank(place: str) -> int:
    return (ALWAYS, GUARDED, LATER, NEVER).index(place)


class _Walk:
    """One way through the modules that a handler reaches."""

    def __init__(self, tree: Tree, roots: list[str], allowed: Collection[str]) -> None:
        self.tree, self.allowed = tree, allowed
        self.search = list(roots)
        self.roots: dict[str, None] = {}  # folders that modules add to the search path
        self.found: dict[tuple[Place, str], Missing] = {}
        self.edits_path = False
        self._reached: dict[str, str] = {}  # each path with the most certain place of its imports

    def run(self, handler: str) -> None:
        """Follow all imports, the shortest ways first."""
        queue: deque[tuple[str, str, tuple[Place, ...]]] = deque()
        queue += ((path, ALWAYS, ()) for path in (*packages(handler), handler))
        while queue:
            path, certainty, way = queue.popleft()
            known = self._reached.get(path)
            if path not in self.tree.own or (known and _rank(known) <= _rank(certainty)):
                continue
            self._reached[path] = certainty
            module = self.tree.read(path)
            if module.edits_path:
                self.edits_path = True
                self.roots |= dict.fromkeys(_roots(self.tree, path, module))
            for item in module.imports:
                if item.place == NEVER:
                    continue
                place = max(certainty, item.place, key=_rank)
                at = (path, item.line)
                steps, gaps = resolve(self.tree, path, item, self.search)
                queue += ((step, place, (*way, at)) for step in steps)
                for gap in gaps:
                    self._add(Missing(gap, at, place, way))

    def _add(self, one: Missing) -> None:
        gap = one.gap
        names = (gap.name, *filter(None, [gap.broken]))
        if any(_is_allowed(name, self.allowed) for name in names):
            return
        if gap.wanted and all(_is_allowed(name, self.allowed) for name in gap.wanted):
            return
        key = (one.at, gap.name)
        known = self.found.get(key)
        if known is None or _rank(one.place) < _rank(known.place):
            self.found[key] = one


def _is_allowed(name: str, allowed: Collection[str]) -> bool:
    return any(name == known or name.startswith(f"{known}.") for known in allowed)


def _roots(tree: Tree, path: str, module: Module) -> Iterator[str]:
    """Yield folders that a module may add to the search path, each with a slash at its end.

    They are guessed from the texts where it does: these folders below its own, below those above
    it, or below the top of the tree; and its own folder with those above it.
    """
    lineage, folder = [], os.path.dirname(path)
    while folder:
        lineage.append(folder)
        folder = os.path.dirname(folder)
    yield from (f"{folder}/" for folder in lineage)
    texts = [os.path.normpath(text.removeprefix("/var/task")).strip("/") for text in module.paths]
    for text in (*texts, "/".join(texts)):
        for folder in (*lineage, ""):
            one = os.path.normpath(os.path.join(folder, text))
            if one in tree.folders:
                yield f"{one}/"
