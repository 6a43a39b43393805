"""What a run did to each variant: from the record that `zip` leaves, in words and figures."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib import files
from buildlib.archive import Written
from buildlib.layout import MANIFEST, Layout
from buildlib.size import amount

BUILT, STORED, DESCRIBED = "built", "from the store", "described"
FAILED, INTERRUPTED = "failed", "interrupted"

# In their order.
STEPS = ("venv", "stage", "touch", "zip", "hash")

# Reasons that are shown of one variant.
_REASONS = 3
_PLACE = re.compile(r"(?P<file>[\w./-]*[\w-]\.\w+):(?P<line>\d+)(:(?P<column>\d+))?: (?P<text>.*)")
_FILE = re.compile(r"([\w-][\w./-]*\.\w+): ")  # from the repository's root, as GitHub wants it
_LAMBDA = re.compile(r"lambda '([^']+)': ")


class Outcome(NamedTuple):
    """What was done with a variant and why; sizes in bytes, None where there is no ZIP."""

    id: str
    done: str
    why: str
    written: Written | None
    previous: Written | None
    seconds: float


def of(layout: Layout, variant_id: str, ran: set[str], since: int, seconds: float) -> Outcome:
    """Return what a run did that started at `since` (ns) and ran these steps of a variant."""
    path = layout.stamp("zip", variant_id)
    stamp = files.read_json(path)
    if not isinstance(stamp, dict) or not ran & {"zip", "hash"}:
        done = f"{', '.join(step for step in STEPS if step in ran)} only"
        return Outcome(variant_id, done, "", None, None, seconds)
    written = Written(*stamp["written"])
    if os.stat(path).st_mtime_ns < since:  # `hash` alone ran
        return Outcome(variant_id, DESCRIBED, "", written, written, seconds)
    done = STORED if stamp.get("from") == "store" else BUILT
    previous = Written(*stamp["previous"]) if stamp.get("previous") else None
    return Outcome(variant_id, done, _reasons(stamp["reasons"]), written, previous, seconds)


def _reasons(reasons: list[str]) -> str:
    more = len(reasons) - _REASONS
    shown = reasons if more <= 1 else [*reasons[:_REASONS], f"and {more} more"]
    return "; ".join(shown)


def change(now: int, before: int | None) -> str:
    """Return the change of a size, such as `+12 B`; `new` if there was none, empty if none."""
    if before is None:
        return "new"
    if now == before:
        return ""
    return f"{'+' if now > before else '-'}{amount(abs(now - before))}"


def line(outcome: Outcome) -> str:
    """Return an outcome as one plain line."""
    text = f"{outcome.id}: {outcome.done}"
    if outcome.why:
        text += f" ({outcome.why})"
    if outcome.written is None:
        return text
    now, before = outcome.written, outcome.previous
    sizes = []
    for name, one, other in (
        ("", now.size, before and before.size),
        (" unzipped", now.unzipped_size, before and before.unzipped_size),
    ):
        changed = change(one, other)
        sizes.append(f"{amount(one)}{name}" + (f" ({changed})" if changed else ""))
    return f"{text}: {', '.join(sizes)}, {outcome.seconds:.1f} s, sha256 {now.sha256[:12]}"


def totals(counts: dict[str, int], seconds: float | None) -> str:
    """Return the closing line: what is not 0 of the counts, and how long it took."""
    shown = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    return f"{shown or 'nothing to do'}" + (f" in {seconds:.1f} s" if seconds is not None else "")


# -- GitHub Actions (its "Workflow commands") ------------------------------------------------------


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
