"""The tree of `-X importtime`, read from its lines."""

import subprocess
import sys

import pytest

from buildlib.commands.coldstart import importtime
from buildlib.commands.coldstart.measure import milliseconds

LINES = """\
import time: self [us] | cumulative | imported package
import time:       100 |        100 | site
a line of the function
import time:      1000 |       1000 |     pkg.deep
import time:      2000 |       3000 |   pkg
import time:       500 |        500 |     json.decoder
import time:       500 |       1000 |   json
import time:        50 |       4050 | app
""".splitlines()


def test_a_tree() -> None:
    """Each module is below the one that imports it, in their order, with both times in ms."""
    roots, others = importtime.read(LINES)
    assert others == ["a line of the function"]
    assert [one.name for one in roots] == ["site", "app"]
    app = roots[1]
    assert [(one.name, one.own_ms, one.all_ms) for one in app.modules()] == [
        ("app", 0.05, 4.05),
        ("pkg", 2.0, 3.0),
        ("pkg.deep", 1.0, 1.0),
        ("json", 0.5, 1.0),
        ("json.decoder", 0.5, 0.5),
    ]
    assert importtime.find(roots, "json") == app.imports[1]
    assert importtime.find(roots, "nothing") is None


def test_packages() -> None:
    """The modules of a package count together, the longest package first."""
    roots, _ = importtime.read(LINES)
    assert importtime.packages(roots[1:]) == [("pkg", 3.0, 2), ("json", 1.0, 2), ("app", 0.05, 1)]


def test_the_real_one() -> None:
    """What this Python writes is read without a rest; the parts add up."""
    command = [sys.executable, "-X", "importtime", "-c", "import xml.etree.ElementTree"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    roots, others = importtime.read(done.stderr.splitlines())
    assert others == []
    package = importtime.find(roots, "xml.etree.ElementTree")
    assert package is not None
    assert {one.name for one in package.modules()} >= {"xml.etree.ElementTree", "copy"}
    assert sum(one.own_ms for one in package.modules()) == pytest.approx(package.all_ms, rel=0.2)


@pytest.mark.parametrize(
    ("text", "expected"), [("800 ms", 800), ("800ms", 800), ("1.5 s", 1500), ("2s", 2000)]
)
def test_durations(text: str, expected: float) -> None:
    """A duration of the manifest is a number of ms."""
    assert milliseconds(text) == expected
