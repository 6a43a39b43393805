"""The places of bytecode: next to its source in the ZIP, and in the file system of Lambda."""

import re

from buildlib.model import Function
from buildlib.runtimes import CODE_FOLDER, LAYER_FOLDER

# PEP 3147: `a/b.py` has `a/__pycache__/b.cpython-313.pyc`; alone, bytecode is read from `a/b.pyc`.
_CACHED = re.compile(r"(?P<folder>(?:.*/)?)__pycache__/(?P<stem>[^/]+)\.cpython-[0-9]+\.pyc")


# Folders of files that are no code, although they end in `.py`.
TEMPLATES = frozenset({
    "template", "templates", "skeleton", "skeletons", "cookiecutter", "scaffold",
})  # fmt: skip


def cached(source: str, python: str) -> str:
    """Return the path of the bytecode that a Python such as `3.13` reads before `source`."""
    folder, _, name = source.rpartition("/")
    tag = f"cpython-{python.replace('.', '')}"
    parts = [*([folder] if folder else []), "__pycache__", f"{name.removesuffix('.py')}.{tag}.pyc"]
    return "/".join(parts)


def source_of(path: str) -> str:
    """Return the path of the source of a bytecode file; of any other file, its own path."""
    if not path.endswith(".pyc"):
        return path
    found = _CACHED.fullmatch(path)
    return f"{found['folder']}{found['stem']}.py" if found else path.removesuffix("c")


def is_alone(path: str) -> bool:
    """Tell whether a file is bytecode in the place of its source."""
    return path.endswith(".pyc") and _CACHED.fullmatch(path) is None


def shipped(path: str, function: Function) -> str:
    """Return the path in a function's ZIP of a file, which may be bytecode in `__pycache__`.

    Without sources, bytecode takes the place of a module that an import can name. Others, such as
    templates and scripts, keep their source, because something else than an import reads it.
    """
    source = source_of(path)
    if function.sources or source == path:
        return path
    return f"{source}c" if _can_be_imported(source.removeprefix(function.prefix)) else path


def _can_be_imported(source: str) -> bool:
    parts = source.removesuffix(".py").split("/")
    return all(part.isidentifier() for part in parts) and TEMPLATES.isdisjoint(parts[:-1])


def replaced(paths: set[str]) -> set[str]:
    """Return the sources of a ZIP without sources that bytecode in their place replaces."""
    return {path for path in paths if path.endswith(".py") and f"{path}c" in paths}


def in_lambda(path: str, function: Function) -> str:
    """Return the path in Lambda's file system of a file of a ZIP."""
    return (LAYER_FOLDER if function.is_layer else CODE_FOLDER) + path
