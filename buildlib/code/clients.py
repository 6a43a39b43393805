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
_CALLS = {
    **dict.fromkeys(_CREATE, "a client"),
    "get_available_regions": "the regions",
    "get_service_model": "the model",
}

# Modules without these words ask for no service, and those without the second one make no session.
_WORDS = re.compile(rb"\b(" + "|".join(_CALLS).encode() + rb")\b")
_BOTO = b"boto"

# Objects with these methods: the module boto3 and its sessions.
_SESSION = re.compile(r"(?i)(.*[._])?[a-z0-9]*(boto3?|boto3core|session|session\(.*\))")

_IMPORTED = re.compile(r"\bfrom\s+boto3\s+import\s+(?:\(([^)]*)\)|([^\n]*))")
_ALIAS = re.compile(r"\bimport\s+(?:aio)?boto3\s+as\s+(\w+)")

_LITERAL = re.compile(r"[rRuUfF]?(\"\"\"|'''|\"|')([^\"'\\{}]*)\1")


class Client(NamedTuple):
    """A call with the name of a service, its line, and its result; a computed name is empty.

    It is certain if the object is boto3 or a session by its name. Any object may be one.
    """

    service: str
    line: int
    result: str
    is_certain: bool


def clients(source: bytes) -> list[Client]:
    """Return the clients, resources, regions and models that a module asks for.

    Where the module has nothing of boto3, these are only the calls that have a literal.
    """
    if not _WORDS.search(source):
        return []
    found = _Module(source)
    has_boto = _BOTO in source
    every = (one for one in found.calls() if one.service or has_boto)
    return sorted(every, key=lambda one: (one.line, one.service))


# Nodes that bind names: the fields with the names, and with the value if it is one.
_BINDINGS: dict[str, tuple[str, str | None]] = {
    "assignment": ("left", "right"),
    "named_expression": ("name", "value"),
    "augmented_assignment": ("left", None),
    "for_statement": ("left", None),
    "for_in_clause": ("left", None),
    "function_definition": ("parameters", None),
    "lambda": ("parameters", None),
    "as_pattern": ("alias", None),
}


class _Module:
    """A module, its other names of boto3 and of its functions, and its constants."""

    def __init__(self, source: bytes) -> None:
        shown = source.decode("utf-8", "replace")
        self._root = reader.tree(source)
        self._aliases = set(_ALIAS.findall(shown))
        self._imported = set(_imported(shown))
        self._assigned: dict[str, list[Node | None]] = {}
        self._nodes = list(self._walk())

    def calls(self) -> Iterator[Client]:
        """Yield the calls, and the functions of boto3 that are handed on."""
        for node in self._nodes:
            if node.type == "call":
                yield from self._call(node)
            elif node.type == "attribute" and self._is_handed_on(node):
                yield Client("", node.start_point.row + 1, "a client", is_certain=True)

    def _walk(self) -> "Iterator[Node]":
        tasks = [self._root]
        while tasks:  # code can be nested deeper than Python calls functions
            node = tasks.pop()
            tasks += node.named_children
            if node.type in {"call", "attribute"}:
                yield node
            elif binding := _BINDINGS.get(node.type):
                names, field = binding
                value = node.child_by_field_name(field) if field else None
                for name in re.findall(r"\w+", text(node.child_by_field_name(names))):
                    self._assigned.setdefault(name, []).append(value)

    def _call(self, call: "Node") -> Iterator[Client]:
        function = call.child_by_field_name("function")
        if function is None:
            return
        if text(function) == "getattr":
            if any(_literal(one) in _CREATE for one in _arguments(call)):
                yield Client("", call.start_point.row + 1, "a client", is_certain=False)
            return
        if function.type == "identifier":
            name, is_certain = text(function), text(function) in self._imported
            result = "a client" if is_certain or name in _CREATE else ""
        elif function.type == "attribute":
            result = _CALLS.get(text(function.child_by_field_name("attribute")), "")
            is_certain = self._is_session(function)
        else:
            return
        argument = _named(call) if result else None
        if argument is not None:
            for service in self._values(argument) or [""]:
                yield Client(service, call.start_point.row + 1, result, is_certain)

    def _is_session(self, attribute: "Node") -> bool:
        receiver = re.sub(r"\s", "", text(attribute.child_by_field_name("object")))
        return receiver in self._aliases or bool(_SESSION.fullmatch(receiver))

    def _is_handed_on(self, attribute: "Node") -> bool:
        """Tell whether code takes `boto3.client` without calling it, to call it elsewhere."""
        parent = attribute.parent
        is_called = parent is not None and parent.child_by_field_name("function") == attribute
        name = text(attribute.child_by_field_name("attribute"))
        return not is_called and name in _CREATE and self._is_session(attribute)

    def _values(self, node: "Node | None", *, follows: bool = True) -> list[str]:
        """Return the texts that an expression can have; empty if not all are literals."""
        if node is None:
            return []
        if node.type == "parenthesized_expression" and node.named_children:
            return self._values(node.named_children[0], follows=follows)
        if node.type == "conditional_expression":
            first, _, last = node.named_children
            ends = [self._values(one, follows=follows) for one in (first, last)]
            return [*ends[0], *ends[1]] if all(ends) else []
        if node.type == "concatenated_string":
            parts = [_literal(one) for one in node.named_children]
            return ["".join(parts)] if all(parts) else []
        if node.type == "identifier" and follows:
            values = self._assigned.get(text(node), [])
            return self._values(values[0], follows=False) if len(values) == 1 else []
        found = _literal(node)
        return [found] if found else []


def _imported(shown: str) -> Iterator[str]:
    """Yield the names under which a module has functions of boto3."""
    for found in _IMPORTED.findall(shown):
        for item in "".join(found).split(","):
            name, _, alias = item.partition(" as ")
            if name.strip() in _CREATE:
                yield (alias or name).strip()


def _arguments(call: "Node") -> "list[Node]":
    arguments = call.child_by_field_name("arguments")
    if arguments is None or arguments.type != "argument_list":
        return []
    return [child for child in arguments.named_children if child.type != "comment"]


def _named(call: "Node") -> "Node | None":
    """Return the argument that names the service of a call; None without one."""
    named = _arguments(call)
    for child in named:
        if text(child.child_by_field_name("name")) == "service_name":
            return child.child_by_field_name("value")
    return named[0] if named and named[0].type != "keyword_argument" else None


def _literal(node: "Node") -> str:
    """Return the text of a string without escapes and interpolations; empty for others."""
    found = _LITERAL.fullmatch(text(node))
    return found[2] if found else ""
