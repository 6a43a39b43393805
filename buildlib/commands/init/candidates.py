"""Candidates for functions in a repository, and the open questions about each."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from buildlib.files.walk import JUNK_FOLDERS
from buildlib.runtimes import ARCHITECTURES, RUNTIMES

# Folders without the source of any function: output of tools, and tests.
_SKIPPED = JUNK_FOLDERS | {
    "build", "dist", "node_modules", "site-packages", "venv", "env", "cdk.out", "test", "tests",
}  # fmt: skip


# The syntax in which modules are read.
_NEWEST = max(RUNTIMES, key=lambda python: int(python.partition(".")[2]))


_HANDLERS = ("lambda_handler", "handler")


@dataclass
class Candidate:
    """A function and the place of its declaration; unknown fields are None.

    `source`, `include` and `requirements` are POSIX paths relative to the repository's root;
    `runtime` and `architecture` are copied from the declaration. `notes` are open questions.
    """

    name: str
    origin: str
    source: str | None = None
    handler: str | None = None
    runtime: str | None = None
    architecture: str | None = None
    requirements: str | None = None
    include: list[str] = field(default_factory=list)
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


def layers_note(names: Iterable[str]) -> str:
    """Return the note about the layers of a function."""
    return (
        f"it uses the layers {', '.join(names)}, which are not read: list their modules in "
        "'allow_missing_imports', or write their packages to its requirements"
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


def guess_handler(path: Path) -> str | None:
    """Return the name of the function that Lambda seems to call in a module; None if none does."""
    try:
        source = path.read_bytes()
    except OSError:
        return None
    from buildlib.code import reader  # only where there is a file of a usual name

    module = reader.read(source, _NEWEST)
    imported = {name for item in module.imports for name in item.names}
    for name in _HANDLERS:
        if name in module.functions:
            return name
    for name in _HANDLERS:
        if name in module.names - imported:  # handler = Mangum(app), or = decorator(function)
            return name
    for function, parameters in module.functions.items():
        if [p.strip("_") for p in parameters] in (["event", "context"], ["event", "ctx"]):
            return function
    return None
