"""Check that Lambda could call a function's handler, without running it."""

from collections.abc import Collection
from typing import Protocol

from buildlib.code.reader import Module
from buildlib.errors import StageError
from buildlib.model import Variant


class Sources(Protocol):
    """Reads the modules of a tree."""

    def read(self, path: str) -> Module:
        """Return a module by its path in the tree."""
        ...


def module_of(handler: str, paths: Collection[str]) -> str | None:
    """Return the path of a handler's module among `paths`; None if it is not there.

    A package comes before a module of the same name, as for Python.
    """
    stem = handler.rpartition(".")[0].replace(".", "/")
    return next((p for p in (f"{stem}/__init__.py", f"{stem}.py") if p in paths), None)


def check_handler(
    variant: Variant, paths: Collection[str], sources: Sources, provided: Collection[str] = ()
) -> str | None:
    """Check that the handler's module is in the tree and defines the function.

    Return the module's path in the tree, or None if there is no handler, or its module is machine
    code or in a layer, and cannot be checked. `provided` are the paths of modules in layers.

    Raises:
        StageError: the tree lacks the module, or the module does not define the function. The
            message lists the modules or functions that do exist.

    """
    function = variant.function
    if function.is_layer:
        return None
    module, _, function_name = function.handler.rpartition(".")
    stem = module.replace(".", "/")
    module_path = module_of(function.handler, paths)
    where = f"{function.title}: handler '{function.handler}'"
    if module_path is None and function.handler in paths and not function.handler.endswith(".py"):
        return None  # a layer runs this file
    if module_path is None:
        allowed = dict(function.options).get("allow_missing_imports", ())
        dotted = stem.replace("/", ".")
        if any(dotted == name or dotted.startswith(f"{name}.") for name in allowed):
            return None
        if any(path.startswith(f"{stem}.") and path.endswith(".so") for path in paths):
            return None
        if module_of(function.handler, provided):
            return None
        msg = (
            f"{where}: the ZIP has no {stem}.py; top-level modules: "
            f"{_top_level_modules(paths)}. Correct 'handler' or 'source' in lambdas.yaml"
        )
        raise StageError(msg, "handler")
    found = sources.read(module_path)
    if {function_name, "*", "__getattr__"}.isdisjoint(found.names) and not found.is_dynamic:
        functions = [name for name in found.functions if name[0] != "_"] or [*found.functions]
        msg = (
            f"{where}: {module_path} does not define '{function_name}'; "
            f"it defines {', '.join(functions) or 'no function'}. "
            "Name one of these in 'handler', in lambdas.yaml, or define it"
        )
        raise StageError(msg, "handler")
    return module_path


def _top_level_modules(paths: Collection[str]) -> str:
    modules = sorted(path for path in paths if path.endswith(".py") and "/" not in path)
    return ", ".join(modules[:8]) or "none"
