"""Dependencies that are declared near a function, and that its ZIP lacks.

A file in the function's own folder is an error, since the function surely needs its dependencies. A
file of a folder above is often for tools or for other functions, and one of a shared package also
covers modules that the function never imports. These files give notes: a build ends with them, or
the error about a missing import does.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.cache.digests import Signature, signature_of
from buildlib.code import available
from buildlib.errors import LockError
from buildlib.lock import lockfile, unread
from buildlib.lock.unread import Unread
from buildlib.manifest import locations
from buildlib.model import Function, LockTarget, Pin, Variant

# The manifest's key for files that are not read on purpose.
_ALLOW = "allow_unread"


# Distributions that a repository needs for its tools, and a function does not.
_TOOLS = frozenset({
    "aws-cdk-lib", "aws-sam-cli", "black", "build", "cfn-lint", "constructs", "coverage", "doit",
    "doit-lambda-zip", "flake8", "hatch", "isort", "mkdocs", "moto", "mypy", "nox", "pip-tools",
    "poetry", "pre-commit", "pylint", "pyright", "pytest", "pytest-cov", "ruff", "setuptools",
    "sphinx", "tox", "twine", "uv", "wheel",
})  # fmt: skip


class Folders(NamedTuple):
    """The folders to search for a function: its own, those above, and those of shared packages."""

    own: tuple[str, ...]
    above: tuple[str, ...]
    included: tuple[str, ...]


def folders(root: Path, function: Function) -> Folders:
    """Return the folders in which dependencies of a function may be declared."""
    lineage = list(_lineage(function.source))
    own, above = ((lineage[0],), tuple(lineage[1:])) if not function.requires else ((), ())
    included: dict[str, None] = {}
    for path in (one.path for one in function.include):
        candidates = [path] if os.path.isdir(root / path) else []
        parent = os.path.dirname(path)
        candidates.append(parent)
        if os.path.basename(parent) == "src":
            candidates.append(os.path.dirname(parent))
        included |= dict.fromkeys(one for one in candidates if one and one not in lineage)
    return Folders(own, above, tuple(included))


def _lineage(folder: str) -> Iterator[str]:
    """Yield a folder and those above it, up to the root, which is empty."""
    while folder and folder != ".":
        yield folder
        folder = os.path.dirname(folder)
    yield ""


class Search:
    """The files with dependencies in a repository's folders, each read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._present: dict[str, dict[str, Signature | None]] = {}
        self._found: dict[str, list[Unread]] = {}

    def state(self, function: Function) -> str:
        """Return the status of the files outside of a function's sources."""
        places = folders(self._root, function)
        return repr([self._names(folder) for folder in (*places.above, *places.included)])

    def check(self, variant: Variant, pins: Sequence[Pin]) -> tuple[tuple[str, ...], ...]:
        """Return the notes about dependencies that are not read, and more for a missing import.

        Raises:
            LockError: the function's own folder declares some, or a file has a wrong syntax.

        """
        function = variant.function
        allowed = dict(function.options).get(_ALLOW, ())
        places = folders(self._root, function)
        if not function.requires:
            self._check_choice(function, allowed)
        own, above, included = (
            [one for folder in some for one in self._find(folder) if one.path not in allowed]
            for some in places
        )
        lines_of = _Lines(LockTarget(variant.python, variant.architecture))
        notes = list(_check_own(own, lines_of, function))
        missing = [*_missing_above(above, lines_of)]
        missing += _missing_included(function, included, pins, lines_of)
        notes += [_note(function, *one) for one in missing]
        hints = [_hint(function, *one) for one in missing]
        optional = [one for one in (*own, *above) if not one.lines and one.optional]
        hints += [_hint(function, one, one.optional) for one in optional]
        return tuple(notes), tuple(hints)

    def _check_choice(self, function: Function, allowed: Collection[str]) -> None:
        """Refuse several files of which each could have the dependencies of a function.

        Raises:
            LockError: the manifest does not say which.

        """
        found = locations.default(self._root, function.source, allowed)
        if len(found) > 1:
            names = ", ".join(sorted(map(os.path.basename, found)))
            msg = (
                f"{function.title}: {function.source} has several files with dependencies; "
                f"set 'requirements' to one of them: {names}"
            )
            raise LockError(msg, "dependencies-unread")

    def _names(self, folder: str) -> dict[str, Signature | None]:
        if folder not in self._present:
            path = self._root / folder
            self._present[folder] = {n: signature_of(path / n) for n in unread.names(path)}
        return self._present[folder]

    def _find(self, folder: str) -> list[Unread]:
        if folder not in self._found:
            names = self._names(folder)
            self._found[folder] = unread.find(self._root, folder, names) if names else []
        return self._found[folder]


