"""Check that Lambda could call a function's handler, without running it."""

import ast
import logging
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
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
            module_code = ast.parse(source, module_path)
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
    if {function_name, "*"}.isdisjoint(_bound_names(module_code)):
        functions = [
            statement.name
            for statement in module_code.body
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


def _bound_names(module: ast.Module) -> Iterator[str]:
    """Yield the names that a module binds when it runs; `*` for `from x import *`.

    A function, a class, a lambda or a comprehension keeps the names that it binds inside. Outside,
    it binds only its own name, or in a comprehension the targets of `:=`.
    """
    nodes: list[ast.AST] = [module]
    while nodes:
        match node := nodes.pop():
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                yield name
                continue
            case ast.Lambda():
                continue
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                nodes += (n.target for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
                continue
            case ast.alias(name=name, asname=alias):
                yield alias or name.partition(".")[0]
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
            case ast.MatchMapping(rest=str(name)):
                yield name
        nodes += ast.iter_child_nodes(node)
