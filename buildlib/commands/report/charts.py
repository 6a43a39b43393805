"""The pictures of the report: drawn by Vega while the page is made, and embedded as SVG.

Of the libraries that PyPI has in a wheel, Vega (package `vl-convert-python`, of the Vega project)
is the one that needs no browser to draw. So no script of another's is in the page: it is a tenth of
the size that it would have with plotly.js, prints, and opens where scripts are not allowed, as in
the artifact viewers of CI. Colours are variables of the page's style, so that one picture serves
light, dark and paper. What a picture shows stands beside it as a table.

The specifications are the JSON files beside this module; here they get their data. Nothing in them
depends on fonts, which every machine has others of: texts are cut by their number of letters.
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
    """A part of a map: its size in bytes, also as text, and which kind of part it is."""

    name: str
    size: int
    shown: str
    kind: str


class Node(NamedTuple):
    """A task in a graph: its place, what is written in it, and its state."""

    column: int
    row: float
    title: str
    note: str
    state: str


class Edge(NamedTuple):
    """A dependency in a graph, from the place of one task to that of another."""

    column: int
    row: float
    to_column: int
    to_row: float


class Row(NamedTuple):
    """What is written above a row of a graph."""

    row: float
    name: str


class Bar(NamedTuple):
    """The time of a step in the line of a variant, in seconds."""

    name: str
    step: str
    seconds: float


@functools.cache  # variants of a function often have the same
def treemap(tiles: tuple[Tile, ...], limit: int) -> Markup:
    """Return a map of the sizes in a ZIP, against what it may have, in bytes."""
    spec = _spec("treemap")
    spec["signals"][0]["value"] = max(limit, sum(tile.size for tile in tiles))
    rows = [{"id": i, "in": "all", **tile._asdict()} for i, tile in enumerate(tiles)]
    return _drawn(spec, parts=[{"id": "all"}, *rows])


def graph(nodes: Sequence[Node], edges: Sequence[Edge], rows: Sequence[Row]) -> Markup:
    """Return the tasks of a function, from left to right."""
    spec = _spec("graph")
    spec["height"] = 76 * round(max(node.row for node in nodes)) + 70
    return _drawn(spec, nodes=_rows(nodes), edges=_rows(edges), rows=_rows(rows))


def times(bars: Sequence[Bar]) -> Markup:
    """Return the times of variants, in the order in which they come."""
    spec = _spec("times")
    names = list(dict.fromkeys(bar.name for bar in bars))
    spec["height"] = 26 * len(names) + 24
    return _drawn(spec, lines=[{"name": name} for name in names], parts=_rows(bars))


def _rows(values: Sequence[Any]) -> list[Spec]:
    return [value._asdict() for value in values]


def _spec(name: str) -> Spec:
    return dict(json.loads(Path(__file__).with_name(f"{name}.json").read_bytes()))


def _drawn(spec: Spec, **data: list[Spec]) -> Markup:
    for source in spec["data"]:
        if source["name"] in data:
            source["values"] = data[source["name"]]
    return Markup(vl_convert.vega_to_svg(spec))  # noqa: S704 - Vega escapes what it writes
