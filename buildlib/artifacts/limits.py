"""Check a ZIP against the size limits of Lambda and of the manifest.

Source of the limits: "Lambda quotas" in the AWS Lambda developer guide. AWS's MB is 1,048,576
bytes, and ours, too: 250 MB are 262,144,000 bytes.
"""

from collections.abc import Iterable
from pathlib import Path

from buildlib.errors import SizeError
from buildlib.model import Function, Origin, Variant, Written
from buildlib.runtimes import UNZIPPED_LIMIT, ZIPPED_LIMIT
from buildlib.text import megabytes

# A ZIP above this fraction of a limit gives a warning.
_NEAR = 0.9


_SHOWN = 10


def limit(function: Function) -> int:
    """Return the limit for the unzipped content of a function, in bytes."""
    return function.size_limit or UNZIPPED_LIMIT


def fits(variant: Variant, written: Written) -> bool:
    """Tell whether a ZIP is within the limit of its function."""
    return written.unzipped_size <= limit(variant.function)


def check(variant: Variant, written: Written, path: Path, own: Iterable[Origin]) -> str | None:
    """Return a warning if the ZIP at `path` is near a limit, or too large for a direct upload.

    `own` are the function's own files.

    Raises:
        SizeError: the ZIP exceeds its limit; with the largest packages, and the savings in each.

    """
    if not fits(variant, written):
        raise SizeError(_too_large(variant, written, path, own))
    upload_limit = f"Lambda's limit of {megabytes(ZIPPED_LIMIT)} for direct uploads"
    if written.size > ZIPPED_LIMIT:
        return (
            f"{variant.id}: {megabytes(written.size)} zipped, over {upload_limit}; upload it "
            "through S3 (s3_bucket and s3_key in Terraform)"
        )
    if written.unzipped_size >= _NEAR * limit(variant.function):
        return (
            f"{variant.id}: {written.unzipped_size:,} bytes unzipped, near "
            f"{_limit_text(variant.function)}; 'doit size' shows the largest packages"
        )
    if written.size >= _NEAR * ZIPPED_LIMIT:
        return (
            f"{variant.id}: {megabytes(written.size)} zipped, near {upload_limit}; "
            "'doit size' shows the largest packages"
        )
    return None


def _limit_text(function: Function) -> str:
    owner = "its 'size_limit'" if function.size_limit else "Lambda's limit"
    return f"{owner} of {limit(function):,}"


def _too_large(variant: Variant, written: Written, path: Path, own: Iterable[Origin]) -> str:
    from buildlib.archive import contents  # 20 ms, only for this message

    largest = contents.parts(path, own)
    function = variant.function
    over = written.unzipped_size - limit(function)
    savings: dict[str, int] = {}
    for part in largest:
        for reason, size in part.savings.items():
            savings[reason] = savings.get(reason, 0) + size
    patterns = [f'"{reason}"' for reason in savings if reason in contents.PATTERNS]
    advice = "Remove packages, or split the function."
    if patterns:
        saved = sum(size for reason, size in savings.items() if reason in contents.PATTERNS)
        advice = f"'exclude: [{', '.join(patterns)}]' would save {megabytes(saved)}. {advice}"
    if contents.IN_RUNTIME in savings:
        advice += " Packages that the runtime provides need not be in the requirements."
    return (
        f"lambda '{function.name}': {variant.id}.zip would have {written.unzipped_size:,} bytes "
        f"unzipped, {over:,} more than {_limit_text(function)} (layers count, too, but are not "
        "known here). Largest parts:\n"
        + "\n".join(f"  {part}" for part in largest[:_SHOWN])
        + f"\n{advice}"
    )