class _Lines(NamedTuple):
    """Tells which of the dependencies in a file hold for a runtime."""

    target: LockTarget

    def __call__(self, one: Unread, known: Collection[str] = ()) -> list[str]:
        """Return the lines of a file that hold, without those of `known` distributions."""
        from buildlib.lock.declared import requirement_name  # with parsers

        return [
            line
            for line in one.lines
            if self._applies(line) and requirement_name(line) not in known
        ]

    def _applies(self, line: str) -> bool:
        _, semicolon, marker = line.partition(";")
        return not semicolon or lockfile.applies(marker.strip(), self.target) is not False


def _check_own(own: Iterable[Unread], lines_of: _Lines, function: Function) -> Iterator[str]:
    """Yield notes about the function's own folder; raise if it needs more than the runtime has."""
    problems = []
    for one in own:
        if lines_of(one, available.DISTRIBUTIONS) or one.computed:
            problems.append(_error(function, one, lines_of(one)))
        elif lines := lines_of(one):
            yield _provided(one, lines)
    if problems:
        raise LockError("\n".join(problems), "dependencies-unread")


def _missing_above(above: Iterable[Unread], lines_of: _Lines) -> Iterator[tuple[Unread, list[str]]]:
    for one in above:
        lines = lines_of(one, _TOOLS | available.DISTRIBUTIONS)
        if lines or one.computed:
            yield one, lines


def _missing_included(
    function: Function, included: Sequence[Unread], pins: Iterable[Pin], lines_of: _Lines
) -> Iterator[tuple[Unread, list[str]]]:
    known = {pin.name for pin in pins} | {one.project for one in included}
    included_paths = {one.path for one in function.include}
    for one in included:
        if one.is_requirements and os.path.dirname(one.path) not in included_paths:
            continue  # it may belong to another package of this folder
        lines = lines_of(one, known | available.DISTRIBUTIONS)
        if lines or one.computed:
            yield one, lines


def _settle(one: Unread) -> str:
    return f"'{_ALLOW}: [{one.path}]'"


def _error(function: Function, one: Unread, lines: Sequence[str]) -> str:
    """Return the error about a file in a function's own folder."""
    target = function.within("requirements.txt")
    name = os.path.relpath(one.path, function.source).replace(os.sep, "/")
    start = f"{one.path}: its dependencies were not read, so the ZIP would lack them"
    end = f"If the function needs none of them, set {_settle(one)} for the lambda or in 'defaults'."
    if one.is_requirements or name.startswith("requirements/"):
        return f"{start}. Set 'requirements: {name}' for the lambda. {end}"
    command = f"uv pip compile {name} -o requirements.txt" if one.computed else ""
    if not lines:
        return f"{start}. To write them to {target}, run '{command}' in {function.source}. {end}"
    listed = "".join(f"\n  {line}" for line in lines)
    if command:
        end = f"For their exact versions, run '{command}' in {function.source} instead. {end}"
    return f"{start}. Write them to {target}:{listed}\n{end}"


def _note(function: Function, one: Unread, lines: Sequence[str]) -> str:
    """Return the note about a file outside of a function's own folder; equal for many functions."""
    if function.requires:
        where = "the requirements of each function that needs them"
    else:
        where = "a requirements.txt in the folder of each function that needs them"
    return (
        f"{one.path}: not read, so the ZIP lacks its dependencies {_described(lines)}. Write them "
        f"to {where}; if no function needs them, set {_settle(one)} in 'defaults'"
    )


def _provided(one: Unread, lines: Sequence[str]) -> str:
    return (
        f"{one.path}: not read, so the function gets the runtime's version of {_described(lines)}. "
        "To ship it, write it to a requirements.txt in the same folder; otherwise set "
        f"{_settle(one)}"
    )


def _hint(function: Function, one: Unread, lines: Sequence[str]) -> str:
    """Return the addition to the error about a missing import."""
    target = locations.editable(function)
    return (
        f"{one.path} declares dependencies {_described(lines)}, but is not read: write the "
        f"packages that the function needs to {target}"
    )


def _described(lines: Sequence[str]) -> str:
    return (
        f"({unread.described(lines)})" if lines else "(which the project computes while it builds)"
    )
