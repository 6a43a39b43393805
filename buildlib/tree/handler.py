"""Check that Lambda could call the handler, without running it."""

import ast
import logging
import re
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

from buildlib.errors import StageError
from buildlib.model import Origin, Variant

_logger = logging.getLogger(__name__)


def check_handler(variant: Variant, origins: Iterable[Origin], tree: Path) -> str | None:
    """Check that the handler's module is in the tree and defines the function, without running it.

    Returns the module's path; None if it is machine code, which cannot be looked into.

    Raises:
        StageError: with the functions that the module does define.

    """
    function = variant.function
    module, _, name = function.handler.rpartition(".")
    stem = module.replace(".", "/")
    paths = {origin.file.path: origin for origin in origins}
    # As Python looks for it: a package comes before a module of the same name.
    path = next((path for path in (f"{stem}/__init__.py", f"{stem}.py") if path in paths), None)
    where = f"lambda '{function.name}': handler '{function.handler}'"
    if path is None:
        if any(path.startswith(f"{stem}.") and path.endswith(".so") for path in paths):
            return None
        msg = (
            f"{where}: there is no {stem}.py in the ZIP; its top has {_modules(paths)}. "
            "Correct 'handler', or 'source', in lambdas.yaml"
        )
        raise StageError(msg, "handler")
    text = (tree / path).read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those about the code are its author's business
            body = ast.parse(text, path).body
    except SyntaxError as error:
        shown = path if paths[path].dependency else paths[path].path
        if sys.version_info[:2] < tuple(map(int, variant.python.split("."))) and re.search(
            rf"^((async\s+)?def|class)\s+{name}\b|^{name}\s*=|import\b.*\b{name}\b",
            text.decode(errors="replace"),
            re.MULTILINE,
        ):
            # Perhaps syntax of a Python that is newer than doit's; the name is there.
            _logger.warning(
                "%s: %s:%s: %s, to Python %d.%d, which runs doit; if it is none to %s either, "
                "Lambda cannot import it",
                *(where, shown, error.lineno or 1, error.msg, *sys.version_info[:2]),
                variant.python,
            )
            return path
        msg = f"{where}: {shown}:{error.lineno or 1}: {error.msg}"
        raise StageError(msg, "handler") from None
    names, complete = _defined(body)
    if complete and name not in names:
        functions = [n.name for n in body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        functions = [name for name in functions if name[0] != "_"] or functions
        msg = (
            f"{where}: {path} does not define '{name}'; "
            f"it defines {', '.join(functions) or 'no function'}. "
            "Name one of these in 'handler', in lambdas.yaml, or define it"
        )
        raise StageError(msg, "handler")
    return path


def _modules(paths: Iterable[str]) -> str:
    names = sorted(p for p in paths if p.endswith(".py") and "/" not in p)
    return ", ".join(names[:8]) or "no module"


def _defined(body: Iterable[ast.stmt]) -> tuple[set[str], bool]:
    """Return the names that statements bind at the top of a module, and whether these are all."""
    names: set[str] = set()
    complete = True
    for statement in body:
        match statement:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                for alias in aliases:
                    names.add(alias.asname or alias.name.partition(".")[0])
                    complete = complete and alias.name != "*"
            case _:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        names.add(node.id)
                inner, whole = _defined(
                    child
                    for child in ast.walk(statement)
                    if isinstance(
                        child,
                        ast.FunctionDef
                        | ast.AsyncFunctionDef
                        | ast.ClassDef
                        | ast.Import
                        | ast.ImportFrom,
                    )
                )
                names |= inner
                complete = complete and whole
    return names, complete
