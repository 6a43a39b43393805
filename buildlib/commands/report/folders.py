"""The files of a ZIP as a tree of parts, folders and files, whose large ones a treemap shows.

A tree of pandas has thousands of files. So folders are split only where they are shown, the largest
first, until a number of tiles is reached; small files are one tile.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from buildlib.archive.contents import IN_RUNTIME, OWN_FILES, Part, Placed

# The most tiles of one level that a reader can tell apart.
TILES = 28


# A tile with a smaller share of its level is too small to be seen or clicked.
_SMALLEST = 1 / 600


# A folder with this share of a package, such as `pandas/`, is shown as the package.
_NEARLY_ALL = 0.95


class Tile(NamedTuple):
    """A part, folder or file, with its unzipped bytes and the bytes of it that could go.

    `kind` is its colour. `level` is the number of the level that shows its content, 0 if none does.
    """

    name: str
    size: int
    spare: int
    kind: str
    level: int = 0


class Level(NamedTuple):
    """The content of the ZIP, or of one part or folder, the largest tile first.

    `trail` has the numbers and names of the levels above it, from the ZIP down, and its own.
    """

    trail: tuple[tuple[int, str], ...]
    size: int
    tiles: list[Tile]


class _Node(NamedTuple):
    """A part, a folder or a file: its name, its kind, and its files, all in the folder `prefix`."""

    name: str
    size: int
    spare: int
    kind: str
    files: Sequence[Placed] = ()
    prefix: str = ""

    @property
    def splits(self) -> bool:
        return len(self.files) > 1


def levels(parts: Sequence[Part], files: Sequence[Placed], most: int) -> list[Level]:
    """Return the levels of a ZIP, the one of all parts first, with at most about `most` tiles.

    The first level is always complete.
    """
    by_part: dict[str, list[Placed]] = {}
    for file in files:
        by_part.setdefault(file.part, []).append(file)
    found = [_level(((0, ""),), _parts(parts, by_part))]
    used = len(found[0][0].tiles)
    queue = list(_queued(0, found[0][1]))
    heapq.heapify(queue)
    while queue and used < most:
        _, parent, place, node = heapq.heappop(queue)
        trail = (*found[parent][0].trail, (len(found), node.name))
        level, nodes = _level(trail, _children(node))
        tiles = found[parent][0].tiles
        tiles[place] = tiles[place]._replace(level=len(found))
        used += len(tiles)
        for entry in _queued(len(found), nodes):
            heapq.heappush(queue, entry)
        found.append((level, nodes))
    return [level for level, _ in found]


def _queued(level: int, nodes: Sequence[_Node]) -> Iterator[tuple[int, int, int, _Node]]:
    for place, node in enumerate(nodes):
        if node.splits:
            yield (-node.size, level, place, node)


def _level(trail: tuple[tuple[int, str], ...], nodes: list[_Node]) -> tuple[Level, list[_Node]]:
    """Return a level of nodes, and the nodes of its tiles: small ones are one."""
    total = sum(node.size for node in nodes)
    nodes = sorted((node for node in nodes if node.size), key=lambda node: (-node.size, node.name))
    shown = [node for node in nodes[:TILES] if node.size >= total * _SMALLEST]
    if len(rest := nodes[len(shown) :]) > 1:
        size, spare = sum(node.size for node in rest), sum(node.spare for node in rest)
        shown.append(_Node(f"{len(rest)} smaller ones", size, spare, "rest"))
        shown.sort(key=lambda node: -node.size)
    else:
        shown += rest
    tiles = [Tile(node.name, node.size, node.spare, node.kind) for node in shown]
    return Level(trail, total, tiles), shown


def _parts(parts: Sequence[Part], files: Mapping[str, Sequence[Placed]]) -> list[_Node]:
    return [
        _Node(
            part.name,
            part.size,
            sum(part.savings.values()),
            kind(part.name, part.savings),
            files.get(part.name, ()),
        )
        for part in parts
    ]


def kind(name: str, savings: Mapping[str, int]) -> str:
    """Return the colour of a part."""
    if name == OWN_FILES:
        return "own"
    return "runtime" if IN_RUNTIME in savings else "package"


def _children(node: _Node) -> list[_Node]:
    """Return the folders and files of a node; a folder that has nearly all of it is entered."""
    groups = _split(node.files, node.prefix)
    while path := _main(groups, node.size):
        groups |= _split(groups.pop(path), path)
    return [_node(path, files, node.kind) for path, files in groups.items()]


def _main(groups: Mapping[str, Sequence[Placed]], size: int) -> str:
    """Return the folder that has nearly all of a size; empty if no folder has."""
    for path, files in groups.items():
        if path.endswith("/") and sum(file.size for file in files) > size * _NEARLY_ALL:
            return path
    return ""


def _split(files: Sequence[Placed], folder: str) -> dict[str, list[Placed]]:
    """Return the files in a folder by the paths of its folders, which end in a slash, and files."""
    groups: dict[str, list[Placed]] = {}
    for file in files:
        name, slash, _ = file.path[len(folder) :].partition("/")
        groups.setdefault(folder + name + slash, []).append(file)
    return groups


def _node(path: str, files: Sequence[Placed], kind: str) -> _Node:
    name, slash = path.removesuffix("/").rpartition("/")[2], path[-1:] if path[-1:] == "/" else ""
    size = sum(file.size for file in files)
    spare = sum(file.size for file in files if file.saving)
    return _Node(name + slash, size, spare, kind, files, path)
