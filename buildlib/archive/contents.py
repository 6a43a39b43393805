"""The content of a ZIP by distribution, the size of each, and possible savings."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib.archive import distributions, savings
from buildlib.archive.reader import ZipReader
from buildlib.archive.savings import Files
from buildlib.errors import ArchiveError
from buildlib.files import bytecode
from buildlib.model import LAYER_PREFIX, File, Origin
from buildlib.text import megabytes

# boto3, which every Python runtime of Lambda provides, and its dependencies.
_IN_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath")


# The name of the part that belongs to no distribution.
OWN_FILES = "the function's own files"


# The reason to leave out a whole distribution.
IN_RUNTIME = "already in the runtime"


class Part(NamedTuple):
    """A part of a ZIP: a distribution or the function's own files, and its unzipped bytes.

    `savings` maps a pattern for `exclude`, or `IN_RUNTIME`, to the bytes that it would save.
    """

    name: str
    size: int
    savings: dict[str, int]

    def __str__(self) -> str:
        """Return the part as one line."""
        savings = "".join(f"; {megabytes(s)} of it {why}" for why, s in self.savings.items())
        return f"{self.name}: {megabytes(self.size)}{savings}"


class Placed(NamedTuple):
    """A file of a ZIP, with its unzipped bytes and the name of the part that it belongs to.

    `saving` is the pattern for `exclude`, or `IN_RUNTIME`, with which the ZIP would do without it;
    empty for a file that it needs.
    """

    path: str
    size: int
    part: str
    saving: str


def of_zip(path: Path) -> Files:
    """Return the files in the ZIP at `path`."""
    archive = ZipReader(path)
    members = {member.name: member for member in archive.members}
    sizes = {name: member.size for name, member in members.items()}

    def identity(name: str) -> tuple[str, int, int]:
        one = members[name]
        return one.fields["CRC-32"], one.size, one.compressed_size

    return Files(sizes, lambda name: archive.content(members[name]) or b"", identity)


def of_tree(files: Iterable[File], tree: Path) -> Files:
    """Return the files in a staged tree."""
    found = {file.path: file for file in files}
    sizes = {path: file.size for path, file in found.items()}
    return Files(sizes, lambda name: (tree / name).read_bytes(), lambda name: found[name].sha256)


def placed(
    files: Files,
    own: Iterable[Origin],
    *,
    with_savings: bool = True,
    known: savings.Known | None = None,
) -> Iterator[Placed]:
    """Yield the files of a ZIP, each with its part; `own` are the function's own files.

    A file belongs to the distribution whose RECORD lists it, and bytecode to that of its source. A
    file in no RECORD, such as a library
    from an image, belongs to a part with the name of its top folder. Savings need all code to be
    searched, except that of `known` modules.
    """
    mine = {origin.file.path for origin in own}
    owners = dict(_owners(files)) | dict.fromkeys(mine, OWN_FILES)
    patterns = savings.patterns(files, mine, known) if with_savings else {}
    for path, size in files.sizes.items():
        owner = owners.get(path) or owners.get(bytecode.source_of(path))
        name = owner or path.removeprefix(LAYER_PREFIX).partition("/")[0]
        saving = IN_RUNTIME if _is_in_runtime(name) else patterns.get(path, "")
        yield Placed(path, size, name, "" if name == OWN_FILES else saving)


def parts(files: Files, own: Iterable[Origin], known: savings.Known | None = None) -> list[Part]:
    """Return the parts of a ZIP, the largest first; `own` are the function's own files."""
    return parts_of(placed(files, own, known=known))


def parts_of(files: Iterable[Placed]) -> list[Part]:
    """Return the parts that files form, the largest first."""
    sizes: dict[str, int] = {}
    saved: dict[str, dict[str, int]] = {}
    for _, size, name, saving in files:
        sizes[name] = sizes.get(name, 0) + size
        if saving and size:
            by_reason = saved.setdefault(name, {})
            by_reason[saving] = by_reason.get(saving, 0) + size
    unsorted = [
        Part(name, size, dict(sorted(saved.get(name, {}).items(), key=lambda saving: -saving[1])))
        for name, size in sizes.items()
    ]
    return sorted(unsorted, key=lambda part: (-part.size, part.name))


def folders(files: Files, name: str) -> list[str]:
    """Return the top folders that only the part `name` has files in, the largest first."""
    owners = dict(_owners(files))
    sizes: dict[str, int] = {}
    shared: set[str] = set()
    for path, size in files.sizes.items():
        top, slash, _ = path.partition("/")
        if not slash or top.endswith(".dist-info"):
            continue
        if (owners.get(path) or owners.get(bytecode.source_of(path)) or top) == name:
            sizes[top] = sizes.get(top, 0) + size
        else:
            shared.add(top)
    return sorted(sizes.keys() - shared, key=lambda top: -sizes[top])


def _owners(files: Files) -> Iterator[tuple[str, str]]:
    for path in files.sizes:
        label, is_record, _ = path.partition(".dist-info/RECORD")
        start = LAYER_PREFIX if path.startswith(LAYER_PREFIX) else ""
        label = label.removeprefix(start)
        if is_record and "/" not in label:
            for listed in distributions.recorded(files.read(path)):
                yield start + listed, label.replace("-", " ")


def _is_in_runtime(name: str) -> bool:
    return name.partition(" ")[0].lower() in _IN_RUNTIME


def unzipped_size(path: Path) -> int:
    """Return the size of all contents of a ZIP in bytes, as its headers say.

    Raises:
        ArchiveError: it is not a ZIP.

    """
    import zipfile  # the reader of this package checks every field, which takes longer

    try:
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        msg = f"{path}: not a readable ZIP: {error}"
        raise ArchiveError(msg, "zip") from None
