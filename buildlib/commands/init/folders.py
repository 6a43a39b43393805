"""Folders that look like functions: a module of a usual name that has a handler."""

from pathlib import Path

from buildlib.commands.init import candidates
from buildlib.commands.init.candidates import Candidate

_MODULES = ("lambda_function", "app", "handler", "main", "index")


def find(root: Path) -> list[Candidate]:
    """Return a function for each folder that looks like one, sorted by path."""
    functions = []
    for folder, names in candidates.tree(root):
        for module in _MODULES:
            if f"{module}.py" not in names:
                continue
            function = candidates.handler(root / folder / f"{module}.py")
            if function is None:
                continue
            functions.append(
                Candidate(
                    name=candidates.name(
                        Path(folder).name if folder != "." else root.resolve().name
                    ),
                    origin=f"the folder {folder}" if folder != "." else "the repository's root",
                    source=folder,
                    handler=f"{module}.{function}",
                )
            )
            break
    return functions
