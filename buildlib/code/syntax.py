"""Check the syntax of sources for the Python version of the target, on every host.

ruff decides. It is not asked about a source that the Python here compiles, if that is not newer
than the target: later versions accept the syntax of earlier ones, and a process costs more than all
other checks of a function.
"""

import codecs
import contextlib
import json
import logging
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from buildlib import programs
from buildlib.errors import StageError

_logger = logging.getLogger(__name__)

# ruff parses the syntax of each version by itself. These rules are compile errors of CPython that
# ruff does not count as syntax: `return` outside of a function, and others of the kind.
_RULES = "E902,F404,F406,F407,F622,F701,F702,F704,F706,F707,PLE0115,PLE0117,PLE0118,PLE1142,PLE1700"


_DECLARED = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:[ \t\f]*(?:#[^\r\n]*)?\r?\n)?[ \t\f]*#[^\r\n]*?coding[:=][ \t]*([-\w.]+)"
)


# Arguments of one process; Windows allows 32,767 characters.
_AT_ONCE = 200


# The compiler of CPython needs more of the C stack for each level of nesting: a larger or deeper
# source, such as a generated table, is left to ruff.
_LARGEST, _DEEPEST = 1 << 18, 50

# The message of ruff, as of any program in Rust, before it aborts.
_OVERFLOW = b"overflowed its stack"

# The name of sources in warnings, which are not for this package to give.
_NAME = "<source of a function>"


@contextlib.contextmanager
def checking(sources: Mapping[str, bytes], python: str) -> Iterator[Callable[[], list[str]]]:
    """Start to check sources for a Python such as `3.13`, while the caller does other work.

    The keys of `sources` are the paths for the messages. The given function waits, and returns the
    errors, each as `path:line:column: message`.
    """
    sources = {path: code for path, code in sources.items() if not _compiles(code, python)}
    if not sources:
        yield list
        return
    with tempfile.TemporaryDirectory(prefix="lambda-zip-") as name:
        folder = Path(name)
        shown, unreadable = {}, []
        for number, (path, content) in enumerate(sources.items()):
            try:
                (folder / f"{number}.py").write_bytes(_as_utf8(content))
            except LookupError as error:
                unreadable.append(f"{path}:1:1: {error}")
            else:
                shown[f"{number}.py"] = path
        files = list(shown)
        batches = [files[start : start + _AT_ONCE] for start in range(0, len(files), _AT_ONCE)]
        processes = [
            _start(folder, str(number), batch, python) for number, batch in enumerate(batches)
        ]
        try:
            run = _Run(folder, python, shown)
            yield lambda: unreadable + list(_errors(run, zip(batches, processes, strict=True)))
        finally:
            for process in processes:
                process.kill()
                process.wait()


def _compiles(content: bytes, python: str) -> bool:
    """Tell whether the Python here compiles a source, and so every later one does."""
    if f"{sys.version_info.major}.{sys.version_info.minor:02}" > _padded(python):
        return False
    if len(content) > _LARGEST or _depth(content) > _DEEPEST:
        return False
    warnings.filterwarnings("ignore", module=re.escape(_NAME))
    try:
        compile(content, _NAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return False
    return True


def _padded(python: str) -> str:
    major, _, minor = python.partition(".")
    return f"{major}.{int(minor):02}"


def _depth(content: bytes) -> int:
    """Return the deepest nesting of brackets, with those in strings."""
    deepest = depth = 0
    for bracket in _BRACKETS.findall(content):
        depth += 1 if bracket in b"([{" else -1
        deepest = max(deepest, depth)
    return deepest


_BRACKETS = re.compile(rb"[()\[\]{}]")


def check(sources: Mapping[str, bytes], python: str) -> list[str]:
    """Return the errors in sources, as `checking` does."""
    with checking(sources, python) as errors:
        return errors()


def _start(
    folder: Path, number: str, files: Sequence[str], python: str
) -> "subprocess.Popen[bytes]":
    from ruff import find_ruff_bin  # only where own code changed

    arguments = [
        *(
            programs.find(find_ruff_bin),
            "check",
            "--isolated",
            "--no-cache",
            "--quiet",
            "--ignore-noqa",
        ),
        *("--target-version", f"py{python.replace('.', '')}", "--select", _RULES),
        *("--output-format", "json", "--output-file", f"{number}.json", *files),
    ]
    return subprocess.Popen(  # noqa: S603 - ruff's own program, our arguments
        arguments, cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


class _Run(NamedTuple):
    """A check: the folder of the copies, the target's Python, and their paths for messages."""

    folder: Path
    python: str
    shown: Mapping[str, str]


def _errors(
    run: _Run, started: Iterable[tuple[Sequence[str], "subprocess.Popen[bytes]"]]
) -> Iterator[str]:
    for number, (files, process) in enumerate(started):
        yield from _of(run, str(number), files, process)


def _of(
    run: _Run, number: str, files: Sequence[str], process: "subprocess.Popen[bytes]"
) -> Iterator[str]:
    """Yield the errors that a process found in its files.

    A file that overflows the stack of ruff takes the process with it. Halves of the files are then
    checked again, down to that file, which gives a warning: Python may well compile it.
    """
    _, output = process.communicate()
    if _OVERFLOW in output:
        if len(files) == 1:
            _logger.warning(
                "%s: its syntax was not checked, because it is nested too deeply for ruff",
                run.shown[files[0]],
            )
            return
        for half in (0, 1):
            some = files[half::2]
            again = _start(run.folder, f"{number}-{half}", some, run.python)
            yield from _of(run, f"{number}-{half}", some, again)
        return
    if process.returncode not in {0, 1}:
        msg = f"ruff failed to check the syntax: {output.decode(errors='replace').strip()}"
        raise StageError(msg, "syntax")
    found: list[dict[str, Any]] = json.loads((run.folder / f"{number}.json").read_bytes())
    for problem in found:
        place = problem["location"] or {"row": 1, "column": 1}
        path = run.shown[Path(problem["filename"]).name]
        yield f"{path}:{place['row']}:{place['column']}: {problem['message']}"


def _as_utf8(content: bytes) -> bytes:
    """Return a source in UTF-8, from the encoding that it declares (PEP 263).

    Raises:
        LookupError: no Python has the encoding, or the source is not in it.

    """
    declared = _DECLARED.match(content)
    if not declared:
        return content
    name = declared[1].decode()
    is_utf8 = codecs.lookup(name).name == "utf-8"
    if content.startswith(codecs.BOM_UTF8) and not is_utf8:
        msg = f"encoding problem: {name} with BOM"
        raise LookupError(msg)
    try:
        return content if is_utf8 else content.decode(name).encode()
    except UnicodeDecodeError as error:
        msg = f"not in the declared encoding {name}: {error.reason} at byte {error.start}"
        raise LookupError(msg) from error
