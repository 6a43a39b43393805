"""The command `init`: propose a manifest, write the missing files, and print the next steps."""

import posixpath
from collections.abc import Iterator
from pathlib import Path

from buildlib.commands.init import checks, proposal
from buildlib.commands.init.proposal import Proposal
from buildlib.errors import BuildError
from buildlib.layout import MANIFEST
from buildlib.manifest import reader

DODO = "dodo.py"


_DODO = '"""The tasks of this repository: `doit`, `doit list`."""\n\nfrom buildlib.tasks import *\n'


_IMPORT = "from buildlib.tasks import *"


_EXAMPLE = """\
version: 1
lambdas:
  hello:                     # source: lambdas/hello
    handler: app.handler     # the function `handler` in app.py
"""


def run(root: Path, *, show: bool) -> Iterator[str]:
    """Propose files and write them, or only `show` them; yield the lines to print.

    Raises:
        BuildError: lambdas.yaml already exists, or no function was found.

    """
    if (root / MANIFEST).exists() and not show:
        msg = (
            f"{MANIFEST} already exists and init overwrites nothing; "
            "run 'lambdas init --print' to see the proposal"
        )
        raise BuildError("\n".join([msg, *_news(root)]), "init-exists")
    proposed = proposal.propose(root)
    if not proposed.text:
        notes = "".join(f"\n  - {note}" for note in proposed.notes)
        msg = (
            f"{root}: found no Lambda function in Python{notes}\n"
            f"Write {MANIFEST} by hand, for example\n\n{_EXAMPLE}\n"
            f"and {DODO} with the line '{_IMPORT}'"
        )
        raise BuildError(msg, "init-nothing")
    if show:
        yield from proposed.text.splitlines()
        yield from (f"# {line}".rstrip() for line in _open_questions(proposed))
        return
    with (root / MANIFEST).open("x", encoding="utf-8", newline="\n") as stream:
        stream.write(proposed.text)
    plural = "s" if len(proposed.functions) > 1 else ""
    yield f"Created {MANIFEST} with {len(proposed.functions)} function{plural}:"
    yield from (f"  {function.name}, from {function.origin}" for function in proposed.functions)
    yield from _write_dodo(root)
    yield from _open_questions(proposed)
    if found := list(checks.problems(root)):
        yield from ("", "The first build will stop at:", *(f"  - {line}" for line in found))
    yield from _next_steps(root)


def _news(root: Path) -> Iterator[str]:
    """Yield the functions that an existing manifest lacks; none if it has a mistake."""
    try:
        manifest = reader.read(root)
    except BuildError:
        return
    known = {_module(function.source, function.handler) for function in manifest.functions}
    found = [
        candidate
        for candidate in proposal.propose(root).functions
        if _module(str(candidate.source), str(candidate.handler)) not in known
    ]
    if found:
        yield f"{MANIFEST} lacks these functions of the proposal:"
        yield from (f"  {candidate.name}, from {candidate.origin}" for candidate in found)


def _module(source: str, handler: str) -> str:
    """Return the path of a handler's module, and the name of the function."""
    return posixpath.normpath(f"{source}/{handler.replace('.', '/')}")


def _write_dodo(root: Path) -> Iterator[str]:
    path = root / DODO
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(_DODO)
    except FileExistsError:
        if "buildlib.tasks" not in path.read_text(encoding="utf-8", errors="replace"):
            yield f"Kept your {DODO}; add this line to it: {_IMPORT}"
    else:
        yield f"Created {DODO}."


def _open_questions(proposed: Proposal) -> Iterator[str]:
    if proposed.notes:
        yield ""
        yield "Open questions:"
        yield from (f"  - {note}" for note in proposed.notes)


def _next_steps(root: Path) -> Iterator[str]:
    yield ""
    yield "Next steps:"
    yield f"  - review {MANIFEST}"
    ignored = _lines(root / ".gitignore")
    missing = [
        f"{name}/" if name == "__pycache__" else f"/{name}/"
        for name in ("build", "dist", "__pycache__")
        if not ignored & {name, f"/{name}", f"{name}/", f"/{name}/"}
    ]
    if missing:
        yield f"  - add to .gitignore: {' '.join(missing)}"
    if "* -text" not in _lines(root / ".gitattributes"):
        yield "  - add to .gitattributes, to keep line endings the same on every machine: * -text"
    yield "  - run 'lambdas build', then commit each requirements.lock that it creates"


def _lines(path: Path) -> set[str]:
    try:
        return {line.strip() for line in path.read_text(encoding="utf-8").splitlines()}
    except (OSError, ValueError):
        return set()
