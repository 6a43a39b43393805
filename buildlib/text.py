"""Text for several rooms: sizes, tables, near misses, the end of a program's output."""

import re
from collections.abc import Iterable, Iterator, Sequence

MB = 1 << 20


# Characters that a terminal or a reader acts on instead of showing them: the control characters
# except tab and line feed, the marks of text direction (UAX #9), and what is no character.
_ACTIVE = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


# Commands in the log of GitHub Actions: `::` at the start of a line, and `##[` anywhere.
_COMMAND = re.compile(r"^([ \t]*:):|(##)\[", re.MULTILINE)


def harmless(text: str) -> str:
    """Return a text of which a terminal and a CI service show every character and obey none.

    All that leaves this package for a reader passes here: names of files, values of the manifest
    and the output of other programs may hold anything.
    """
    if _ACTIVE.search(text):
        text = _ACTIVE.sub(lambda match: ascii(match[0])[1:-1], text)
    if "::" in text or "##[" in text:
        text = _COMMAND.sub(lambda match: f"{match[1]} :" if match[1] else "# #[", text)
    return text


def megabytes(size: int) -> str:
    """Return a size in bytes as text, such as `28.9 MB`."""
    return f"{size / MB:.1f} MB"


def amount(size: int) -> str:
    """Return a size in bytes in the unit that fits, as AWS counts: `812 B`, `3.4 kB`, `28.9 MB`."""
    if size < 1 << 10:
        return f"{size} B"
    return f"{size / (1 << 10):.1f} kB" if size < MB else megabytes(size)


def table(rows: Sequence[tuple[str, ...]], *, numbers: bool = True) -> Iterator[str]:
    """Yield the lines of a table; with `numbers`, those between the first and last are numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if not numbers or number in {0, len(row) - 1} else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def canonical_name(name: str) -> str:
    """Return the normalised name of a distribution (PEP 503).

    `packaging.utils.canonicalize_name` does the same, but importing it costs every run 30 ms.
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def closest(text: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known word that a user probably meant by a misspelt one.

    `cutoff` is the least similarity, from 0 to 1, as `difflib` counts it.
    """
    import difflib  # only where something is wrong

    return next(iter(difflib.get_close_matches(text, list(known), n=1, cutoff=cutoff)), None)


def tail(output: str, lines: int = 15) -> str:
    """Return the end of a program's output, indented for an error message."""
    last = [line.rstrip() for line in output.splitlines() if line.strip()][-lines:]
    return "\n".join(f"  | {line}" for line in last)
