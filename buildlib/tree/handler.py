"""Check that Lambda could call the handler, without running it."""

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
            module_code = ast.parse(text, path)
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
    if {name, "*"}.isdisjoint(_bound(module_code)):
        functions = [
            n.name
            for n in module_code.body
            if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
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


def _bound(module: ast.Module) -> Iterator[str]:
    """Yield the names that a module binds when it runs; `*` for those of another module.

    A function, a class, a lambda or a comprehension binds the names inside it for itself: outside
    it binds its own name, or in a comprehension the targets of `:=`.
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
