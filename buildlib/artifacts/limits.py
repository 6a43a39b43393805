"""How large a ZIP is, whether Lambda takes it, and what in it could go.

Source of the limits: "Lambda quotas" in the AWS Lambda developer guide. AWS counts in units of
1,048,576 bytes, and so do we: 250 MB are 262,144,000 bytes.
"""

from collections.abc import Iterable
from pathlib import Path

from buildlib.errors import SizeError
from buildlib.model import Function, Origin, Variant, Written
from buildlib.runtimes import UNZIPPED_LIMIT, ZIPPED_LIMIT
from buildlib.text import megabytes

# From this part of a limit on, it is near.
_NEAR = 0.9


_SHOWN = 10


def limit(function: Function) -> int:
    """Return what the unzipped content of a function may have, in bytes."""
    return function.size_limit or UNZIPPED_LIMIT


def fits(variant: Variant, written: Written) -> bool:
    """Tell whether a ZIP is within the limit of its function."""
    return written.unzipped_size <= limit(variant.function)


def check(variant: Variant, written: Written, path: Path, own: Iterable[Origin]) -> str | None:
    """Return what to warn of, if the ZIP at `path` is near a limit or too large for an upload.

    `own` are the function's own files.

    Raises:
        SizeError: it is over the limit; with the largest packages, and what each would save.

    """
    if not fits(variant, written):
        raise SizeError(_too_large(variant, written, path, own))
    most, name = limit(variant.function), variant.id
    if written.size > ZIPPED_LIMIT:
        return (
            f"{name}: {megabytes(written.size)} zipped; more than {megabytes(ZIPPED_LIMIT)} cannot "
            "be uploaded directly, only through S3 (s3_bucket and s3_key in Terraform)"
        )
    if written.unzipped_size >= _NEAR * most:
        return (
            f"{name}: {written.unzipped_size:,} bytes unzipped, of {most:,} that "
            f"{_whose(variant.function)}; 'doit size' shows what is large"
        )
    if written.size >= _NEAR * ZIPPED_LIMIT:
        return (
            f"{name}: {megabytes(written.size)} zipped, of {megabytes(ZIPPED_LIMIT)} that can be "
            "uploaded directly; 'doit size' shows what is large"
        )
    return None


def _whose(function: Function) -> str:
    return "its 'size_limit' allows" if function.size_limit else "Lambda takes"


def _too_large(variant: Variant, written: Written, path: Path, own: Iterable[Origin]) -> str:
    from buildlib.archive import contents  # 20 ms, only for this message

    largest = contents.parts(path, own)
    function = variant.function
    over = written.unzipped_size - limit(function)
    total: dict[str, int] = {}
    for part in largest:
        for what, size in part.savings.items():
            total[what] = total.get(what, 0) + size
    patterns = [f'"{what}"' for what in total if what in contents.PATTERNS]
    advice = "Leave packages out, or split the function."
    if patterns:
        saved = sum(size for what, size in total.items() if what in contents.PATTERNS)
        advice = f"'exclude: [{', '.join(patterns)}]' would save {megabytes(saved)}. {advice}"
    if contents.IN_RUNTIME in total:
        advice += " What the runtime has need not be in the requirements."
    return (
        f"lambda '{function.name}': {variant.id}.zip would have {written.unzipped_size:,} bytes "
        f"unzipped, {over:,} more than the {limit(function):,} that {_whose(function)} (layers, "
        "which count too, are not known here). The largest in it:\n"
        + "\n".join(f"  {part}" for part in largest[:_SHOWN])
        + f"\n{advice}"
    )
