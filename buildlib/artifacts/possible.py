"""The bytes that `aws_services` and `strip` would save in a ZIP without them.

Lambda fetches and unpacks a ZIP before the init phase starts, so no start on another machine shows
what these bytes cost.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator
from typing import Any, NamedTuple

from buildlib.archive.savings import Files
from buildlib.code import clients
from buildlib.code.reader import LARGEST
from buildlib.environment import stripping
from buildlib.model import Function, Origin
from buildlib.text import amount
from buildlib.tree import services

# Savings below this number of bytes are not worth a line.
_WORTH = 100_000


class Possible(NamedTuple):
    """An option that is off, and the unzipped bytes that it would save.

    `setting` is the line for the manifest; it is incomplete where the code names no service. `what`
    says what those bytes are.
    """

    option: str
    setting: str
    size: int
    what: str

    def __str__(self) -> str:
        """Return the saving as one line."""
        return f"'{self.setting}' saves {amount(self.size)} unzipped ({self.what})"

    def as_json(self) -> dict[str, Any]:
        """Return the saving by the schema of `--json`."""
        return {"option": self.option, "setting": self.setting, "unzipped_size": self.size}


# The bytes that `strip` removes from files, for several ZIPs with the same packages.
Known = dict[Hashable, int]


def find(
    function: Function, files: Files, own: Iterable[Origin], known: Known | None = None
) -> list[Possible]:
    """Return the savings in the files of a ZIP, the largest first; `own` are its own files.

    Files that are in `known` are not read again, and others are added to it.
    """
    mine = {origin.file.path for origin in own}
    symbols = _symbols(function, files, mine, {} if known is None else known)
    found = [*_services(function, files, mine), *symbols]
    return sorted((one for one in found if one.size >= _WORTH), key=lambda one: -one.size)


def _services(function: Function, files: Files, own: Collection[str]) -> Iterator[Possible]:
    if services.wanted(function) is not None:
        return
    start = function.prefix
    paths = [path for path in files.sizes if path not in own and path.startswith(start)]
    known = services.described(path.removeprefix(start) for path in paths)
    if not known:
        return
    called = _called(files, own) & known
    kept = called | services.FOR_CREDENTIALS
    left = [path for path in paths if not services.keeps(kept, path.removeprefix(start))]
    count = len(known - kept)
    if called:
        names = ", ".join(sorted(called))
        setting, what = f"{services.KEY}: [{names}]", "that its code does not name"
    else:
        setting, what = services.KEY, "in all; name those that are called"
    what = f"{count} service{'' if count == 1 else 's'} {what}"
    yield Possible(services.KEY, setting, sum(files.sizes[path] for path in left), what)


def _called(files: Files, own: Iterable[str]) -> set[str]:
    """Return the services of which own code asks for clients by literal names."""
    return {
        services.canonical(one.service)
        for path in own
        if path.endswith(".py") and files.sizes.get(path, LARGEST + 1) <= LARGEST
        for one in clients.clients(files.read(path))
    }


def _symbols(
    function: Function, files: Files, own: Collection[str], known: Known
) -> Iterator[Possible]:
    if function.strip:
        return
    count = size = 0
    for path in files.sizes.keys() - own:
        if not stripping.is_candidate(path):
            continue
        identity = path, files.identity(path)
        if identity not in known:
            known[identity] = _saved(path, files)
        count, size = count + bool(known[identity]), size + known[identity]
    what = f"symbols of {count} shared object{'' if count == 1 else 's'}"
    yield Possible("strip", "strip: true", size, what)


def _saved(path: str, files: Files) -> int:
    content = files.read(path)
    if not content.startswith(stripping.MAGIC):
        return 0
    return len(content) - len(stripping.cut(path, content, files.sizes.keys()).content)
