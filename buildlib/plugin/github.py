"""GitHub Actions: its workflow commands for annotations and groups."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.layout import MANIFEST

# Of each kind GitHub shows so many annotations of one step
# (docs.github.com, "Workflow commands", and its limits of 10 errors and 10 warnings).
SHOWN = 10

_PLACE = re.compile(r"(?P<file>[\w./-]*[\w-]\.\w+):(?P<line>\d+)(:(?P<column>\d+))?: (?P<text>.*)")


_FILE = re.compile(r"([\w-][\w./-]*\.\w+): ")  # from the repository's root, as GitHub wants it


_LAMBDA = re.compile(r"(?:lambda|layer) '([^']+)': (\w*)")


# A lockfile, its folder, and the requirements that it does not fit, as `lock.lockfile` says it.
_STALE = re.compile(r"(?P<folder>[\w./-]*/|)[\w.+-]+ is out of date with (?P<name>[\w.-]+\w)")


# The remedy of the other problems of a lockfile names its function.
_LOCK = re.compile(r"Run 'lambdas lock ([\w-]+)'")


# A place of a warning: a file, or a file and a line.
_POINT = re.compile(r"(?P<file>[\w-][\w./-]*\.\w+)(:(?P<line>\d+))?(:\d+)?")


class Annotation(NamedTuple):
    """A text about a place, which may be empty; `kind` is `error` or `warning`."""

    kind: str
    place: str
    title: str
    text: str

    def __str__(self) -> str:
        """Return the workflow command."""
        properties = [self.place] if self.place else []
        properties.append(f"title={_property(self.title)}")
        return f"::{self.kind} {','.join(properties)}::{_data(self.text)}"


def errors(title: str, message: str) -> Iterator[Annotation]:
    """Yield an annotation for each line of a file that a message names, or one for all of it."""
    found = False
    for text in message.splitlines():
        if match := _PLACE.search(text):
            found = True
            place = f"file={match['file']},line={match['line']}"
            if match["column"]:
                place += f",col={match['column']}"
            yield Annotation("error", place, title, match["text"])
    if not found:
        yield Annotation("error", _file(message), title, message.strip())


def warning(text: str, places: Sequence[str]) -> Annotation:
    """Return a warning, at the first of its places that is in a file, or at one that it names."""
    title = "lambdas"
    if match := _PLACE.match(text):
        return Annotation("warning", f"file={match['file']},line={match['line']}", title, text)
    for place in places:
        if match := _POINT.fullmatch(place):
            line = f",line={match['line']}" if match["line"] else ""
            return Annotation("warning", f"file={match['file']}{line}", title, text)
    if match := _FILE.match(text):
        return Annotation("warning", f"file={match[1]}", title, text)
    here = next((place for name in places if (place := _entry(name))), "")
    return Annotation("warning", here, title, text)


class Annotator:
    """The commands for the annotations of a run, of which GitHub shows ten of each kind."""

    def __init__(self) -> None:
        self._kinds: dict[str, list[Annotation]] = {}

    def add(self, annotations: Iterable[Annotation]) -> Iterator[str]:
        """Yield the commands for annotations, but for the last that is shown and those after it."""
        for one in annotations:
            seen = self._kinds.setdefault(one.kind, [])
            seen.append(one)
            if len(seen) < SHOWN:
                yield str(one)

    def end(self) -> Iterator[str]:
        """Yield the last annotation of each kind, or the count of those that are left."""
        for kind, seen in self._kinds.items():
            if len(seen) == SHOWN:
                yield str(seen[-1])
            elif more := len(seen[SHOWN - 1 :]):
                text = f"{more} more {kind}s; the log has all of them"
                yield str(Annotation(kind, "", "lambdas", text))


def _file(message: str) -> str:
    """Return the place that a message is about: of a lambda, its key in the manifest."""
    if match := _LAMBDA.match(message):
        return _entry(match[1], match[2])
    if match := _STALE.match(message):
        return f"file={match['folder']}{match['name']}"
    if match := _LOCK.search(message):
        return _entry(match[1])
    match = _FILE.match(message)
    return f"file={match[1]}" if match else ""


def _entry(name: str, key: str = "") -> str:
    """Return the place in the manifest of a function, or of one of its keys; empty without."""
    try:
        lines = Path(MANIFEST).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return ""
    name = re.sub(r"-py[0-9.]+-\w+$", "", name)  # of a variant
    entry = re.compile(rf"(\s+)['\"]?{re.escape(name)}['\"]?\s*:")
    for number, text in enumerate(lines, 1):
        if match := entry.match(text):
            return f"file={MANIFEST},line={_of_key(lines, number, len(match[1]), key)}"
    return ""


def _of_key(lines: Sequence[str], entry: int, indent: int, key: str) -> int:
    """Return the line of a key in the block below a line, both from 1; the latter without it."""
    wanted = re.compile(rf"\s+['\"]?{re.escape(key)}['\"]?\s*:") if key else None
    for number, text in enumerate(lines[entry:], entry + 1):
        content = text.lstrip()
        if content and content[0] != "#" and len(text) - len(content) <= indent:
            break
        if wanted and wanted.match(text):
            return number
    return entry


def group(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield lines that are folded under a title."""
    yield f"::group::{_data(title)}"
    yield from lines
    yield "::endgroup::"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
