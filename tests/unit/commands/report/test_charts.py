"""The charts of the report."""

import json
import re
from pathlib import Path

import pytest

from buildlib.archive import contents
from buildlib.commands.report import charts, page
from buildlib.commands.report.charts import Bar, Tile
from tests.pages import EVIL, LONG, build, content, rendered

FOLDER = Path(page.__file__).parent


def test_map_of_many() -> None:
    """All that is small is one tile; sizes are whole, and labels end where their tile does."""
    parts = [contents.Part(f"p{n} 1.0", 1000 - n, {}) for n in range(100)]
    text = rendered(build(), api=content(*parts))
    (drawn,) = re.findall(r"<svg.*?</svg>", text, re.DOTALL)[:1]
    assert "63 smaller ones" not in drawn  # too small for its label
    assert drawn.count('fill="var(--rest)"') == 2
    assert drawn.count('fill="var(--package)"') == 2 * 38  # each in the map and in the bar


def test_labels() -> None:
    """A name is cut to its tile; a size is whole or not there."""
    svg = charts.treemap((Tile(LONG, 100, "100 B", "package"), Tile(EVIL, 1, "1 B", "own")), 200)
    labels = re.findall(r"<tspan[^>]*>([^<]*)<", svg)
    assert labels[0].endswith("…")
    assert len(labels[0]) < 100
    assert "100 B" in labels
    assert "<script" not in svg


def test_bars() -> None:
    """Each variant has a line, in the order that is given, and each step its part of it."""
    svg = charts.times([Bar("slow", "venv", 3.0), Bar("slow", "zip", 1.0), Bar("fast", "zip", 0.1)])
    assert svg.count('fill="var(--step-zip)"') == 2
    assert svg.index(">slow<") < svg.index(">fast<")


@pytest.mark.parametrize("name", ["treemap", "graph", "times"])
def test_specifications(name: str) -> None:
    """They use no colour, font or address of their own: those are the page's."""
    text = (FOLDER / f"{name}.json").read_text()
    spec = json.loads(text)
    assert "#" not in text
    assert set(re.findall(r"https?://[^\"]*", text)) == {spec["$schema"]}
    fills = re.findall(r'"(?:fill|stroke|gridColor|labelColor)": (.*)', text)
    assert fills
    assert all("var(--" in fill for fill in fills)
