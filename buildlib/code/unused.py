"""Imports of a module that it never uses (ruff's rule F401)."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from buildlib import programs


def unused(paths: Sequence[str], root: Path, python: str) -> Iterator[tuple[str, int, str]]:
    """Yield the path, the line and the dotted name of each unused import.

    `paths` are those of modules below `root`, and `python` the version whose syntax they have. For
    advice: if ruff fails, there is none.
    """
    if not paths:
        return
    from ruff import find_ruff_bin

    arguments = [
        *(programs.find(find_ruff_bin), "check", "--isolated", "--no-cache", "--quiet"),
        *("--select", "F401", "--target-version", f"py{python.replace('.', '')}"),
        *("--exit-zero", "--output-format", "json", "--", *paths),
    ]
    done = subprocess.run(  # noqa: S603 - ruff's own program, files of this repository
        arguments, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    try:
        problems = json.loads(done.stdout)
    except ValueError:
        return
    for problem in problems:
        yield from _place(problem, root.resolve())


def _place(problem: Mapping[str, object], root: Path) -> Iterator[tuple[str, int, str]]:
    match problem:
        case {"filename": str(path), "location": {"row": int(line)}, "message": str(message)}:
            name = message.partition("`")[2].partition("`")[0].partition(" as ")[0]
            if name and Path(path).is_relative_to(root):
                yield Path(path).relative_to(root).as_posix(), line, name
