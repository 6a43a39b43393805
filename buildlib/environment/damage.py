"""Compare an installed tree with its lock and its RECORDs.

An installer that dies, or that finds a damaged cache, may leave less than the lock asks for, and
still end with exit code 0 the next time.
"""

from collections.abc import Iterable, Iterator, Mapping

from buildlib.environment.record import SCRIPTS, SHA256, Records, Row, distribution, row_of
from buildlib.files import walk
from buildlib.files.names import is_below
from buildlib.model import File, Pin

# PEP 376, PEP 610 and uv: files that record how a distribution was installed.
INSTALLER_FILES = ("INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")


def of_pins(records: Records, pins: Iterable[Pin]) -> dict[str, str]:
    """Return the pins without a RECORD of their version, and distributions that no pin has.

    Each is a short text, with the name (PEP 503) of its distribution.
    """
    versions = {
        distribution(folder): folder.removesuffix(".dist-info").partition("-")[2]
        for folder in records.owners
    }
    found: dict[str, str] = {}
    for pin in pins:
        version = versions.pop(pin.name, None)
        if version is None:
            found[f"{pin.name} is not installed"] = pin.name
        elif not pin.version.startswith("@") and not _same(version, pin.version):
            found[f"{pin.name} {version} is installed, not {pin.version}"] = pin.name
    return found | {f"{name} is installed, but not locked": name for name in versions}


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    from packaging.version import InvalidVersion, Version  # seldom needed

    try:
        return Version(one.replace("_", "+", 1)) == Version(other) or Version(one) == Version(other)
    except InvalidVersion:
        return False


def of_files(
    records: Records, present: Iterable[str], hashed: Mapping[str, File], *, only_listed: bool
) -> dict[str, str]:
    """Return the files that are missing or differ from RECORD; with `only_listed`, unlisted ones.

    Each is a path, with the name (PEP 503) of its distribution; of an unlisted file that is a guess
    by its folder. `present` are the paths in the tree, and `hashed` those that were read.
    """
    rows, there = records.rows, set(present)
    folded: set[str] | None = None
    paths: list[str] = []
    for path, row in rows.items():
        if path not in there:
            if _ships(path):
                folded = folded or {name.casefold() for name in there}
                paths += [] if path.casefold() in folded else [path]
        elif path not in records.overlaps and path in hashed and _differs(hashed[path], row):
            paths.append(path)
    if only_listed:
        paths += (path for path in there if path not in rows and _ships(path))
    if not paths:
        return {}
    owners = {path: folder for folder, owned in records.owners.items() for path in owned}
    by_folder = {path.partition("/")[0]: folder for path, folder in owners.items()}
    return {
        path: distribution(owners.get(path) or by_folder.get(path.partition("/")[0], ""))
        for path in sorted(paths)
    }


def _differs(file: File, row: Row) -> bool:
    return row.sha256.startswith(SHA256) and row.sha256 != row_of(file)[0]


def _ships(path: str) -> bool:
    """Tell whether a path may be in a canonical tree."""
    first, _, _ = path.partition("/")
    *folders, name = path.split("/")
    return (
        is_below(path)
        and first not in SCRIPTS
        and walk.JUNK_FOLDERS.isdisjoint(folders)
        and not walk.is_junk(name)
        and not (first.endswith(".dist-info") and name in INSTALLER_FILES)
    )


def describe(damaged: Iterable[str], shown: int = 3) -> str:
    """Return the first of the texts and paths, for a message."""
    every = list(damaged)
    more = f" and {len(every) - shown} more" if len(every) > shown else ""
    return ", ".join(every[:shown]) + more


def distributions(damaged: Mapping[str, str]) -> Iterator[str]:
    """Yield the name of each damaged distribution, sorted."""
    yield from sorted(set(damaged.values()) - {""})
