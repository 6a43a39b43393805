"""The step `record`: the artifacts to the committed file of expected hashes."""

import contextlib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping

from buildlib.artifacts import hashes
from buildlib.errors import RecordError
from buildlib.files import atomic
from buildlib.layout import Layout

_logger = logging.getLogger(__name__)

# Entries in a message.
_SHOWN = 10


def is_current(wanted: Mapping[str, hashes.Entry], layout: Layout) -> bool:
    """Tell whether the file has just these entries."""
    try:
        return layout.hashes.read_bytes() == hashes.text(wanted)
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def accepted(
    layout: Layout, names: Collection[str]
) -> Iterator[Callable[[Mapping[str, hashes.Entry] | None], None]]:
    """Forget the recorded sizes of variants, so that their next ZIPs may have any.

    The yielded function takes the entries that stay, None for the whole new record. The others come
    back as they were, and so do all if nobody calls it.
    """
    before = layout.hashes.read_bytes() if layout.hashes.exists() else None
    kept: Mapping[str, hashes.Entry] | None = {}

    def keep(entries: Mapping[str, hashes.Entry] | None) -> None:
        nonlocal kept
        kept = entries

    try:
        _forget_sizes(layout, names)
        yield keep
    finally:
        if kept is not None and before is not None:
            more = {**hashes.parse(before), **kept}
            atomic.write(layout.hashes, hashes.text(more) if kept else before)


def _forget_sizes(layout: Layout, names: Collection[str]) -> None:
    known = hashes.read(layout)
    wanted = {
        name: hashes.without_sizes(entry) if name in names else entry
        for name, entry in known.items()
    }
    if wanted != known:
        atomic.write(layout.hashes, hashes.text(wanted))


def write(
    wanted: Mapping[str, hashes.Entry],
    declared: Collection[str],
    known: Mapping[str, hashes.Entry],
    layout: Layout,
    frozen: str,
) -> str:
    """Write the expected hashes, unless `frozen` says why nothing may be committed here.

    Return what changed in the file, in words.

    Raises:
        RecordError: the file is out of date, and frozen.

    """
    if missing := sorted({*declared} - wanted.keys()):
        _logger.warning("lambdas.hashes.json: not built, so left out: %s", ", ".join(missing))
    if is_current(wanted, layout):
        return "up to date"
    ids = sorted(known.keys() | wanted)
    stale = [name for name in ids if known.get(name) != wanted.get(name)]
    if frozen:
        msg = (
            f"lambdas.hashes.json: out of date for {', '.join(stale) or 'its form only'}. "
            f"{frozen}, so it was not written. Run 'lambdas record' and commit the file."
        )
        raise RecordError(msg)
    is_new = not layout.hashes.exists()
    atomic.write(layout.hashes, hashes.text(wanted))
    if is_new:
        return f"written, with {len(wanted)} entr{'y' if len(wanted) == 1 else 'ies'}"
    if not stale:
        return "written again in its usual form"
    shown = stale if len(stale) <= _SHOWN else [*stale[:_SHOWN], f"{len(stale) - _SHOWN} more"]
    return f"{len(stale)} entr{'y' if len(stale) == 1 else 'ies'} changed: {', '.join(shown)}"
