"""Paths that several distributions install with different contents."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from buildlib.environment.installer import Installer, Request
from buildlib.environment.record import distribution
from buildlib.errors import InstallError
from buildlib.files import atomic
from buildlib.model import Function

# Folders at the top of a wheel that belong to its project, and to no module.
_PROJECT = frozenset({
    "benchmark", "benchmarks", "ci", "doc", "docs", "example", "examples", "sample", "samples",
    "script", "scripts", "test", "testing", "tests", "tools",
})  # fmt: skip


_SHOWN = 10


class Originals:
    """The files of a request's distributions, each of which is installed by itself when asked."""

    def __init__(self, request: Request, install: Installer) -> None:
        self._request = request
        self._install = install
        self._trees: dict[str, Path] = {}

    def __call__(self, folder: str, path: str) -> bytes | None:
        """Return the content that the distribution with the `.dist-info` folder has for a path.

        None means that it has no such file.

        Raises:
            InstallError: as the installer does.

        """
        name, request = distribution(folder), self._request
        if name not in self._trees:
            tree = self._trees[name] = request.target.with_name(f"alone-{name}")
            pins = [pin for pin in request.pins if pin.name == name]
            log = request.log.with_suffix(f".{name}.log")
            atomic.remove(tree)
            tree.mkdir(parents=True)
            self._install(request._replace(pins=pins, target=tree, log=log))
        try:
            return (self._trees[name] / path).read_bytes()
        except OSError:
            return None


def raise_if_any(overlaps: Mapping[str, Sequence[str]], function: Function) -> None:
    """Raise if `overlaps`, the distributions by the path that they share, has any.

    Raises:
        InstallError: with each path and its distributions, and the remedy.

    """
    if not overlaps:
        return
    lines = [f"  {path}: {' and '.join(names)}" for path, names in overlaps.items()]
    if len(lines) > _SHOWN + 1:
        lines[_SHOWN:] = [f"  and {len(lines) - _SHOWN} more files"]
    patterns = sorted({_pattern(path) for path in overlaps})
    if all(patterns):
        quoted = ", ".join(f"'{pattern}'" for pattern in patterns)
        advice = f"If the function does not need them, add {quoted} to 'exclude'."
    else:
        advice = (
            "Replace one of the distributions, or pin another version of it. If the function needs "
            "none of these files, name them in 'exclude'."
        )
    msg = (
        f"{function.title}: distributions install different files under one name, and the "
        "order of installation would decide which one is in the ZIP:\n"
        + "\n".join(lines)
        + f"\n{advice}"
    )
    raise InstallError(msg, "distributions-overlap")


def _pattern(path: str) -> str:
    """Return a pattern for a file that no module can need; empty for another file."""
    top, slash, _ = path.partition("/")
    if slash:
        return f"/{top}/" if top.lower() in _PROJECT else ""
    return "" if path.endswith((".py", ".so", ".pth", ".json")) else f"/{path}"
