"""What was found in a repository: functions, and what could not be known about them."""

import ast
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from buildlib.files.walk import JUNK_FOLDERS
from buildlib.runtimes import ARCHITECTURES, RUNTIMES

# Where no one keeps the source of a function: made by tools, or tests.
_SKIPPED = JUNK_FOLDERS | {
    "build", "dist", "node_modules", "site-packages", "venv", "env", "cdk.out", "test", "tests",
}  # fmt: skip


_HANDLERS = ("lambda_handler", "handler")


@dataclass
class Candidate:
    """A function: where it is declared, and what is known of it; None is not known.

    `source`, `include` and `requirements` are POSIX, relative to the repository's root; `runtime`
    and `architecture` are as they are written there.
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
        """Note what is written in a way that cannot be taken over."""
        if self.runtime and self.python is None:
            self.notes.append(
                f"its runtime {self.runtime} cannot be built for; choose one of "
                f"{', '.join(RUNTIMES)} as 'python'"
            )
        if self.architecture and self.architecture not in ARCHITECTURES:
            self.notes.append(f"its architecture {self.architecture} is none that Lambda has")
            self.architecture = None


def tree(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder that may hold sources, POSIX and relative to the root, and its files."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(n for n in folders if n not in _SKIPPED and not n.startswith("."))
        relative = os.path.relpath(folder, root).replace(os.sep, "/")
        yield relative, sorted(names)


def name(text: str) -> str:
    """Return a name that a lambda may have, from one of another tool: TeamKeysFn -> team_keys_fn.

    The ends `Function` and `Lambda` are left out.
    """
    text = re.sub(r"(?<=.)[-_]?([Ll]ambda)?[-_]?([Ff]unction|[Ll]ambda)$", "", text)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()
    return re.sub(r"[^a-z0-9_-]+", "_", text).strip("_-") or "function"


def located(root: Path, folder: str, text: str) -> str | None:
    """Return a path that is written in a file in `folder`, relative to the root, if it is there."""
    relative = os.path.normpath(os.path.join(folder, text)).replace(os.sep, "/")
    if relative == ".." or relative.startswith("../") or os.path.isabs(relative):
        return None
    return relative if (root / relative).exists() else None


def handler(path: Path) -> str | None:
    """Return the function of a module that Lambda seems to call; None if there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return None
    functions = {
        node.name: [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        for node in body
        if isinstance(node, ast.FunctionDef)
    }
    for wanted in _HANDLERS:
        if wanted in functions:
            return wanted
    assigned = {
        target.id
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for wanted in _HANDLERS:
        if wanted in assigned:  # as of Mangum, or a decorator that is called
            return wanted
    for function, parameters in functions.items():
        if [p.strip("_") for p in parameters] in (["event", "context"], ["event", "ctx"]):
            return function
    return None
