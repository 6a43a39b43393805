"""The AWS services that a module needs the descriptions of, by names that it has as literals."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from buildlib.code import reader
from buildlib.code.conditions import text

if TYPE_CHECKING:
    from tree_sitter import Node

_CREATE = frozenset({"client", "resource", "create_client"})

# `get_available_regions` gives an empty list, and no error, for a service without a description.
_CALLS = {**dict.fromkeys(_CREATE, "a client"), "get_available_regions": "the regions"}

# Modules without these words create no clients.
_WORDS = re.compile(rb"boto")

# Objects with these methods: the module boto3 and its sessions.
_SESSION = re.compile(r"(?i)(.*[._])?[a-z0-9]*(boto3?|boto3core|session|session\(.*\))")

_IMPORTED = re.compile(r"\bfrom\s+boto3\s+import\s+(?:\(([^)]*)\)|([^\n]*))")
_ALIAS = re.compile(r"\bimport\s+(?:aio)?boto3\s+as\s+(\w+)")

_LITERAL = re.compile(r"[rRuU]?(\"\"\"|'''|\"|')([^\"'\\]*)\1")


class Client(NamedTuple):
    """A call with the name of a service, its line, and its result; a computed name is empty."""

    service: str
    line: int
    result: str


def clients(source: bytes) -> list[Client]:
    """Return the clients, resources and regions that a module asks for by a literal name."""
    return [one for one in _found(source) if one.service]


def computed(source: bytes) -> list[int]:
    """Return the lines of the calls whose service has no literal name."""
    return [one.line for one in _found(source) if not one.service]


def _found(source: bytes) -> list[Client]:
    if not _WORDS.search(source):
        return []
    shown = source.decode("utf-8", "replace")
    aliases = set(_ALIAS.findall(shown))
    imported = set(_imported(shown))
    return sorted(_calls(reader.tree(source), aliases, imported), key=lambda one: one.line)


def _imported(shown: str) -> Iterator[str]:
    """Yield the names under which a module has functions of boto3."""
    for found in _IMPORTED.findall(shown):
        for item in "".join(found).split(","):
            name, _, alias = item.partition(" as ")
            if name.strip() in _CREATE:
                yield (alias or name).strip()


def _calls(root: "Node", aliases: set[str], imported: set[str]) -> Iterator[Client]:
    tasks = [root]
    while tasks:  # code can be nested deeper than Python calls functions
        node = tasks.pop()
        tasks += node.named_children
        if node.type != "call" or not (result := _result(node, aliases, imported)):
            continue
        if (named := _named(node)) is not None:
            literal = _LITERAL.fullmatch(text(named))
            yield Client(literal[2] if literal else "", node.start_point.row + 1, result)


def _result(call: "Node", aliases: set[str], imported: set[str]) -> str:
    """Return the result of a call of boto3, of a session, or of a function of boto3; else empty."""
    function = call.child_by_field_name("function")
    if function is None:
        return ""
    if function.type == "identifier":
        return "a client" if text(function) in imported else ""
    if function.type != "attribute":
        return ""
    result = _CALLS.get(text(function.child_by_field_name("attribute")), "")
    receiver = re.sub(r"\s", "", text(function.child_by_field_name("object")))
    return result if receiver in aliases or _SESSION.fullmatch(receiver) else ""


def _named(call: "Node") -> "Node | None":
    """Return the argument that names the service of a call; None without one."""
    arguments = call.child_by_field_name("arguments")
    if arguments is None or arguments.type != "argument_list":
        return None
    named = [child for child in arguments.named_children if child.type != "comment"]
    for child in named:
        if text(child.child_by_field_name("name")) == "service_name":
            return child.child_by_field_name("value")
    return named[0] if named and named[0].type != "keyword_argument" else None
