"""What a run did to each variant: from the record that `zip` leaves, in words and figures."""

import os
from typing import NamedTuple

from buildlib.files import atomic
from buildlib.layout import Layout
from buildlib.model import Written
from buildlib.text import amount

BUILT, STORED, DESCRIBED = "built", "from the store", "described"


FAILED, INTERRUPTED = "failed", "interrupted"


# In their order.
STEP_NAMES = ("venv", "stage", "touch", "zip", "hash")


# Reasons that are shown of one variant.
_REASONS = 3


class Outcome(NamedTuple):
    """What was done with a variant and why; sizes in bytes, None where there is no ZIP."""

    id: str
    done: str
    why: str
    written: Written | None
    previous: Written | None
    seconds: float


def summarise(
    layout: Layout, variant_id: str, ran: set[str], since: int, seconds: float
) -> Outcome:
    """Return what a run did that started at `since` (ns) and ran these steps of a variant."""
    path = layout.stamp("zip", variant_id)
    stamp = atomic.read_json(path)
    if not isinstance(stamp, dict) or not ran & {"zip", "hash"}:
        done = f"{', '.join(step for step in STEP_NAMES if step in ran)} only"
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
