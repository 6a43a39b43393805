"""GitHub Actions: its workflow commands for annotations and groups."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from buildlib.layout import MANIFEST

_PLACE = re.compile(r"(?P<file>[\w./-]*[\w-]\.\w+):(?P<line>\d+)(:(?P<column>\d+))?: (?P<text>.*)")


_FILE = re.compile(r"([\w-][\w./-]*\.\w+): ")  # from the repository's root, as GitHub wants it


_LAMBDA = re.compile(r"lambda '([^']+)': ")


def annotations(title: str, message: str) -> Iterator[str]:
    """Yield a command for each line of a file that a message names, or one for all of it."""
    found = False
    for text in message.splitlines():
        if match := _PLACE.search(text):
            found = True
            place = f"file={match['file']},line={match['line']}"
            if match["column"]:
                place += f",col={match['column']}"
            yield f"::error {place},title={_property(title)}::{_data(match['text'])}"
    if not found:
        yield f"::error {_file(message)}title={_property(title)}::{_data(message.strip())}"


def _file(message: str) -> str:
    """Return the file that a message is about: that which it names, or where the lambda stands."""
    if match := _LAMBDA.match(message):
        with contextlib.suppress(OSError, ValueError):
            lines = Path(MANIFEST).read_text(encoding="utf-8").splitlines()
            entry = re.compile(rf"\s+['\"]?{re.escape(match[1])}['\"]?\s*:")
            number = next((n for n, text in enumerate(lines, 1) if entry.match(text)), 1)
            return f"file={MANIFEST},line={number},"
    match = _FILE.match(message)
    return f"file={match[1]}," if match else ""


def group(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield lines that are folded under a title."""
    yield f"::group::{_data(title)}"
    yield from lines
    yield "::endgroup::"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
