"""The command `init`: look, propose, write what is not there yet, and say what is left to do."""

from collections.abc import Iterator
from pathlib import Path

from buildlib.commands.init import proposal
from buildlib.commands.init.proposal import Proposal
from buildlib.errors import BuildError
from buildlib.layout import MANIFEST

DODO = "dodo.py"


_DODO = '"""The tasks of this repository: `doit`, `doit list`."""\n\nfrom buildlib.tasks import *\n'


_IMPORT = "from buildlib.tasks import *"


_EXAMPLE = """\
version: 1
lambdas:
  hello:                     # its code is in lambdas/hello
    handler: app.handler     # the function `handler` in app.py
"""


def run(root: Path, *, show: bool) -> Iterator[str]:
    """Propose files and write them, or only `show` them; yield what to say, line by line.

    Raises:
        BuildError: there is a lambdas.yaml already, or nothing to propose.

    """
    if (root / MANIFEST).exists() and not show:
        msg = (
            f"{MANIFEST}: there is one already, and it is not overwritten; "
            "'python -m buildlib init --print' shows what would be proposed"
        )
        raise BuildError(msg, "init-exists")
    made = proposal.make(root)
    if not made.text:
        notes = "".join(f"\n  - {note}" for note in made.notes)
        msg = (
            f"{root}: nothing here looks like a Lambda function in Python{notes}\n"
            f"Write {MANIFEST} by hand, such as\n\n{_EXAMPLE}\n"
            f"and {DODO} with the line '{_IMPORT}'"
        )
        raise BuildError(msg, "init-nothing")
    if show:
        yield from made.text.splitlines()
        yield from (f"# {line}".rstrip() for line in _open(made))
        return
    with (root / MANIFEST).open("x", encoding="utf-8", newline="\n") as stream:
        stream.write(made.text)
    plural = "s" if len(made.functions) > 1 else ""
    yield f"{MANIFEST} is written, with {len(made.functions)} function{plural}:"
    yield from (f"  {one.name}, from {one.origin}" for one in made.functions)
    yield from _dodo(root)
    yield from _open(made)
    yield from _next(root)


def _dodo(root: Path) -> Iterator[str]:
    path = root / DODO
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(_DODO)
    except FileExistsError:
        if "buildlib.tasks" not in path.read_text(encoding="utf-8", errors="replace"):
            yield f"{DODO} is yours and stays as it is; add this line: {_IMPORT}"
    else:
        yield f"{DODO} is written."


def _open(made: Proposal) -> Iterator[str]:
    if made.notes:
        yield ""
        yield "What could not be known:"
        yield from (f"  - {note}" for note in made.notes)


def _next(root: Path) -> Iterator[str]:
    yield ""
    yield "Next:"
    yield f"  - read {MANIFEST}, and correct it"
    ignored = _lines(root / ".gitignore")
    missing = [
        name
        for name in ("build", "dist")
        if not ignored & {name, f"/{name}", f"{name}/", f"/{name}/"}
    ]
    if missing:
        yield f"  - add to .gitignore: {' '.join(f'/{name}/' for name in missing)}"
    if "* -text" not in _lines(root / ".gitattributes"):
        yield "  - add to .gitattributes, so that line ends are the same everywhere: * -text"
    yield "  - run 'doit', then commit each requirements.lock that it made"


def _lines(path: Path) -> set[str]:
    try:
        return {line.strip() for line in path.read_text(encoding="utf-8").splitlines()}
    except (OSError, ValueError):
        return set()
