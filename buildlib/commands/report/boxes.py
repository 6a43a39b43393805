"""The boxes of a treemap: squarified, so that a reader can compare their areas.

Source: M. Bruls, K. Huizing, J. J. van Wijk, "Squarified Treemaps" (2000): boxes fill a row along
the shorter side of the free area as long as the worst ratio of their sides does not grow.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle; `x` and `y` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float


def squarify(sizes: Sequence[int], area: Box) -> Iterator[Box]:
    """Yield a box for each size, in their order.

    The sizes are positive, and the largest is the first. The boxes fill the area, each in
    proportion to its size.
    """
    if not sizes:
        return
    scale = area.width * area.height / sum(sizes)
    rest = [size * scale for size in sizes]
    while rest:
        count = _row(rest, min(area.width, area.height))
        is_last = count == len(rest)
        yield from _place(rest[:count], area, is_last=is_last)
        if not is_last:
            area = _free(sum(rest[:count]), area)
        rest = rest[count:]


def _row(areas: Sequence[float], side: float) -> int:
    """Return how many of the areas form the next row along a side of this length."""
    total, worst = areas[0], _worst(areas[0], areas[0], areas[0], side)
    for count, area in enumerate(areas[1:], 1):
        ratio = _worst(areas[0], area, total + area, side)
        if ratio > worst:
            return count
        total, worst = total + area, ratio
    return len(areas)


def _worst(largest: float, smallest: float, total: float, side: float) -> float:
    """Return the worst ratio of sides in a row whose areas have this sum."""
    return max(side * side * largest / (total * total), total * total / (side * side * smallest))


def _place(areas: Sequence[float], free: Box, *, is_last: bool) -> Iterator[Box]:
    """Yield the boxes of a row; the last row takes all that rounding has left."""
    across = free.width >= free.height  # the row is a column at the left
    side = free.height if across else free.width
    depth = (free.width if across else free.height) if is_last else sum(areas) / side
    start = 0.0
    for area in areas:
        length = side * area / sum(areas)
        if across:
            yield Box(free.x, free.y + start, depth, length)
        else:
            yield Box(free.x + start, free.y, length, depth)
        start += length


def _free(used: float, area: Box) -> Box:
    """Return the part of the area that a row leaves."""
    if area.width >= area.height:
        depth = used / area.height
        return Box(area.x + depth, area.y, area.width - depth, area.height)
    depth = used / area.width
    return Box(area.x, area.y + depth, area.width, area.height - depth)
