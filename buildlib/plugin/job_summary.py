"""The summary of a job in GitHub Actions: a Markdown table of all variants, errors and warnings.

GitHub shows the file that GITHUB_STEP_SUMMARY names, as GitHub Flavored Markdown, and refuses one
of over 1 MiB for each step (docs.github.com, "Adding a job summary").
"""

import html
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.artifacts import earlier, index
from buildlib.artifacts.earlier import Base, Earlier
from buildlib.plugin.result import Result
from buildlib.steps import summary
from buildlib.text import amount, harmless

_LIMIT = 1 << 20  # bytes of one step, which other programs may have used already
_RESERVE = 4 << 10  # bytes for headings, and for the next program
# The parts of the rest.
_TABLE, _ERRORS, _WARNINGS = 0.5, 0.35, 0.15

_REST = 50  # rows up to which unchanged variants are listed
_REASON = 200  # characters of a reason
_MESSAGE = (1000, 3000)  # the first and the last characters of a long message

# The words of a summary; those for a terminal name parts of this package.
_CACHED, _UNCHANGED, _REMOVED = "from the cache", "unchanged", "removed"
_WORDS = {summary.STORED: _CACHED, summary.DESCRIBED: _UNCHANGED}
# Variants of these outcomes are listed after the others, and only while there is room.
_QUIET = {_CACHED: 3, summary.FETCHED: 3, _UNCHANGED: 4}


class _Row(NamedTuple):
    id: str
    outcome: str
    why: str
    now: Earlier | None
    state: str  # of the comparison

    @property
    def rank(self) -> int:
        """The place in the table: problems, then changes against the base, then what was done."""
        if self.outcome in {summary.FAILED, summary.LEFT_OUT, summary.INTERRUPTED}:
            return 0
        if self.state not in {"", earlier.SAME}:
            return 1
        return _QUIET.get(self.outcome, 2)

    @property
    def is_certain(self) -> bool:
        """Tell whether it is in the table however many there are, if there is room."""
        return self.outcome not in _QUIET or self.rank == 1


def append(
    path: Path, result: Result, entries: Mapping[str, index.Entry], base: Base | None
) -> None:
    """Add the summary of a run to a file.

    `entries` are those of the index after the run.

    Raises:
        OSError: the file cannot be written.

    """
    used = path.stat().st_size if path.exists() else 0
    text = render(result, entries, base, room=_LIMIT - used)
    with path.open("a", encoding="utf-8", newline="\n") as stream:
        stream.write(text)


def render(
    result: Result,
    entries: Mapping[str, index.Entry],
    base: Base | None,
    *,
    room: int = _LIMIT,
) -> str:
    """Return the summary of a run, in at most `room` bytes; empty if it had no variant."""
    rows = _rows(result, entries, base)
    room -= _RESERVE
    if not rows or room <= 0:
        return ""
    blocks = [
        f"### Lambda ZIPs: {_totals(rows, result)}\n\n",
        *_table(rows, base, int(room * _TABLE)),
        *_errors(result.errors, int(room * _ERRORS)),
        *_warnings(result.warnings, int(room * _WARNINGS)),
    ]
    return "".join(blocks)


def _rows(result: Result, entries: Mapping[str, index.Entry], base: Base | None) -> list[_Row]:
    """Return a row for each variant of the run, and for each that is gone since the base."""
    outcomes = {one.id: (_WORDS.get(one.done, one.done), one.why) for one in result.outcomes}
    outcomes |= dict.fromkeys(result.unchanged, (_UNCHANGED, ""))
    if not outcomes:
        return []
    now = earlier.of_index(entries)
    states: dict[str, str] = {}
    if base is not None:
        states = earlier.compare(base.zips, entries)
        gone = [name for name, state in states.items() if state == earlier.REMOVED]
        outcomes |= dict.fromkeys(gone, (_REMOVED, ""))
    rows = [
        _Row(name, outcome, why, now.get(name), states.get(name, ""))
        for name, (outcome, why) in outcomes.items()
    ]
    return sorted(rows, key=lambda row: (row.rank, row.id))


def _totals(rows: Sequence[_Row], result: Result) -> str:
    counts = Counter(row.outcome for row in rows)
    ordered = {name: counts[name] for name in (summary.BUILT, *_QUIET, *counts)}
    return escape(summary.totals(ordered, result.seconds if result.outcomes else None))


