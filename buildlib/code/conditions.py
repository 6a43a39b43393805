"""Decide conditions of `if` that ask for the version of Python or for the system."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tree_sitter import Node

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "in": lambda one, other: one in other,
    "not in": lambda one, other: one not in other,
}


# `sys.version_info` has five fields; a comparison with fewer is decided by those that are given.
_VERSION = re.compile(r"(?:sys\.)?version_info(?:\[:(\d)\]|\[(\d)\]|\.(major|minor))?")


_NAMES = {"TYPE_CHECKING": False, "PY2": False, "PY3": True}


_SYSTEM = {"sys.platform": "linux", "os.name": "posix", "platform.system()": "Linux"}


def text(node: "Node | None") -> str:
    """Return the source of a node; empty without one."""
    return (node.text or b"").decode(errors="replace") if node else ""


def truth(node: "Node | None", python: str) -> bool | None:
    """Return the value of a condition in Lambda, for a Python such as `3.13`; None if unknown."""
    value: bool | None = None
    match node.type if node else "":
        case "parenthesized_expression":
            inner = [child for child in _children(node) if child.type != "comment"]
            value = truth(inner[0], python) if len(inner) == 1 else None
        case "not_operator":
            value = truth(node and node.child_by_field_name("argument"), python)
            value = None if value is None else not value
        case "boolean_operator":
            value = _both(node, python)
        case "comparison_operator":
            value = _compared(node, python)
        case "true" | "false" | "integer":
            value = text(node) not in {"0", "False"}
        case "identifier" | "attribute":
            value = _NAMES.get(text(node).rpartition(".")[2])
        case "call":
            found = re.fullmatch(r"sys\.platform\.startswith\(['\"](\w+)['\"]\)", text(node))
            value = _SYSTEM["sys.platform"].startswith(found[1]) if found else None
    return value


def _children(node: "Node | None") -> "list[Node]":
    return node.named_children if node else []


def _both(node: "Node | None", python: str) -> bool | None:
    """Return the value of `and` and `or` in the logic of three values."""
    values = {truth(node and node.child_by_field_name(side), python) for side in ("left", "right")}
    decisive = text(node and node.child_by_field_name("operator")) == "or"
    if decisive in values:
        return decisive
    return None if None in values else not decisive


def _compared(node: "Node | None", python: str) -> bool | None:
    """Return the value of a comparison with the version or the system."""
    sides = [child for child in _children(node) if child.type != "comment"]
    operator = " ".join(
        child.type for child in (node.children if node else ()) if not child.is_named
    )
    if len(sides) != 2 or operator not in _COMPARISONS:  # noqa: PLR2004 - left and right
        return None
    left, right = text(sides[0]), _literal(sides[1])
    if left == "__name__" and right == "__main__":
        return operator == "!="
    value: object = _SYSTEM.get(left)
    if value is None and (found := _VERSION.fullmatch(left)):
        version = tuple(map(int, python.split(".")))
        value = _part(version, found.groups())
        if isinstance(value, tuple) and isinstance(right, tuple):
            if operator in {"==", "!="} or len(right) > len(version):
                return None if right[:2] == version or not right else operator == "!="
            if value == right and operator in {">", "<="}:
                return operator == ">"  # `version_info` is longer, and thus greater
    try:
        return None if value is None or right is None else _COMPARISONS[operator](value, right)
    except TypeError:
        return None


def _part(version: tuple[int, ...], groups: Sequence[str | None]) -> tuple[int, ...] | int | None:
    """Return the part of the version that an expression takes: the groups of `_VERSION`."""
    start, index, name = groups
    if start is not None:
        return version[: int(start)]
    if name is not None:
        return version[0] if name == "major" else version[1]
    if index is not None:
        return version[int(index)] if int(index) < len(version) else None
    return version


def _literal(node: "Node") -> object:
    """Return the value of a number, a text, or a tuple, list or set of them; None for others."""
    if node.type == "integer":
        digits = text(node)
        return int(digits) if digits.isdecimal() else None
    if node.type == "string":
        found = re.fullmatch(r"(['\"])(\w*)\1", text(node))
        return found[2] if found else None
    if node.type in {"tuple", "list", "set"}:
        values = tuple(_literal(child) for child in node.named_children)
        return None if None in values else values
    return None
