"""Decide which of several `__init__.py` of one namespace package is installed.

Before Python had namespace packages (PEP 420), each distribution of a namespace shipped an
`__init__.py` that only declares it, by pkgutil or pkg_resources. In one tree all parts are in one
folder, so any of these files does.
"""

import ast
import re
from collections.abc import Iterator, Sequence

_PKGUTIL = re.compile(
    r"__path__ = (__import__\('pkgutil'\)\.|pkgutil\.)?extend_path\(__path__, __name__\)"
)


_PKG_RESOURCES = re.compile(
    r"(__import__\('pkg_resources'\)\.|pkg_resources\.)?declare_namespace\(__name__\)"
)


def choose(contents: Sequence[bytes]) -> int | None:
    """Return the index of the content to install; None if it matters which one it is.

    It does not matter if all contents declare a namespace and do nothing else, or if they differ in
    comments and docstrings only. The first content that works without pkg_resources, which the
    runtime lacks, is taken, or else the first.
    """
    try:
        modules = [ast.parse(content) for content in contents]
    except (SyntaxError, ValueError):
        return None
    statements = [list(_without_docstrings(module.body)) for module in modules]
    if all(map(_declares, statements)):
        needs = [_needs_pkg_resources(body) for body in statements]
        return needs.index(False) if False in needs else 0
    code = {tuple(map(ast.dump, body)) for body in statements}
    return 0 if len(code) == 1 else None


def _without_docstrings(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            yield statement


def _declares(body: Sequence[ast.stmt]) -> bool:
    """Tell whether statements do nothing but declare a namespace."""
    return all(map(_is_declaration, body))


def _is_declaration(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass():
            return True
        case ast.Import(names=names):
            return all(name.name in {"pkgutil", "pkg_resources"} for name in names)
        case ast.ImportFrom(module=module):
            return module in {"pkgutil", "pkg_resources", "__future__"}
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
            inner = [body, *(handler.body for handler in handlers), orelse, final]
            return all(map(_declares, inner))
    text = ast.unparse(statement)
    return any(pattern.fullmatch(text) for pattern in (_PKGUTIL, _PKG_RESOURCES))


def _needs_pkg_resources(body: Sequence[ast.stmt]) -> bool:
    """Tell whether statements of a declaration fail without pkg_resources."""
    # With `try`, the other branch is for the case that it is missing.
    return any("pkg_resources" in ast.unparse(s) for s in body if not isinstance(s, ast.Try))
