"""The charts of the report."""

import re
from pathlib import Path

import pytest

from buildlib.archive import contents
from buildlib.commands.report import charts, page
from buildlib.commands.report.charts import Bar
from buildlib.commands.report.folders import Level, Tile
from tests.pages import EVIL, LONG, build, content, rendered

FOLDER = Path(page.__file__).parent


def level(*tiles: Tile) -> Level:
    """Return a level of tiles."""
    return Level(((0, ""),), sum(tile.size for tile in tiles), list(tiles))


def test_map_of_many() -> None:
    """All that is small is one tile."""
    parts = [contents.Part(f"p{n} 1.0", 1_000_000 - n, {}) for n in range(100)]
    text = rendered(build(), api=content(*parts))
    (drawn,) = re.findall(r'class="level" id="m0-0".*?</div>', text, re.DOTALL)
    assert drawn.count('"k-rest"') == 1
    assert drawn.count('"k-package"') + drawn.count('"k-own"') + drawn.count('"k-runtime"') == 28


def test_labels() -> None:
    """A name is cut to its tile; a size is whole or not there; the title has everything."""
    large, small = charts.treemap(level(Tile(LONG, 900, 0, "package"), Tile("api", 1, 1, "own")))
    assert large.label.endswith("…")
    assert 60 < len(large.label) < 110
    assert large.note == "900 B"
    assert (small.label, small.note) == ("", "")
    assert small.title == "api, 1 B, 1 B of it could go"
    assert large.title.startswith(f"{LONG}, 900 B")


def test_a_tile_that_opens() -> None:
    """The label of a tile that leads to a level has a mark, and is still cut to its tile."""
    (tile,) = charts.treemap(level(Tile(LONG, 9, 0, "package", level=3)))
    assert re.fullmatch("a-name.*\N{HORIZONTAL ELLIPSIS} [^ ]", tile.label)
    assert tile.level == 3


def test_could_go() -> None:
    """The part of a tile that could go has its share of the height, and of the bar."""
    (tile,) = charts.treemap(level(Tile("numpy", 100, 25, "package")))
    assert tile.spare == round(tile.box.height / 4)
    found = charts.limit_bar(level(Tile("numpy", 100, 25, "package")), 1000)
    assert [(part.width, part.kind) for part in found] == [(54, "package"), (18, "spare")]
    boto = charts.limit_bar(level(Tile("boto3", 100, 100, "runtime")), 1000)
    assert [part.kind for part in boto] == ["runtime"]


def test_over_the_limit() -> None:
    """A ZIP that is larger than the limit fills the bar."""
    (part,) = charts.limit_bar(level(Tile("numpy", 100, 0, "package")), 50)
    assert part.width == charts.WIDTH


def test_names_in_a_map() -> None:
    """Whatever a name has in it is text of the drawing."""
    text = rendered(build(), api=content(contents.Part(EVIL, 20_000_000, {})))
    (drawn,) = re.findall(r'class="level" id="m0-0".*?</div>', text, re.DOTALL)
    assert "&lt;/script&gt;" in drawn
    assert "<script" not in drawn


def test_bars() -> None:
    """Each variant has a line, in the order that is given, and each step its part of it."""
    found = charts.times(
        [Bar("slow", "venv", 3.0), Bar("slow", "zip", 1.0), Bar("fast", "zip", 0.1)]
    )
    slow, fast = found.lines
    assert [part.kind for part in slow.segments] == ["venv", "zip"]
    assert slow.segments[1].x == pytest.approx(slow.segments[0].x + slow.segments[0].width)
    assert slow.segments[1].width == pytest.approx(10 * fast.segments[0].width)
    assert [name for _, name in found.ticks] == ["0 s", "1 s", "2 s", "3 s", "4 s"]


@pytest.mark.parametrize("longest", [0.0, 0.004, 0.3, 1, 7.3, 99, 4000])
def test_scale(longest: float) -> None:
    """The scale has a few round lines, and the longest bar ends before the last one."""
    found = charts.times([Bar("one", "zip", longest)])
    assert 2 <= len(found.ticks) <= 6
    (part,) = found.lines[0].segments
    assert part.x + part.width <= found.ticks[-1][0] + 0.1


def test_colours_are_the_pages() -> None:
    """The drawings use no colour or font of their own, and each class is in the style."""
    text = (FOLDER / "charts.html").read_text()
    style = (FOLDER / "style.css").read_text()
    assert not re.search(r"fill=|stroke=|font|style=|#[0-9a-f]{3}", text)
    for kind in ("own", "package", "spare", "runtime", "rest"):
        assert f".k-{kind} {{ fill: var(--{kind}); }}" in style
