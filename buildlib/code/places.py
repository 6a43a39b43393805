"""The places of code in a module: whether it surely runs when Lambda imports the module."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from buildlib.code import conditions
from buildlib.code.conditions import text

if TYPE_CHECKING:
    from tree_sitter import Node

# From code that always runs to code that never does in Lambda.
ALWAYS, GUARDED, LATER, NEVER = "always", "guarded", "later", "never"


# A node to visit: the place where it stands, and whether the names it binds are the module's.
Task = tuple["Node", str, bool]


# Handlers of these exceptions catch a failed import.
_CATCHES = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


_SIMPLE = {"expression_statement", "raise_statement"}


def inside(node: "Node", place: str, top: bool, python: str) -> Iterator[Task]:  # noqa: FBT001
    """Yield the children of a node with their places."""
    kind = node.type
    if kind == "try_statement":
        yield from _try(node, place, top)
        return
    if kind == "if_statement":
        yield from _if(node, place, top, python)
        return
    if kind in {"function_definition", "lambda"}:
        place, top = lesser(place, LATER), False
    elif kind == "class_definition":
        top = False
    elif kind in {"for_statement", "while_statement", "match_statement"} or (
        kind == "with_statement" and "suppress" in text(node).partition(":")[0]
    ):
        place = lesser(place, GUARDED)
    for child in node.named_children:
        yield child, place, top


def _try(node: "Node", place: str, top: bool) -> Iterator[Task]:  # noqa: FBT001
    handlers = [child for child in node.named_children if child.type.startswith("except")]
    catches = any(_catches_imports(one) and not _only_raises(one) for one in handlers)
    for child in node.named_children:
        # A handler runs only after something failed.
        is_guarded = child in handlers or (catches and child.type != "finally_clause")
        yield child, lesser(place, GUARDED) if is_guarded else place, top


def _if(node: "Node", place: str, top: bool, python: str) -> Iterator[Task]:  # noqa: FBT001
    """Yield the branches, each with its place; those after one that always runs never run."""
    for clause in (node, *node.children_by_field_name("alternative")):
        condition = clause.child_by_field_name("condition")
        if condition is not None:
            yield condition, place, top
        value = True if clause.type == "else_clause" else conditions.truth(condition, python)
        branch = clause.child_by_field_name("consequence") or clause.child_by_field_name("body")
        if branch is not None:
            own = {True: ALWAYS, False: NEVER, None: GUARDED}[value]
            yield branch, lesser(place, own), top
        if value is not False:
            place = lesser(place, NEVER if value else GUARDED)


def _catches_imports(handler: "Node") -> bool:
    """Tell whether an `except` clause catches a failed import."""
    caught = [child for child in handler.named_children if child.type not in {"block", "comment"}]
    if not caught:
        return True
    return not _CATCHES.isdisjoint(re.findall(r"\w+", " ".join(map(text, caught))))


def _only_raises(handler: "Node") -> bool:
    """Tell whether an `except` clause does nothing about a failed import but to fail, too."""
    block = next((child for child in handler.named_children if child.type == "block"), None)
    statements = [s for s in block.named_children if s.type != "comment"] if block else []
    if not statements or any(s.type not in _SIMPLE for s in statements):
        return False
    return statements[-1].type == "raise_statement"


def lesser(one: str, other: str) -> str:
    """Return the one of two places from which an import is less certain to run."""
    order = (ALWAYS, GUARDED, LATER, NEVER)
    return max(one, other, key=order.index)
