"""Find modules that look like functions: they define a handler."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from buildlib.commands.init import candidates
from buildlib.commands.init.candidates import USUAL, Candidate, Guess

# Names of folders that name no function.
_GENERIC = frozenset({
    "lambda", "lambdas", "function", "functions", "handler", "handlers", "src", "code", "app",
    "backend", "service", "services", "python",
})  # fmt: skip


_NO_CODE = re.compile(r"test_.*|.*_tests?|tests?|conftest|setup|dodo|noxfile|fabfile|__.*__")


def find_candidates(root: Path) -> list[Candidate]:
    """Return a candidate for each module that looks like a function, sorted by path.

    A module of another name than the usual ones counts if it has a function of a usual name with
    the arguments of a handler; or any with these arguments, where no other module of the folder
    looks like a function.
    """
    functions = []
    for folder, names in candidates.source_folders(root):
        guesses = dict(_guesses(root, folder, names))
        sure = {m: g for m, g in guesses.items() if g.is_sure or m in USUAL}
        chosen = sure or guesses
        functions += [_candidate(root, folder, m, g, chosen) for m, g in chosen.items()]
    return functions


def _guesses(root: Path, folder: str, names: Sequence[str]) -> Iterator[tuple[str, Guess]]:
    for name in names:
        module, suffix = os.path.splitext(name)
        if suffix == ".py" and not _NO_CODE.fullmatch(module):
            guess = candidates.guess_handler(root / folder / name)
            if guess is not None and (module.isidentifier() or module in USUAL):
                yield module, guess


def _candidate(
    root: Path, folder: str, module: str, guess: Guess, others: dict[str, Guess]
) -> Candidate:
    source, prefix = _import_root(root, folder, guess)
    is_named_by_module = len(others) > 1 or (
        module not in USUAL and os.path.basename(folder) in _GENERIC
    )
    name = os.path.basename(folder) if folder != "." else root.resolve().name
    shown = f"{folder}/{module}.py" if folder != "." else f"{module}.py"
    return Candidate(
        name=candidates.valid_name(module if is_named_by_module else name),
        origin=f"the module {shown}",
        source=source,
        handler=f"{prefix}{module}.{guess.function}",
        is_guess=True,
    )


def _import_root(root: Path, folder: str, guess: Guess) -> tuple[str, str]:
    """Return the folder that a module is imported from, and the packages before its name.

    A folder with an `__init__.py` counts as a package only if the module imports it as one.
    """
    packages: list[str] = []
    top = folder
    while top != "." and (root / top / "__init__.py").is_file():
        packages.insert(0, os.path.basename(top))
        top = os.path.dirname(top) or "."
    if packages and (guess.is_relative or packages[0] in guess.imports):
        return top, ".".join([*packages, ""])
    return folder, ""
