"""Check that Lambda could call a function's handler, without running it."""

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
    """Check that the handler's module is in the tree and defines the function.

    Return the module's path in the tree, or None if the module is machine code, which cannot be
    checked.

    Raises:
        StageError: the tree lacks the module, or the module does not parse or does not define the
            function. The message lists the modules or functions that do exist.

    """
    function = variant.function
    module, _, function_name = function.handler.rpartition(".")
    stem = module.replace(".", "/")
    origin_of = {origin.file.path: origin for origin in origins}
    # In Python's order: a package comes before a module of the same name.
    candidates = (f"{stem}/__init__.py", f"{stem}.py")
    module_path = next((path for path in candidates if path in origin_of), None)
    where = f"lambda '{function.name}': handler '{function.handler}'"
    if module_path is None:
        if any(path.startswith(f"{stem}.") and path.endswith(".so") for path in origin_of):
            return None
        msg = (
            f"{where}: there is no {stem}.py in the ZIP; top-level modules: "
            f"{_top_level_modules(origin_of)}. Correct 'handler' or 'source' in lambdas.yaml"
        )
        raise StageError(msg, "handler")
    source = (tree / module_path).read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SyntaxWarning is for the author of the code
            statements = ast.parse(source, module_path).body
    except SyntaxError as error:
        origin = origin_of[module_path]
        location = f"{module_path if origin.dependency else origin.path}:{error.lineno or 1}"
        if sys.version_info[:2] < tuple(map(int, variant.python.split("."))) and re.search(
            rf"^((async\s+)?def|class)\s+{function_name}\b|^{function_name}\s*="
            rf"|import\b.*\b{function_name}\b",
            source.decode(errors="replace"),
            re.MULTILINE,
        ):
            # The target's Python is newer than doit's, so its syntax may be, too. The module does
            # name the function.
            _logger.warning(
                "%s: %s: %s in Python %d.%d, which runs doit; if Python %s cannot parse it either, "
                "Lambda cannot import it",
                *(where, location, error.msg, *sys.version_info[:2], variant.python),
            )
            return module_path
        msg = f"{where}: {location}: {error.msg}"
        raise StageError(msg, "handler") from None
    bound_names, complete = _bound_names(statements)
    if complete and function_name not in bound_names:
        functions = [
            statement.name
            for statement in statements
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        functions = [name for name in functions if name[0] != "_"] or functions
        msg = (
            f"{where}: {module_path} does not define '{function_name}'; "
            f"it defines {', '.join(functions) or 'no function'}. "
            "Name one of these in 'handler', in lambdas.yaml, or define it"
        )
        raise StageError(msg, "handler")
    return module_path


def _top_level_modules(paths: Iterable[str]) -> str:
    modules = sorted(path for path in paths if path.endswith(".py") and "/" not in path)
    return ", ".join(modules[:8]) or "none"


def _bound_names(statements: Iterable[ast.stmt]) -> tuple[set[str], bool]:
    """Return the names that module-level statements bind, and whether the set is complete.

    It is not complete after `from x import *`.
    """
    names: set[str] = set()
    complete = True
    for statement in statements:
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
                nested_names, nested_complete = _bound_names(
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
                names |= nested_names
                complete = complete and nested_complete
    return names, complete
