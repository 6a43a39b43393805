"""The measured starts of a function, as text and as JSON."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from buildlib import text
from buildlib.code import available
from buildlib.commands.coldstart import importtime
from buildlib.commands.coldstart.advice import Advice
from buildlib.commands.coldstart.importtime import Import, Package
from buildlib.commands.coldstart.kept import Measured, Saving
from buildlib.commands.coldstart.measure import INIT_LIMIT, Starts

# Packages, and modules of the tree, that are shown: those that take this part of all.
_PACKAGES, _PART = 10, 0.03

_STANDARD = "the standard library"

# The row about the empty module. It is not called a part of a start: noise can make it the longer.
_BASE = "Python and AWS's client alone"


# Earlier measurements in the table, and how much slower an empty module may start in one of two
# that are compared: its start shows the load of the machine.
_EARLIER, _LOAD = 5, 1.25


def lines(
    starts: Starts,
    measured: Measured,
    earlier: Sequence[Measured],
    advice: Advice,
) -> Iterator[str]:
    """Yield the table of the starts, the earlier ones, the imports, and advice."""
    plural = "s" if len(starts.runs) > 1 else ""
    yield f"{starts.variant.id}: {len(starts.runs)} cold start{plural} {starts.where}"
    yield from _indented(_table(starts))
    if starts.over_init:
        yield (
            f"  {starts.over_init} of {len(starts.runs)} starts took longer than {INIT_LIMIT} s: "
            "Lambda then stops the init phase, and starts it again within the first invocation"
        )
    if measured.saving:
        yield f"  {saving(measured.saving)}"
    if same := [one for one in earlier if one.surroundings == measured.surroundings]:
        yield "  measured before, in the same surroundings:"
        yield from _indented(_trend(measured, same[-_EARLIER:]))
    if starts.root is not None:
        yield f"  imports, measured in one more start: {starts.root.all_ms:.1f} ms"
        yield from _indented(_packages(starts, starts.root))
        yield from (f"    {line}" for line in _tree(starts.root, starts.root.all_ms))
    for one in advice.unused:
        yield f"  {one.place}: '{one.name}' is imported and never used: {one.ms:.1f} ms"
    how = "" if measured.saving else ", and '--compare bytecode' measures how much"
    for variant, count in advice.uncompiled:
        plural = "s" if count > 1 else ""
        of, there = "", ""
        if variant != starts.variant:
            of, there = f" of {variant.function.title}", " there"
        saved = f"'bytecode: true'{there} saves that{how}"
        yield f"  each start compiles {count} module{plural}{of}; {saved}"
    for variant, offer in advice.possible:
        where = "" if variant == starts.variant else f" in {variant.function.title}"
        yield f"  Lambda unpacks the code before a start: {offer}{where}"


def saving(found: Saving) -> str:
    """Return the time that bytecode saves as one line."""
    more = f"; it takes {text.amount(found.size)} unzipped"
    if not found.is_clear:
        return f"with and without bytecode, starts take the same time within their spread{more}"
    verb = "saves" if found.ms > 0 else "costs"
    return f"bytecode {verb} {abs(found.ms):.1f} ms of each start ({abs(found.part):.0%}){more}"


def _trend(measured: Measured, earlier: Sequence[Measured]) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [("", "median", "fastest", "slowest", "empty start", "now", "")]
    for one in earlier:
        zip_ = "this ZIP" if list(one.zips) == list(measured.zips) else f"ZIP {one.zips[0][:12]}"
        times = (f"{ms:.1f} ms" for ms in (one.median, min(one.runs), max(one.runs), one.base))
        rows.append((
            f"{one.when}, {zip_}", *times, change(one, measured), "",
        ))  # fmt: skip
    return text.table(rows)


def change(before: Measured, now: Measured) -> str:
    """Return the change of the median; nothing if the machine was slower in one of the two."""
    bases = sorted((before.base, now.base))
    if bases[1] > _LOAD * bases[0]:
        return "-"
    return f"{now.median / before.median - 1:+.0%}"


def over_limit(starts: Starts) -> str | None:
    """Return the problem of a function whose starts are over its limit."""
    if not starts.is_over:
        return None
    return (
        f"{starts.variant.function.title}: even the fastest of {len(starts.runs)} starts took "
        f"{min(starts.runs):.1f} ms, over its 'start_limit' of "
        f"{starts.variant.function.start_limit}; import less, or raise the limit"
    )


def as_json(
    starts: Starts,
    measured: Measured,
    earlier: Sequence[Measured],
    advice: Advice,
) -> dict[str, Any]:
    """Return all of it, with times in ms."""
    return {
        "id": starts.variant.id,
        "where": starts.where,
        **_measured(measured),
        "earlier": [_measured(one) for one in earlier],
        "limit_ms": starts.limit,
        "over_limit": starts.is_over,
        "over_init_limit": starts.over_init,
        "packages": [
            {"name": one.name, "own_ms": round(one.own_ms, 3), "modules": one.modules}
            for one in (_by_package(starts, starts.root) if starts.root else ())
        ],
        "imports": _json_tree(starts.root) if starts.root else None,
        "unused_imports": [one._asdict() for one in advice.unused],
        "uncompiled_modules": sum(count for _, count in advice.uncompiled),
        "uncompiled": [{"id": one.id, "modules": count} for one, count in advice.uncompiled],
        "possible": [{"id": variant.id, **one.as_json()} for variant, one in advice.possible],
    }


def _measured(one: Measured) -> dict[str, Any]:
    """Return a measurement with all that it depends on."""
    place, gain = one.surroundings, one.saving
    return {
        "time": one.time,
        "zips": [*one.zips],
        "image": place.image or None,
        "python": place.python,
        "machine": place.machine,
        "cpu": place.cpu or None,
        "page_cache": "dropped" if place.is_cold else "unknown" if place.image else "warm",
        "starts_ms": [*one.runs],
        "median_ms": round(one.median, 3),
        "empty_starts_ms": [*one.empty],
        "bytecode": one.has_bytecode,
        "compared": gain
        and {
            "starts_ms": [*one.others],
            "saved_ms": round(gain.ms, 3),
            "clear": gain.is_clear,
            "bytecode_size": gain.size,
        },
    }


def _table(starts: Starts) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [("", "median", "fastest", "slowest", "")]
    named = [("init", starts.runs), (_BASE, starts.empty)]
    if starts.other:
        form = "without" if starts.has_bytecode else "with"
        named.insert(1, (f"init {form} bytecode", starts.other.runs))
    for name, times in named:
        shown = (statistics.median(times), min(times), max(times))
        rows.append((name, *(f"{ms:.1f} ms" for ms in shown), ""))
    return text.table(rows)


def _by_package(starts: Starts, root: Import) -> list[Package]:
    """Return the packages of a tree, with the standard library as one."""
    known = available.standard_library(starts.variant.python)
    every = importtime.packages([root])
    standard = [one for one in every if one.name in known]
    found = [one for one in every if one.name not in known]
    if standard:
        total = sum(one.own_ms for one in standard)
        found.append(Package(_STANDARD, total, sum(one.modules for one in standard)))
    return sorted(found, key=lambda one: (-one.own_ms, one.name))


def _packages(starts: Starts, root: Import) -> Iterator[str]:
    found = _by_package(starts, root)
    rows = [("package", "own time", "of all", "modules", "")]
    rows += [
        (
            one.name,
            f"{one.own_ms:.1f} ms",
            f"{one.own_ms / root.all_ms:.0%}" if root.all_ms else "",
            str(one.modules),
            "",
        )
        for one in found[:_PACKAGES]
    ]
    yield from text.table(rows)
    if len(found) > _PACKAGES:
        yield f"and {len(found) - _PACKAGES} more"


def _tree(one: Import, total: float, level: int = 0) -> Iterator[str]:
    """Yield the modules that take a part of the time worth showing, each below its importer."""
    yield f"{'  ' * level}{one.name} {one.all_ms:.1f} ms"
    for below in sorted(one.imports, key=lambda module: -module.all_ms):
        if below.all_ms >= max(1.0, _PART * total):
            yield from _tree(below, total, level + 1)


def _json_tree(one: Import) -> dict[str, Any]:
    return {
        "name": one.name,
        "own_ms": one.own_ms,
        "all_ms": one.all_ms,
        "imports": [_json_tree(below) for below in one.imports],
    }


def _indented(lines: Iterator[str]) -> Iterator[str]:
    yield from (f"    {line}" for line in lines)
