"""Charts of the report as values: positions, texts and kinds, which `charts.html` draws as SVG.

Colours are variables of the page's style, so one chart serves light mode, dark mode and paper.
Nothing depends on fonts, which differ by machine: labels are cut by their number of letters. A
table next to each chart repeats its data.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from buildlib import text
from buildlib.commands.report import boxes
from buildlib.commands.report.boxes import Box
from buildlib.commands.report.folders import Level, Tile

WIDTH = 720
MAP_HEIGHT = 240
_GAP = 2


class _Letters(NamedTuple):
    """The width of a letter, both margins of a label, and the heights of one and of two lines."""

    width: float
    margin: int
    one_line: int
    two_lines: int

    def fit(self, box: Box) -> int:
        """Return how many letters fit into a box; 0 if it has no room for a label."""
        count = int((box.width - self.margin) / self.width)
        return count if count >= _FEWEST and box.height >= self.one_line else 0


# On a phone letters are twice as large in proportion.
_WIDE, _NARROW = _Letters(7.2, 12, 20, 36), _Letters(14.4, 16, 38, 70)


_FEWEST = 4


class Drawn(NamedTuple):
    """A tile at its place.

    `title` is all that is known of it. `label` and `note` are its lines of text, empty if they have
    no room; `small` and `small_note` say that they have room on a wide page only. `spare` is the
    height of the part that could go.
    """

    box: Box
    kind: str
    spare: int
    title: str
    label: str
    note: str
    small: bool
    small_note: bool
    level: int


class Segment(NamedTuple):
    """A part of a bar, from its left end, and its kind."""

    x: float
    width: float
    kind: str


class Node(NamedTuple):
    """A task in a graph: its position, two lines of text, and its state (a style)."""

    column: int
    row: float
    title: str
    note: str
    state: str


class Edge(NamedTuple):
    """A dependency in a graph, from the position of one task to that of another."""

    column: int
    row: float
    to_column: int
    to_row: float


class Row(NamedTuple):
    """The label above a row of a graph."""

    row: float
    name: str


class Bar(NamedTuple):
    """The time of a step of the variant `name`, in seconds."""

    name: str
    step: str
    seconds: float


class Line(NamedTuple):
    """The bar of a variant, with its name, cut to its place."""

    name: str
    segments: list[Segment]


class Times(NamedTuple):
    """The bars of several variants, and the positions and names of the lines of their scale."""

    lines: list[Line]
    ticks: list[tuple[float, str]]


def treemap(level: Level) -> Iterator[Drawn]:
    """Yield the tiles of a level at their places."""
    area = Box(0, 0, WIDTH + _GAP, MAP_HEIGHT + _GAP)
    sizes = [tile.size for tile in level.tiles]
    for tile, box in zip(level.tiles, boxes.squarify(sizes, area), strict=True):
        yield _drawn(tile, _rounded(box))


def _rounded(box: Box) -> Box:
    """Return a box with whole numbers, and a gap to its neighbours."""
    x, y = round(box.x), round(box.y)
    right, bottom = round(box.x + box.width), round(box.y + box.height)
    return Box(x, y, max(1, right - x - _GAP), max(1, bottom - y - _GAP))


def _drawn(tile: Tile, box: Box) -> Drawn:
    shown = text.amount(tile.size)
    title = f"{tile.name}, {shown}"
    if tile.spare:
        title += f", {text.amount(tile.spare)} of it could go"
    room, small_room = _WIDE.fit(box), _NARROW.fit(box)
    has_note = box.height >= _WIDE.two_lines and room >= len(shown)
    return Drawn(
        box=box,
        kind=tile.kind,
        spare=round(box.height * tile.spare / tile.size),
        title=title,
        label=_label(tile, room) if room else "",
        note=shown if has_note else "",
        small=not small_room,
        small_note=box.height < _NARROW.two_lines or small_room < len(shown),
        level=tile.level,
    )


def _label(tile: Tile, letters: int) -> str:
    """Return the name of a tile, with a mark if it leads to its content."""
    if not tile.level:
        return cut(tile.name, letters)
    return f"{cut(tile.name, letters - 2)} \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"


def cut(name: str, letters: int) -> str:
    """Return a name with an ellipsis for the letters that have no room."""
    return name if len(name) <= letters else f"{name[: letters - 1]}\N{HORIZONTAL ELLIPSIS}"


def limit_bar(level: Level, limit: int) -> list[Segment]:
    """Return the tiles of a level as a bar that is full at `limit` bytes."""
    scale = WIDTH / max(limit, level.size)
    segments, start = [], 0.0
    for tile in level.tiles:
        for size, kind in ((tile.size - tile.spare, tile.kind), (tile.spare, "spare")):
            kind = tile.kind if tile.kind == "runtime" else kind  # noqa: PLW2901 - all of it
            if size:
                segments.append(Segment(round(start, 1), round(size * scale, 1), kind))
            start += size * scale
    return segments


# The left and right end of the bars, and the most letters of a name.
_FROM, _TO, _NAME = 224, 704, 30


def times(bars: Sequence[Bar]) -> Times:
    """Return the build times of variants, in the order of `bars`."""
    totals: dict[str, float] = {}
    for bar in bars:
        totals[bar.name] = totals.get(bar.name, 0.0) + bar.seconds
    step = _step(max(totals.values()))
    count = max(1, math.ceil(max(totals.values()) / step))
    scale = (_TO - _FROM) / (step * count)
    lines = {name: Line(cut(name, _NAME), []) for name in totals}
    ends = dict.fromkeys(totals, float(_FROM))
    for bar in bars:
        width = bar.seconds * scale
        segment = Segment(round(ends[bar.name], 1), round(width, 1), bar.step)
        lines[bar.name].segments.append(segment)
        ends[bar.name] += width
    ticks = [(round(_FROM + n * step * scale, 1), f"{n * step:g} s") for n in range(count + 1)]
    return Times(list(lines.values()), ticks)


def _step(longest: float) -> float:
    """Return the round distance of about five lines of a scale."""
    power = 10.0 ** math.floor(math.log10(max(longest, 1e-3) / 5))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power * 5 >= longest)
