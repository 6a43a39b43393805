"""A function's own code under a newer Python: imports of modules that Python removed.

Its syntax is not checked: later versions accept the syntax of earlier ones.
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from buildlib.code import available, reader
from buildlib.code.places import ALWAYS, LATER
from buildlib.model import Origin
from buildlib.runtimes import RUNTIMES

# Larger modules are generated, and reading one takes 130 times as much memory.
_LARGEST = 2_500_000


# The distributions that bring removed modules back, as of 2026-11, besides legacy-<module> and
# standard-<module>.
_BROUGHT_BACK = {
    "asynchat": "pyasynchat",
    "asyncore": "pyasyncore",
    "distutils": "setuptools",
    "imp": "zombie-imp",
}


def problems(
    root: Path, own: Iterable[Origin], python: str, packages: Collection[str]
) -> list[str]:
    """Return the imports in own files of modules that `python` lacks and another Python has.

    Each begins with the file and line. `packages` are the distributions in the ZIP.
    """
    files = [origin for origin in own if origin.file.path.endswith(".py")]
    # Any folder may be on the search path.
    modules = {part for one in files for part in one.file.path.removesuffix(".py").split("/")}
    removed = {
        name
        for version in RUNTIMES
        for name in available.standard_library(version)
        if name not in modules and not available.has(name, python)
    }
    removed = {name for name in removed if not _is_brought_back(name, packages)}
    return [
        f"{one.path}:{line}: import of '{name}': Python {python} no longer has this module"
        for one in files
        if one.file.size <= _LARGEST
        for name, line in _imports((root / one.path).read_bytes(), python)
        if name in removed
    ]


def _imports(source: bytes, python: str) -> Iterator[tuple[str, int]]:
    """Yield the first names of the imports that no condition guards, each with its line."""
    for one in reader.read(source, python).imports:
        if one.place in {ALWAYS, LATER}:
            yield one.module.partition(".")[0], one.line


def _is_brought_back(module: str, packages: Collection[str]) -> bool:
    names = {f"legacy-{module}", f"standard-{module}", _BROUGHT_BACK.get(module, "")}
    return not names.isdisjoint(packages)
