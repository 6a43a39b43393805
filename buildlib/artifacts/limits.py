"""Check a ZIP against the size limits of Lambda and of the manifest.

Source of the limits: "Lambda quotas" in the AWS Lambda developer guide. AWS's MB is 1,048,576
bytes, and ours, too: 250 MB are 262,144,000 bytes.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from buildlib.errors import SizeError
from buildlib.model import Function, Origin, Variant, Written
from buildlib.runtimes import UNZIPPED_LIMIT, ZIPPED_LIMIT
from buildlib.text import canonical_name, megabytes

if TYPE_CHECKING:
    from buildlib.archive.contents import Part
    from buildlib.archive.savings import Files

# A ZIP above this fraction of a limit gives a warning.
_NEAR = 0.9


_SHOWN = 10


# A package that is this fraction of all files is large.
_LARGE = 0.1


# A pattern that saves less than this fraction of all files is not worth its line.
_WORTH = 0.002


def limit(function: Function) -> int:
    """Return the limit for the unzipped content of a function, in bytes."""
    return function.size_limit or UNZIPPED_LIMIT


def fits(variant: Variant, written: Written) -> bool:
    """Tell whether a ZIP is within the limit of its function."""
    return written.unzipped_size <= limit(variant.function)


def check_unzipped(
    variant: Variant,
    size: int,
    files: "Callable[[], Files]",
    own: Iterable[Origin],
    required: Collection[str] = (),
) -> None:
    """Stop at a ZIP whose files exceed its limit by their `size`, in bytes, unzipped.

    `files` are asked only for the message. `own` are the function's own files, and `required` the
    distributions that its requirements name.

    Raises:
        SizeError: the files exceed the limit; with the largest packages, and possible savings.

    """
    if size > limit(variant.function):
        raise SizeError(_too_large(variant, size, files(), own, required))


def check_together(variant: Variant, size: int, layers: Mapping[str, int]) -> None:
    """Stop at a function whose files exceed Lambda's limit together with those of its layers.

    `size` is that of the function's files, and `layers` has those of the layers, in bytes.

    Raises:
        SizeError: they exceed the limit; with the size of each.

    """
    total = size + sum(layers.values())
    if total > UNZIPPED_LIMIT:
        parts = ", ".join(f"layer {name} {megabytes(one)}" for name, one in layers.items())
        msg = (
            f"{variant.id}: {megabytes(total)} unzipped with its layers, over Lambda's limit of "
            f"{megabytes(UNZIPPED_LIMIT)}: function {megabytes(size)}, {parts}. Leave out what the "
            "function does not need; 'lambdas size' shows the largest packages"
        )
        raise SizeError(msg)


def warning(variant: Variant, written: Written) -> str | None:
    """Return a warning if a ZIP is near a limit, or too large for a direct upload."""
    upload_limit = f"Lambda's limit of {megabytes(ZIPPED_LIMIT)} for direct uploads"
    if written.size > ZIPPED_LIMIT:
        return (
            f"{variant.id}: {megabytes(written.size)} zipped, over {upload_limit}; upload it "
            "through S3 (s3_bucket and s3_key in Terraform)"
        )
    if written.unzipped_size >= _NEAR * limit(variant.function):
        return (
            f"{variant.id}: {written.unzipped_size:,} bytes unzipped, near "
            f"{_limit_text(variant.function)}; 'lambdas size' shows the largest packages"
        )
    if written.size >= _NEAR * ZIPPED_LIMIT:
        return (
            f"{variant.id}: {megabytes(written.size)} zipped, near {upload_limit}; "
            "'lambdas size' shows the largest packages"
        )
    return None


def _limit_text(function: Function) -> str:
    owner = "its 'size_limit'" if function.size_limit else "Lambda's limit"
    return f"{owner} of {limit(function):,}"


def _too_large(
    variant: Variant,
    size: int,
    files: "Files",
    own: Iterable[Origin],
    required: Collection[str],
) -> str:
    from buildlib.archive import contents  # 20 ms, only for this message
    from buildlib.artifacts import possible

    largest = contents.parts(files, own)
    function = variant.function
    savings: dict[str, int] = {}
    for part in largest:
        for reason, saved in part.savings.items():
            savings[reason] = savings.get(reason, 0) + saved
    advice = []
    in_runtime = savings.pop(contents.IN_RUNTIME, 0)
    worth = [reason for reason, saved in savings.items() if saved >= _WORTH * size]
    if chosen := sorted(worth, key=lambda reason: -savings[reason])[:_SHOWN]:
        patterns = ", ".join(f'"{reason}"' for reason in chosen)
        saved = sum(savings[reason] for reason in chosen)
        advice.append(f"'exclude: [{patterns}]' would save {megabytes(saved)}.")
    offers = possible.find(function, files, own)
    advice += [f"{one}." for one in offers if one.size >= _WORTH * size]
    advice += _not_required(largest, files, required)
    advice.append("Remove packages, or split the function.")
    if in_runtime:
        advice.append("Drop packages that the runtime provides from the requirements.")
    return (
        f"{function.title}: {variant.id}.zip would have {size:,} bytes "
        f"unzipped, {size - limit(function):,} more than {_limit_text(function)} (not "
        "counting layers). Largest parts:\n"
        + "\n".join(f"  {part}" for part in largest[:_SHOWN])
        + f"\n{' '.join(advice)}"
    )


def _not_required(
    largest: "Iterable[Part]", files: "Files", required: Collection[str]
) -> Iterator[str]:
    """Yield advice on large packages that came along with others."""
    from buildlib.archive import contents  # only for this message

    total = sum(files.sizes.values())
    for part in largest:
        name = part.name.partition(" ")[0]
        if not required or part.size < _LARGE * total or name == contents.OWN_FILES:
            continue
        if canonical_name(name) in required or " " not in part.name:
            continue
        if contents.IN_RUNTIME in part.savings:
            continue
        if patterns := [f'"/{folder}/"' for folder in contents.folders(files, part.name)]:
            yield (
                f"The requirements do not name {name}: if the function works without it, "
                f"'exclude: [{', '.join(patterns)}]' saves {megabytes(part.size)}."
            )
