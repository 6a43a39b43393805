"""Candidates for functions in a repository, and the open questions about each."""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from buildlib.files.walk import JUNK_FOLDERS
from buildlib.runtimes import ARCHITECTURES, RUNTIMES

# Folders without the source of any function: output of tools, and tests.
_SKIPPED = JUNK_FOLDERS | {
    "build", "dist", "node_modules", "site-packages", "venv", "env", "cdk.out", "test", "tests",
}  # fmt: skip


# The syntax in which modules are read.
NEWEST = max(RUNTIMES, key=lambda python: int(python.partition(".")[2]))


_HANDLERS = ("lambda_handler", "handler")


# The names of modules that the guides of AWS and of its tools give to a function's code.
USUAL = ("lambda_function", "app", "handler", "main", "index")


@dataclass
class Candidate:
    """A function and the place of its declaration; unknown fields are None.

    `source` and `requirements` are POSIX paths relative to the repository's root; so is the first
    of each pair of `include`, and the second is its path in the ZIP, empty for its own name.
    `runtime` and `architecture` are copied from the declaration. A function that nothing declares
    `is_guess`. One that `is_open` stands for functions whose number or code is not known, and one
    that `is_off` is declared, but not deployed. `layers` are the labels of its layers, until these
    have their names. `notes` are open questions.
    """

    name: str
    origin: str
    source: str | None = None
    handler: str | None = None
    runtime: str | None = None
    architecture: str | None = None
    requirements: str | None = None
    include: list[tuple[str, str]] = field(default_factory=list)
    is_guess: bool = False
    is_layer: bool = False
    is_open: bool = False
    is_off: bool = False
    layers: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def python(self) -> str | None:
        """The Python version of the runtime, if Lambda has it."""
        version = (self.runtime or "").removeprefix("python")
        return version if version in RUNTIMES else None

    def check(self) -> None:
        """Drop or question values that the manifest cannot express."""
        if self.runtime and self.python is None:
            self.notes.append(
                f"its runtime {self.runtime} is not supported; choose one of "
                f"{', '.join(RUNTIMES)} as 'python'"
            )
        if self.architecture and self.architecture not in ARCHITECTURES:
            self.notes.append(f"Lambda has no architecture {self.architecture}")
            self.architecture = None


def source_folders(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder that may hold sources, POSIX and relative to the root, and its files."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(n for n in folders if n not in _SKIPPED and not n.startswith("."))
        relative = os.path.relpath(folder, root).replace(os.sep, "/")
        yield relative, sorted(names)


def layer_label(file: str, label: str) -> str:
    """Return the label of a layer of a file or folder, unique in the repository."""
    return f"{file}, {label}"


def layers_note(names: Iterable[str]) -> str:
    """Return the note about the layers of a function."""
    return (
        f"it uses the layers {', '.join(names)}, which init cannot read: list their modules in "
        "'allow_missing_imports', or add their packages to its requirements"
    )


def valid_name(label: str) -> str:
    """Turn another tool's name into a valid name for a lambda: TeamKeysFn -> team_keys_fn.

    Drop the suffixes `Function` and `Lambda`.
    """
    stem = re.sub(r"(?<=.)[-_]?([Ll]ambda)?[-_]?([Ff]unction|[Ll]ambda)$", "", label)
    snake_case = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", stem).lower()
    return re.sub(r"[^a-z0-9_-]+", "_", snake_case).strip("_-") or "function"


def existing_path(root: Path, folder: str, path: str) -> str | None:
    """Return `path`, as a file in `folder` writes it, relative to the root; None if it is missing.

    A path outside the repository counts as missing.
    """
    relative = os.path.normpath(os.path.join(folder, path)).replace(os.sep, "/")
    if relative == ".." or relative.startswith("../") or os.path.isabs(relative):
        return None
    return relative if (root / relative).exists() else None


class Guess(NamedTuple):
    """The function of a module that Lambda seems to call.

    `is_sure` tells whether the function has a usual name and the arguments of a handler. `imports`
    are the first names of absolute imports; `is_relative` tells whether there are relative ones.
    """

    function: str
    is_sure: bool
    imports: frozenset[str]
    is_relative: bool


# Texts without which a module defines no handler.
_SIGNS = re.compile(rb"handler|\bevent\b")


_ARGUMENTS = (["event", "context"], ["event", "ctx"], ["event", ""])


def guess_handler(path: Path) -> Guess | None:
    """Return the function that Lambda seems to call in a module; None if none does."""
    try:
        source = path.read_bytes()
    except OSError:
        return None
    if not _SIGNS.search(source) or len(source) > _LARGEST:
        return None
    from buildlib.code import reader, syntax  # only where there may be a handler

    module = reader.read(source, NEWEST)
    imported = {name for item in module.imports for name in item.names}
    tops = frozenset(item.module.partition(".")[0] for item in module.imports)
    is_relative = any(item.module.startswith(".") for item in module.imports)
    function, is_sure = _guess(module.functions, module.names - imported)
    is_usual = path.stem in USUAL
    if not function or (not is_usual and syntax.check({str(path): source}, NEWEST)):
        return None  # or a script of an older Python
    return Guess(function, is_sure, tops - {""}, is_relative)


# Bytes of a module that is read.
_LARGEST = 1 << 20


def _guess(functions: Mapping[str, Sequence[str]], names: Collection[str]) -> tuple[str, bool]:
    for name in _HANDLERS:
        if name in functions:
            return name, len(functions[name]) >= 2  # noqa: PLR2004 - event and context
    for name in _HANDLERS:
        if name in names:  # handler = Mangum(app), or = decorator(function)
            return name, True
    for function, parameters in functions.items():
        if [p.strip("_") for p in parameters] in _ARGUMENTS:
            return function, False
    return "", False