def _table(rows: Sequence[_Row], base: Base | None, room: int) -> Iterator[str]:
    titles = ["Variant", "Outcome", "Zipped", "Unzipped"]
    if base is not None:
        titles.append("Change")
        yield f"Changes are against {_code(base.name)}.\n\n"
    yield f"| {' | '.join(titles)} |\n| --- | --- |{' ---: |' * (len(titles) - 2)}\n"
    total = _line(_sums(rows, base))
    certain = [row for row in rows if row.is_certain]
    wanted = rows if len(rows) <= _REST else [*certain, *rows[len(certain) : _REST]]
    shown = _fit([_line(_cells(row, base)) for row in wanted], room - len(total))
    yield from shown
    yield f"{total}\n"
    if rest := rows[len(shown) :]:
        counts = Counter(row.outcome for row in rest)
        listed = ", ".join(f"{number} {escape(name)}" for name, number in counts.items())
        yield f"Not in the table: {listed}.\n\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _cells(row: _Row, base: Base | None) -> list[str]:
    why = row.why if len(row.why) <= _REASON else f"{row.why[:_REASON]}..."
    outcome = f"{row.outcome}: {why}" if why else row.outcome
    sizes = [_amount(row.now and row.now.size), _amount(row.now and row.now.unzipped_size)]
    change = [] if base is None else [_change(row, base.zips.get(row.id))]
    return [_code(row.id), escape(outcome), *sizes, *change]


def _amount(size: int | None) -> str:
    return "" if size is None else amount(size)


def _change(row: _Row, before: Earlier | None) -> str:
    """Return the change of a ZIP in words, with that of its size where both are known."""
    now = row.now
    if row.state != earlier.CHANGED or now is None or before is None:
        return "" if row.outcome == _REMOVED else row.state
    if now.size is None or before.size is None:
        return row.state
    return f"{row.state}, {summary.change(now.size, before.size) or 'same size'}"


def _sums(rows: Sequence[_Row], base: Base | None) -> list[str]:
    """Return the cells of the last row: the sums of all sizes, and their change."""
    zips = [row.now for row in rows if row.now]
    sizes = [sum(one.size or 0 for one in zips), sum(one.unzipped_size or 0 for one in zips)]
    cells = ["**Total**", "", *(f"**{amount(size)}**" for size in sizes)]
    if base is not None:
        compared = [row for row in rows if row.now or row.outcome == _REMOVED]
        before = [base.zips[row.id].size for row in compared if row.id in base.zips]
        known = [size for size in before if size is not None]
        change = ""
        if len(known) == len(before):
            change = summary.change(sizes[0], sum(known)) or "same size"
        cells.append(f"**{change}**" if change else "")
    return cells


def _errors(errors: Mapping[str, str], room: int) -> Iterator[str]:
    """Yield each message once, with the variants that it is about."""
    if not errors:
        return
    names: dict[str, list[str]] = {}
    for name, message in sorted(errors.items()):
        names.setdefault(message, []).append(name)
    yield "#### Errors\n\n"
    blocks = [
        f"{_names(ids)}\n\n<pre>{html.escape(_short(message))}</pre>\n\n"
        for message, ids in names.items()
    ]
    shown = _fit(blocks, room)
    yield from shown
    if rest := len(blocks) - len(shown):
        yield f"{rest} more in the log.\n\n"


def _names(ids: Sequence[str]) -> str:
    """Return the names of variants that share a message; of many, the first ones."""
    more = len(ids) - 10
    shown = ", ".join(_code(name) for name in ids[:10])
    return f"{shown} and {more} more" if more > 0 else shown


def _short(message: str) -> str:
    first, last = _MESSAGE
    message = harmless(message.strip())
    if len(message) > first + last:
        message = f"{message[:first]}\n[...]\n{message[-last:]}"
    # An empty line would be fine in a <pre>, but not in every renderer.
    return re.sub(r"\n\s*\n", "\n", message)


def _warnings(warnings: Sequence[str], room: int) -> Iterator[str]:
    if not warnings:
        return
    yield "#### Warnings\n\n<pre>"
    lines = [f"{html.escape(_short(one.removeprefix('warning: ')))}\n" for one in warnings]
    shown = _fit(lines, room)
    yield from shown
    yield "</pre>\n\n"
    if rest := len(lines) - len(shown):
        yield f"{rest} more in the log.\n\n"


def _fit(texts: Sequence[str], room: int) -> list[str]:
    """Return the first texts, as many as have room, in bytes."""
    found = []
    for text in texts:
        room -= len(text.encode())
        if room < 0:
            break
        found.append(text)
    return found


# ASCII punctuation, of which a backslash takes the meaning (CommonMark 2.4).
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    text = " ".join(harmless(text).split())
    return _PUNCTUATION.sub(lambda match: match[1] if match[1] in ",-." else f"\\{match[1]}", text)


def _code(text: str) -> str:
    """Return a name as code; a backslash has no meaning in backticks, but has in a tag."""
    return f"<code>{escape(text)}</code>"
