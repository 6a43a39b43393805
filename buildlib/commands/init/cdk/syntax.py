"""The use of tree-sitter nodes that the translations of both languages share."""

import re
from typing import TYPE_CHECKING

from buildlib.code.conditions import text
from buildlib.commands.init.cdk.library import DIGITS
from buildlib.commands.init.cdk.program import Expression, Literal, Opaque, Text

if TYPE_CHECKING:
    from tree_sitter import Node

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\n": ""}


def first_error(root: "Node") -> int:
    """Return the line of the first syntax error of a tree, or 0."""
    if not root.has_error:
        return 0
    node = root
    while True:
        inner = next((c for c in node.children if c.has_error or c.is_missing), None)
        if inner is None or node.is_error:
            return node.start_point.row + 1
        node = inner


# Levels of a tree that is translated, by functions that call themselves: Python's own limit differs
# from one version to the next.
_DEEPEST = 200


class DepthError(Exception):
    """A file is nested too deep."""


def check_depth(root: "Node") -> None:
    """Raise an error for a tree with too many levels.

    Raises:
        DepthError: there are too many.

    """
    cursor = root.walk()
    while True:
        if cursor.depth > _DEEPEST:
            raise DepthError
        if cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def unescaped(content: str) -> Expression:
    """Return the value of a string literal; unknown if it has escapes of characters by number."""
    if re.search(r"\\[^\\'\"`$ntr\n]", content):
        return Opaque(content)
    return Literal(re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), content, flags=re.DOTALL))


def number(content: str) -> Expression | None:
    """Return the value of a whole number that is not long; None of another one."""
    is_short = content.isascii() and content.isdecimal() and len(content) <= DIGITS
    return Literal(int(content)) if is_short else None


def concatenation(parts: list[Expression]) -> Expression:
    """Return the parts of a string as one expression."""
    if not parts:
        return Literal("")
    return parts[0] if len(parts) == 1 and isinstance(parts[0], Literal) else Text(tuple(parts))


def named(node: "Node | None") -> list["Node"]:
    """Return the named children of a node, without comments."""
    return [c for c in node.named_children if c.type != "comment"] if node else []


def line(node: "Node") -> int:
    """Return the line of a node's start."""
    return node.start_point.row + 1


__all__ = ["concatenation", "first_error", "line", "named", "text", "unescaped"]
