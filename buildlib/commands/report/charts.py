"""Charts of the report: Vega draws them while the page is created, and they are embedded as SVG.

Vega (package `vl-convert-python`, from the Vega project) is the one library on PyPI that draws
without a browser. So the page contains no third-party script: it has a tenth of its size with
plotly.js, prints, and opens where scripts are blocked, as in the artifact viewers of CI. Colours
are variables of the page's style, so one chart serves light mode, dark mode and paper. A table next
to each chart repeats its data.

The specifications are JSON files in this folder; this module adds the data. They do not depend on
fonts, which differ by machine: labels are cut by their number of letters.
"""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import vl_convert
from markupsafe import Markup

Spec = dict[str, Any]


class Tile(NamedTuple):
    """A part of a treemap: its size in bytes, the same as text, and its kind (a colour)."""

    name: str
    size: int
    shown: str
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


@functools.cache  # variants of a function often have equal contents
def treemap(tiles: tuple[Tile, ...], limit: int) -> Markup:
    """Draw the sizes in a ZIP as a treemap, and the total as a bar against `limit` in bytes."""
    spec = _spec("treemap")
    spec["signals"][0]["value"] = max(limit, sum(tile.size for tile in tiles))
    parts = [{"id": i, "in": "all", **tile._asdict()} for i, tile in enumerate(tiles)]
    return _draw(spec, parts=[{"id": "all"}, *parts])


def graph(nodes: Sequence[Node], edges: Sequence[Edge], rows: Sequence[Row]) -> Markup:
    """Draw the tasks of a function, from left to right."""
    spec = _spec("graph")
    spec["height"] = 76 * round(max(node.row for node in nodes)) + 70
    return _draw(spec, nodes=_dicts(nodes), edges=_dicts(edges), rows=_dicts(rows))


def times(bars: Sequence[Bar]) -> Markup:
    """Draw the build times of variants, in the order of `bars`."""
    spec = _spec("times")
    names = list(dict.fromkeys(bar.name for bar in bars))
    spec["height"] = 26 * len(names) + 24
    return _draw(spec, lines=[{"name": name} for name in names], parts=_dicts(bars))


def _dicts(values: Sequence[Any]) -> list[Spec]:
    return [value._asdict() for value in values]


def _spec(name: str) -> Spec:
    return dict(json.loads(Path(__file__).with_name(f"{name}.json").read_bytes()))


def _draw(spec: Spec, **data: list[Spec]) -> Markup:
    for source in spec["data"]:
        if source["name"] in data:
            source["values"] = data[source["name"]]
    return Markup(vl_convert.vega_to_svg(spec))  # noqa: S704 - Vega escapes its output
