"""The bytes that `aws_services` and `strip` would save in a ZIP without them.

Lambda fetches and unpacks a ZIP before the init phase starts, so no start on another machine shows
the cost of these bytes.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from buildlib.archive.savings import Files
from buildlib.code import clients
from buildlib.code.clients import Client
from buildlib.environment import stripping
from buildlib.model import Function, Origin
from buildlib.runtimes import UNZIPPED_LIMIT
from buildlib.text import amount
from buildlib.tree import calls, services

# Savings below this number of bytes are not worth a line.
_WORTH = 100_000


# The bytes of the largest file that is read although its name is not that of a shared object.
_MOST = 10_000_000


class Possible(NamedTuple):
    """An option that is off, and the unzipped bytes that it would save.

    `setting` is the line for the manifest; it is incomplete where the code names no service. `what`
    describes those bytes.
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


class Known(NamedTuple):
    """Facts about contents by their identity, for several ZIPs with the same packages.

    `symbols` are the bytes that `strip` removes from a file, which depends on its path, too, and
    `services` the calls of services in a module.
    """

    symbols: dict[Hashable, int]
    services: dict[Hashable, tuple[Client, ...]]


def find(
    function: Function, files: Files, own: Iterable[Origin], known: Known | None = None
) -> list[Possible]:
    """Return the savings in the files of a ZIP, the largest first; `own` are its own files.

    Files that are in `known` are not read again, and others are added to it.
    """
    mine = {origin.file.path: origin.path for origin in own}
    known = known or Known({}, {})
    found = [*_services(function, files, mine, known), *_symbols(function, files, mine, known)]
    return sorted((one for one in found if one.size >= _WORTH), key=lambda one: -one.size)


def _services(
    function: Function, files: Files, own: Mapping[str, str], known: Known
) -> Iterator[Possible]:
    if services.wanted(function) is not None:
        return
    start = function.prefix
    paths = [path for path in files.sizes if path not in own and path.startswith(start)]
    described = services.described(path.removeprefix(start) for path in paths)
    if not described:
        return
    called, doubt = set[str](), ""
    # The calls of code without sources cannot be read.
    if not function.is_layer and function.sources:
        called, doubt = _called(files, own, known, described)
    kept = called | services.FOR_CREDENTIALS
    left = [path for path in paths if not services.keeps(kept, path.removeprefix(start))]
    count = len(described - kept)
    if called:
        setting = f"{services.KEY}: [{', '.join(sorted(called))}]"
        what = "that its code and packages do not name"
    else:
        setting, what = services.KEY, f"in all; name those that are called{doubt}"
    what = f"{count} service{'' if count == 1 else 's'} {what}"
    yield Possible(services.KEY, setting, sum(files.sizes[path] for path in left), what)


def _called(
    files: Files, own: Mapping[str, str], known: Known, described: Collection[str]
) -> tuple[set[str], str]:
    """Return the services that code in the ZIP names.

    If own code computes a name, the list is empty, and the second value is a remark with the place.
    """
    found: set[str] = set()
    for path, size in files.sizes.items():
        if not calls.may_call(path, size):
            continue
        identity = files.identity(path)
        if identity not in known.services:
            known.services[identity] = tuple(clients.clients(files.read(path)))
        for one in known.services[identity]:
            if path in own and not one.service:
                return set(), f"; {own[path]}:{one.line} computes a name"
            found.add(services.canonical(one.service))
    return found & set(described), ""


def _symbols(
    function: Function, files: Files, own: Collection[str], known: Known
) -> Iterator[Possible]:
    if function.strip:
        return
    count = size = 0
    for path in files.sizes.keys() - own:
        most = UNZIPPED_LIMIT if ".so" in path else _MOST
        if files.sizes[path] > most or not stripping.is_candidate(path):
            continue
        identity = path, files.identity(path)
        if identity not in known.symbols:
            known.symbols[identity] = _saved(path, files)
        saved = known.symbols[identity]
        count, size = count + bool(saved), size + saved
    what = f"symbols of {count} shared object{'' if count == 1 else 's'}"
    yield Possible("strip", "strip: true", size, what)


def _saved(path: str, files: Files) -> int:
    content = files.read(path)
    if not content.startswith(stripping.MAGIC):
        return 0
    return len(content) - len(stripping.cut(path, content, files.sizes.keys()).content)
