"""Find folders that look like functions: a module with a usual name defines a handler."""

from pathlib import Path

from buildlib.commands.init import candidates
from buildlib.commands.init.candidates import Candidate

_MODULES = ("lambda_function", "app", "handler", "main", "index")


def find_candidates(root: Path) -> list[Candidate]:
    """Return a candidate for each folder that looks like a function, sorted by path."""
    functions = []
    for folder, names in candidates.source_folders(root):
        for module in _MODULES:
            if f"{module}.py" not in names:
                continue
            function = candidates.guess_handler(root / folder / f"{module}.py")
            if function is None:
                continue
            functions.append(
                Candidate(
                    name=candidates.valid_name(
                        Path(folder).name if folder != "." else root.resolve().name
                    ),
                    origin=f"the folder {folder}" if folder != "." else "the repository's root",
                    source=folder,
                    handler=f"{module}.{function}",
                )
            )
            break
    return functions
