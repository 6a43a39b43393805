"""Find own sources that something runs or reads by their file names, where bytecode replaces them.

With `sources: false`, `app.pyc` takes the place of `app.py`. An import finds it; `python3 app.py`,
`subprocess` and `open` do not.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from buildlib.errors import StageError
from buildlib.files import bytecode
from buildlib.model import Function, Origin

# A larger file is data.
_LARGEST = 1 << 20


class Named(NamedTuple):
    """The place of the name of a file: the origin with it, its line, and the path of the source."""

    origin: Origin
    line: int
    source: str


def doubts(
    function: Function,
    own: Iterable[Origin],
    made: Iterable[Origin],
    read: Callable[[Origin], bytes],
) -> list[tuple[str, str]]:
    """Return warnings about own sources that files name, each with its place.

    `made` is the bytecode of own files, and `read` returns the content of an own file.

    Raises:
        StageError: the handler is a script that needs a source.

    """
    every = list(own)
    paths = {origin.file.path for origin in every} | {origin.file.path for origin in made}
    sources = bytecode.replaced(paths)
    if not sources:
        return []
    found = list(_find(function, every, sources, read))
    problems = [f"{_at(one)}: {_text(one)}" for one in found if _is_handler(function, one.origin)]
    if problems:
        what = f"{function.title}: its handler '{function.handler}' could not start"
        raise StageError("\n".join([what, *problems]), "handler")
    return [(_text(one), _at(one)) for one in found]


def _find(
    function: Function,
    own: Iterable[Origin],
    sources: Collection[str],
    read: Callable[[Origin], bytes],
) -> Iterator[Named]:
    """Yield each name once for each file that has it."""
    places: dict[bytes, list[str]] = {}
    for path in sorted(sources):
        places.setdefault(path.rpartition("/")[2].encode(), []).append(path)
    names = b"|".join(map(re.escape, places))
    # In Python, a string literal that ends with the name; in a script, a word.
    literal = re.compile(rb"[\"'/ ](" + names + rb")[\"']")
    word = re.compile(rb"(?<![\w.-])(" + names + rb")(?![\w-]|\.\w)")
    for origin in own:
        if origin.file.size > _LARGEST:
            continue
        path = origin.file.path
        is_python, content = path.endswith(".py"), read(origin)
        if not is_python and not _is_script(function, origin, content):
            continue
        seen: set[str] = set()
        for number, line in enumerate(content.splitlines(), 1):
            if line.lstrip().startswith(b"#"):
                continue
            for match in (literal if is_python else word).finditer(line):
                for source in places[match[1]]:
                    if source not in seen and source != path:
                        seen.add(source)
                        yield Named(origin, number, source)


def _is_handler(function: Function, origin: Origin) -> bool:
    return origin.file.path == function.handler


def _is_script(function: Function, origin: Origin, content: bytes) -> bool:
    is_named = origin.file.path.endswith(".sh") or _is_handler(function, origin)
    return b"\0" not in content and (is_named or content.startswith(b"#!"))


def _at(one: Named) -> str:
    return f"{one.origin.path}:{one.line}"


def _text(one: Named) -> str:
    stem = one.source.removesuffix(".py")
    folder, _, name = stem.rpartition("/")
    script = f"{folder}/{name}-script.py" if folder else f"{name}-script.py"
    module = stem.removesuffix("/__init__").replace("/", ".")
    return (
        f"'{one.source}' is named, and 'sources: false' leaves {one.source}c alone; to run the "
        f"file, use 'python -m {module}', or a name that no import can have, such as '{script}', "
        "which keeps its source; or set 'sources: true'"
    )
