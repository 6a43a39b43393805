"""Measurements of cold starts that stay in build/, and the comparison of both forms."""

from pathlib import Path

import pytest

from buildlib.commands.coldstart import kept, shown
from buildlib.commands.coldstart.advice import Advice
from buildlib.commands.coldstart.kept import Measured, Saving, Surroundings
from buildlib.commands.coldstart.measure import Starts
from buildlib.files import records
from buildlib.layout import Layout
from buildlib.model import Function, Variant

PLACE = Surroundings("", "3.13.1", "x86_64", "A Processor", is_cold=True)


def measured(
    number: int = 0, *, has_bytecode: bool = False, others: tuple[float, ...] = ()
) -> Measured:
    """Return a measurement of a ZIP whose sha256 ends with a number."""
    zips = [f"{number:064x}"]
    time = "2026-11-29T10:00:00+00:00"
    return Measured(time, zips, PLACE, has_bytecode, [300.0, 310.5], [40.0], [*others], 5000)


def test_kept_measurements(tmp_path: Path) -> None:
    """Measurements come back in their order and with all fields; only the latest 50 stay."""
    layout = Layout(tmp_path)
    for number in range(60):
        kept.keep(layout, "api", measured(number, others=(1.5,)))
    found = kept.read(layout, "api")
    assert found == [measured(number, others=(1.5,)) for number in range(10, 60)]
    assert kept.read(layout, "jobs") == []
    assert kept.of_zips(found, measured(12).zips) == [found[2]]
    assert kept.of_zips(found, [*measured(12).zips, "0" * 64]) == []


@pytest.mark.parametrize(
    "wrong", ["-1.0", "0", "0.0", "1" + "0" * 400, "true", "NaN", "1e999", '"1"', "null"]
)
def test_a_strange_record(tmp_path: Path, wrong: str) -> None:
    """A record with a time that is none counts as missing."""
    layout = Layout(tmp_path)
    kept.keep(layout, "api", measured())
    path = layout.starts("api")
    text = path.read_bytes().partition(b'"record":')[2][:-1]
    assert b"310.5" in text
    path.write_bytes(records.sealed(text.replace(b"310.5", wrong.encode())))
    assert kept.read(layout, "api") == []
    path.write_bytes(records.sealed(text))
    assert kept.read(layout, "api") == [measured()]


def test_a_measurement_of_no_zip(tmp_path: Path) -> None:
    """A record without the ZIPs that it is about counts as missing."""
    layout = Layout(tmp_path)
    kept.keep(layout, "api", measured()._replace(zips=[]))
    assert kept.read(layout, "api") == []


def test_the_latest_comparison() -> None:
    """It is the latest measurement of both forms, in front of later ones of one form."""
    both = measured(2, others=(1.0,))
    assert kept.compared([measured(1, others=(2.0,)), both, measured(3)]) == both
    assert kept.compared([measured()]) is None
    assert measured().saving is None


def test_the_saving() -> None:
    """Bytecode saves the same time, whichever form the ZIP has."""
    off = measured(others=(100.0, 110.5)).saving
    assert off == Saving([100.0, 110.5], [300.0, 310.5], 5000, 0.0)
    assert (off.ms, off.is_clear) == (200.0, True)
    assert (
        shown.saving(off) == "bytecode saves 200.0 ms of each start (66%); it takes 4.9 kB unzipped"
    )
    on = measured(has_bytecode=True, others=(500.0, 510.5)).saving
    assert on == Saving([300.0, 310.5], [500.0, 510.5], 5000, 0.0)
    assert on.ms == 200.0


def test_the_trend() -> None:
    """The change of the median is shown, unless an empty module shows that the load differed."""
    now = measured()._replace(runs=[330.0])
    before = now._replace(runs=[300.0], empty=[49.0])
    assert shown.change(before, now) == "+10%"
    assert shown.change(now, before) == "-9%"
    assert shown.change(before._replace(empty=[51.0]), now) == "-"
    assert shown.change(before, now._replace(empty=[62.0])) == "-"


def test_spread() -> None:
    """A difference within the spread of the starts is not called a saving; a loss is named."""
    same = Saving([90.0, 100.0, 110.0], [95.0, 101.0, 120.0], 5000, 0.0)
    assert shown.saving(same).startswith("with and without bytecode, starts take the same time")
    slower = Saving([200.0, 210.0, 220.0], [90.0, 100.0, 110.0], 5000, 0.0)
    assert shown.saving(slower).startswith("bytecode costs 110.0 ms of each start (110%)")


def test_noise() -> None:
    """A difference that the starts of an empty module also show is not called a saving."""
    small = measured(others=(297.0, 298.0))._replace(empty=[71.0, 80.0, 135.0]).saving
    assert small is not None
    assert (small.ms, small.noise, small.is_clear) == (7.75, 64.0, False)
    assert "take the same time within their spread" in shown.saving(small)
    assert small._replace(noise=7.0).is_clear


def test_an_empty_module_is_no_part() -> None:
    """Its start, which noise can make longer than that of the function, is not called a part."""
    function = Function("api", "app.handler", ".", None, ("3.13",), (), "", (), (), "", ())
    variant = Variant("api", function, "3.13", "x86_64")
    starts = Starts(variant, [90.0], [99.0], None, "here", PLACE, has_bytecode=False, other=None)
    lines = [*shown.lines(starts, measured(), [], Advice([], [], []))]
    assert lines[3].startswith("    Python and AWS's client alone  99.0 ms ")
    assert "of it" not in "".join(lines)
