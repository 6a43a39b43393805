"""Compare a signed ZIP with the built one: the same files, and a signature besides them."""

from collections.abc import Iterator
from pathlib import Path

from buildlib.archive.reader import LOCAL_HEADER, ZipReader
from buildlib.errors import ArchiveError, PublishError
from buildlib.files.names import is_below

# Signer adds this folder, with the signature in it (Signer's documents do not name it).
_FOLDER = "META_INF/"

_SHOWN = 5


def check(built: Path, path: Path, label: str) -> None:
    """Refuse a signed ZIP that has other files than the built one, and a signature.

    Raises:
        PublishError: with the first differences.

    """
    try:
        problems = [*_differences(ZipReader(built), ZipReader(path))]
    except ArchiveError as error:
        problems = [str(error)]
    if problems:
        more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        msg = (
            f"{label}: its ZIP is not the built one with a signature: "
            f"{'; '.join(problems[:_SHOWN])}{more}. It was not published; find out who changed "
            "the object, or the file that names it"
        )
        raise PublishError(msg, "published-object")


def _differences(built: ZipReader, found: ZipReader) -> Iterator[str]:
    before = {member.name: member for member in built.members}
    after = {member.name: member for member in found.members}
    if len(after) != len(found.members):
        yield "two files have one name"
    signature = False
    for name, member in after.items():
        if member.fields["name in the local header"] != "the same":
            yield f"{name} has another name in its local header"
        if name in before:
            content = found.content(member)
            if content is None or content != built.content(before[name]):
                yield f"{name} differs"
        elif name == _FOLDER or (name.startswith(_FOLDER) and is_below(name.rstrip("/"))):
            signature = signature or member.size > 0
        else:
            yield f"{name} was added"
    yield from (f"{name} is missing" for name in before if name not in after)
    if not signature:
        yield f"it has no signature in {_FOLDER}"
    if _has_more(found):
        yield "it has files that its central directory does not list"


def _has_more(found: ZipReader) -> bool:
    """Tell whether a reader that goes by local headers, as streams do, may find other files."""
    at = 0
    for member in sorted(found.members, key=lambda one: one.start):
        if found.data.count(LOCAL_HEADER, at, member.start) != 1:
            return True
        at = member.start + member.compressed_size
    return LOCAL_HEADER in found.data[at:]
