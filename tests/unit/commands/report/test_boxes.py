"""The boxes of a treemap."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildlib.commands.report.boxes import Box, squarify

SIZES = st.lists(st.integers(1, 300_000_000), min_size=1, max_size=40).map(
    lambda sizes: sorted(sizes, reverse=True)
)


@given(SIZES)
def test_areas(sizes: list[int]) -> None:
    """Areas are in proportion to sizes, inside of the whole, and disjoint."""
    whole = Box(0, 0, 720, 240)
    found = list(squarify(sizes, whole))
    scale = whole.width * whole.height / sum(sizes)
    for size, box in zip(sizes, found, strict=True):
        assert box.width * box.height == pytest.approx(size * scale, rel=1e-6, abs=1e-6)
        assert box.x >= -1e-6
        assert box.y >= -1e-6
        assert box.x + box.width <= whole.width + 1e-6
        assert box.y + box.height <= whole.height + 1e-6
    for one, other in itertools.combinations(found, 2):
        across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
        down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
        assert min(across, down) <= 1e-6


def test_the_example_of_the_paper() -> None:
    """The input of the example of Bruls, Huizing and van Wijk has these boxes by their rule."""
    found = list(squarify([6, 6, 4, 3, 2, 2, 1], Box(0, 0, 6, 4)))
    assert [tuple(round(value, 2) for value in box) for box in found] == [
        (0, 0, 3, 2),
        (0, 2, 3, 2),
        (3, 0, 1.71, 2.33),
        (4.71, 0, 1.29, 2.33),
        (3, 2.33, 1.2, 1.67),
        (4.2, 2.33, 1.2, 1.67),
        (5.4, 2.33, 0.6, 1.67),
    ]


def test_squares() -> None:
    """Equal sizes that can be squares are squares."""
    found = list(squarify([5] * 12, Box(0, 0, 4, 3)))
    assert [(box.width, box.height) for box in found] == [pytest.approx((1, 1))] * 12


def test_nothing() -> None:
    """Without sizes there are no boxes."""
    assert list(squarify([], Box(0, 0, 1, 1))) == []
