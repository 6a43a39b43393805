"""Check the growth of a ZIP over its recorded sizes against `size_growth` of the manifest."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from buildlib.errors import SizeError
from buildlib.model import Function, Origin, Variant, Written
from buildlib.text import amount

if TYPE_CHECKING:
    from buildlib.archive.contents import Placed
    from buildlib.archive.savings import Files

# Parts of a ZIP that are named.
_SHOWN = 5


# The remark about a record from before `size_growth` was set.
UNKNOWN = (
    "lambdas.hashes.json has no sizes, so 'size_growth' is not checked; run 'lambdas record' and "
    "commit the file"
)


def exceeds(function: Function, written: Written, recorded: Written | None) -> bool:
    """Tell whether a ZIP grew over its budget; without recorded sizes it has none."""
    return recorded is not None and any(
        new > _most(function, old) for _, old, new in _pairs(written, recorded)
    )


def check(
    variant: Variant,
    written: Written,
    recorded: Written | None,
    files: "tuple[Callable[[], Files], Callable[[], Files | None]]",
    own: Iterable[Origin],
) -> None:
    """Stop at a ZIP that grew over its budget.

    `files` gives those of the ZIP, and of the recorded one if that is at hand, for the message.
    `own` are the function's own files.

    Raises:
        SizeError: it grew more; with the parts that grew most, and the way to accept it.

    """
    function = variant.function
    if recorded is None or not exceeds(function, written, recorded):
        return
    grown = [
        f"{amount(old)} to {amount(new)} {what} (+{(new - old) / old:.1%})"
        for what, old, new in _pairs(written, recorded)
        if new > _most(function, old)
    ]
    present, earlier = (get() for get in files)
    lines = _parts(present, earlier, list(own)) if present else ()
    msg = (
        f"{function.title}: {variant.id}.zip would grow from {', and from '.join(grown)}, more "
        f"than the {function.size_growth} over lambdas.hashes.json that its 'size_growth' "
        "allows"
        + "\n".join(["", *lines])
        + "\nLeave out what the function does not need, or accept the growth: run "
        f"'{_command([variant.id])}' and commit the file"
    )
    raise SizeError(msg)


def together(problems: Mapping[str, str]) -> str:
    """Return the way to accept the growth of all variants at once; empty unless several grew.

    `problems` are the messages of the variants that failed.
    """
    names = [name for name, message in problems.items() if f"'{_command([name])}'" in message]
    if len(names) < 2:  # noqa: PLR2004 - the message of one names its command
        return ""
    return f"To accept the growth of all, run '{_command(sorted(names))}' and commit the file"


def _command(names: Iterable[str]) -> str:
    return " ".join(["lambdas record", *(f"--accept-growth {name}" for name in names)])


def _pairs(written: Written, recorded: Written) -> list[tuple[str, int, int]]:
    return [
        ("zipped", recorded.size, written.size),
        ("unzipped", recorded.unzipped_size, written.unzipped_size),
    ]


def _most(function: Function, size: int) -> Decimal:
    """Return the largest allowed size over a recorded one, in bytes."""
    percent = Decimal((function.size_growth or "0").rstrip("% "))
    return size * (1 + percent / 100)


def _parts(present: "Files", earlier: "Files | None", own: list[Origin]) -> Iterator[str]:
    """Yield the parts of a ZIP that grew, those that grew most first; without an earlier, all."""
    from buildlib.archive import contents  # 20 ms, only for this message

    new = {one.name: one.size for one in contents.parts_of(_placed(present, own))}
    if earlier is None:
        yield "Largest parts, unzipped:"
        yield from (f"  {name}: {amount(size)}" for name, size in [*new.items()][:_SHOWN])
        return
    yield "Parts that grew, unzipped:"
    old = {one.name: one.size for one in contents.parts_of(_placed(earlier, own))}
    yield from _grown(_unversioned(new), _unversioned(old))


def _placed(files: "Files", own: list[Origin]) -> "Iterator[Placed]":
    from buildlib.archive import contents

    return contents.placed(files, own, with_savings=False)


def _unversioned(parts: dict[str, int]) -> dict[str, tuple[str, int]]:
    """Return parts by the name of their distribution, each with its version."""
    return {name.partition(" ")[0]: (name, size) for name, size in parts.items()}


def _grown(new: dict[str, tuple[str, int]], old: dict[str, tuple[str, int]]) -> Iterator[str]:
    grown = {
        key: size - old.get(key, ("", 0))[1]
        for key, (_, size) in new.items()
        if size > old.get(key, ("", 0))[1]
    }
    for key in sorted(grown, key=lambda one: -grown[one])[:_SHOWN]:
        before = f", was {old[key][0]}" if key in old and old[key][0] != new[key][0] else ""
        is_new = "" if key in old else ", new"
        yield f"  {new[key][0]}: +{amount(grown[key])}{before}{is_new}"
