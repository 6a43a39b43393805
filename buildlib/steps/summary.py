"""The outcome of a run for each variant, in words and figures."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from buildlib.model import Written
from buildlib.text import amount

BUILT, STORED, DESCRIBED = "built", "from the cache", "described"
FETCHED = "from the remote cache"
FARMED = "built on the farm"

# The outcomes by the origin in the stamp of a ZIP.
BY_ORIGIN = {"build": BUILT, "store": STORED, "remote": FETCHED, "farm": FARMED}


FAILED, INTERRUPTED, LEFT_OUT = "failed", "interrupted", "not built"


# Reasons that are shown of one variant.
_REASONS = 3


class Done(NamedTuple):
    """The result of a step for a ZIP; empty if it neither made nor described one.

    `notes` are warnings that several variants may share, and `doubts` those about code, each with
    its place. `changes` are lines about a lockfile: its path, and what changed in it.
    """

    outcome: str = ""
    reasons: tuple[str, ...] = ()
    written: Written | None = None
    previous: Written | None = None
    notes: tuple[str, ...] = ()
    doubts: tuple[tuple[str, str], ...] = ()
    changes: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """The outcome of a variant, with its reasons; sizes are in bytes, and None without a ZIP."""

    id: str
    done: str
    why: str
    written: Written | None
    previous: Written | None
    seconds: float


def last(steps: Iterable[Done]) -> Done | None:
    """Return the result of the step that made a ZIP, or else described it; None without."""
    with_zip = [done for done in steps if done.written is not None]
    # A ZIP that was built may have been described again, as by `doit -a`.
    made = [done for done in with_zip if done.outcome != DESCRIBED]
    return next(reversed(made or with_zip), None)


def outcome(variant_id: str, done: Done, seconds: float) -> Outcome:
    """Return the outcome of a variant whose ZIP was made or described."""
    reasons = short(done.reasons) if done.outcome != DESCRIBED else ""
    return Outcome(variant_id, done.outcome, reasons, done.written, done.previous, seconds)


def short(reasons: Sequence[str]) -> str:
    """Return the reasons of one variant in a line; of many, the first ones."""
    more = len(reasons) - _REASONS
    shown = reasons if more <= 1 else [*reasons[:_REASONS], f"and {more} more"]
    return "; ".join(shown)


def note(text: str, places: Iterable[str]) -> str:
    """Return a warning that variants or places in the code share, as one line."""
    names = sorted(set(places))
    more = len(names) - _REASONS
    shown = names if more <= 1 else [*names[:_REASONS], f"{more} more"]
    return f"warning: {text} ({', '.join(shown)})"


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
    """Return the closing line: the counts above 0, and the duration."""
    shown = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    nothing = "nothing to do" if seconds is None else "done"
    return f"{shown or nothing}" + (f" in {seconds:.1f} s" if seconds is not None else "")
