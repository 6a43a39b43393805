"""Read a module's imports and names, in the syntax of any Python version.

tree-sitter reads each version's syntax and recovers from errors, so that the result is the same on
every host; `syntax` finds the errors.
"""

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

# Where an import stands, from the one that always runs to the one that never does in Lambda.
ALWAYS, GUARDED, LATER, NEVER = "always", "guarded", "later", "never"


# Handlers of these exceptions catch a failed import.
_CATCHES = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


_EDITS_PATH = re.compile(rb"\bsys\.path\b|\bsys\.meta_path\b|\baddsitedir\b")


class Import(NamedTuple):
    """One `import`: `module` is dotted, with leading dots if it is relative.

    `names` are those of `from module import names`, `*` among them; empty for `import module`.
    `place` is one of ALWAYS, GUARDED (by a `try` or a condition), LATER (in a function) and NEVER
    (under TYPE_CHECKING, or in a program's main part).
    """

    module: str
    names: tuple[str, ...]
    line: int
    place: str


class Module(NamedTuple):
    """A module as it is written: its imports, and the names that it binds at its top level.

    `functions` are those of its names that are functions. `edits_path` tells whether it changes
    where Python looks for modules.
    """

    imports: tuple[Import, ...]
    names: frozenset[str]
    functions: tuple[str, ...]
    edits_path: bool


def read(source: bytes) -> Module:
    """Read a module; parts with errors are left out."""
    reader = _Reader()
    reader.visit(_parser().parse(source).root_node)
    return Module(
        tuple(reader.imports),
        frozenset(reader.names),
        tuple(reader.functions),
        _EDITS_PATH.search(source) is not None,
    )


@functools.cache
def _parser() -> "Parser":
    # The package itself imports importlib.resources, which takes longer than to read a module.
    from tree_sitter import Language, Parser
    from tree_sitter_python import language

    return Parser(Language(language()))


def _text(node: "Node | None") -> str:
    return (node.text or b"").decode(errors="replace") if node else ""


# A node to visit: the place where it stands, and whether the names it binds are the module's.
_Task = tuple["Node", str, bool]


class _Reader:
    """Walks a syntax tree."""

    def __init__(self) -> None:
        self.imports: list[Import] = []
        self.names: set[str] = set()
        self.functions: list[str] = []

    def visit(self, root: "Node") -> None:
        """Collect the imports below a node, and the names at the top level of the module."""
        tasks: list[_Task] = [(root, ALWAYS, True)]
        while tasks:  # code can be nested deeper than Python calls functions
            node, place, top = tasks.pop()
            if node.type in {"import_statement", "import_from_statement"}:
                self._import(node, place, top=top)
                continue
            if top:
                self._bind(node)
            tasks += reversed(list(_inside(node, place, top)))

    def _bind(self, node: "Node") -> None:
        if node.type in {"function_definition", "class_definition"}:
            name = _text(node.child_by_field_name("name"))
            self.names.add(name)
            if node.type == "function_definition":
                self.functions.append(name)
        self.names.update(_bound(node))

    def _import(self, node: "Node", place: str, *, top: bool) -> None:
        line = node.start_point.row + 1
        bound: list[str] = []
        modules: list[str] = []
        for child in node.children_by_field_name("name"):
            name = _text(child.child_by_field_name("name") or child)
            alias = _text(child.child_by_field_name("alias"))
            modules.append(name)
            is_from = node.type != "import_statement"
            bound.append(alias or (name if is_from else name.partition(".")[0]))
        if any(child.type == "wildcard_import" for child in node.named_children):
            modules.append("*")
            bound.append("*")
        if top:
            self.names.update(bound)
        if node.type == "import_statement":
            self.imports += (Import(name, (), line, place) for name in modules)
        elif node.type == "import_from_statement":
            module = re.sub(r"\s", "", _text(node.child_by_field_name("module_name")))
            self.imports.append(Import(module, tuple(modules), line, place))


def _inside(node: "Node", place: str, top: bool) -> Iterator[_Task]:  # noqa: FBT001
    """Yield the children of a node with their places."""
    kind = node.type
    if kind == "try_statement":
        yield from _try(node, place, top)
        return
    if kind == "if_statement":
        yield from _if(node, place, top)
        return
    if kind in {"function_definition", "lambda"}:
        place, top = _lesser(place, LATER), False
    elif kind == "class_definition":
        top = False
    elif kind in {"for_statement", "while_statement", "match_statement"} or (
        kind == "with_statement" and "suppress" in _text(node).partition(":")[0]
    ):
        place = _lesser(place, GUARDED)
    for child in node.named_children:
        yield child, place, top


def _try(node: "Node", place: str, top: bool) -> Iterator[_Task]:  # noqa: FBT001
    handlers = [child for child in node.named_children if child.type.startswith("except")]
    catches = any(map(_catches_imports, handlers))
    for child in node.named_children:
        # A handler runs only after something failed.
        is_guarded = child in handlers or (catches and child.type != "finally_clause")
        yield child, _lesser(place, GUARDED) if is_guarded else place, top


def _if(node: "Node", place: str, top: bool) -> Iterator[_Task]:  # noqa: FBT001
    consequence, otherwise = _branches(_text(node.child_by_field_name("condition")))
    for child in node.named_children:
        is_consequence = child == node.child_by_field_name("consequence")
        yield child, _lesser(place, consequence if is_consequence else otherwise), top


def _branches(condition: str) -> tuple[str, str]:
    """Return the places of an `if` and of its `else`, by the condition."""
    if re.fullmatch(r"\(?\s*(\w+\.)?TYPE_CHECKING\s*\)?|False|0", condition):
        return NEVER, ALWAYS
    if re.fullmatch(r"not\s+\(?(\w+\.)?TYPE_CHECKING\)?|True|1", condition):
        return ALWAYS, NEVER
    if "__name__" in condition and "__main__" in condition:
        return NEVER, GUARDED
    return GUARDED, GUARDED


def _catches_imports(handler: "Node") -> bool:
    """Tell whether an `except` clause catches a failed import."""
    caught = [child for child in handler.named_children if child.type not in {"block", "comment"}]
    if not caught:
        return True
    return not _CATCHES.isdisjoint(re.findall(r"\w+", " ".join(map(_text, caught))))


def _lesser(one: str, other: str) -> str:
    order = (ALWAYS, GUARDED, LATER, NEVER)
    return max(one, other, key=order.index)


def _bound(node: "Node") -> Iterator[str]:
    """Yield the names that a node itself binds where it stands."""
    if node.type in {"assignment", "augmented_assignment", "for_statement"}:
        yield from _identifiers(node.child_by_field_name("left"))
    elif node.type == "named_expression":
        yield from _identifiers(node.child_by_field_name("name"))
    elif node.type in {"as_pattern_target", "case_pattern"}:
        yield from _identifiers(node)
    elif node.type == "type_alias_statement":
        yield from _identifiers(node.child_by_field_name("left"))


def _identifiers(node: "Node | None") -> Iterator[str]:
    if node is None or node.type in {"attribute", "subscript"}:
        return
    if node.type == "identifier":
        yield _text(node)
    for child in node.named_children:
        yield from _identifiers(child)
