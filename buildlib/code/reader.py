"""Read a module's imports and names, in the syntax of any Python version.

tree-sitter reads each version's syntax and recovers from errors, so that the result is the same on
every host; `syntax` finds the errors.
"""

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from buildlib.code import places
from buildlib.code.conditions import text
from buildlib.code.places import ALWAYS, GUARDED, Task

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

# Calls and assignments that change where Python finds modules, as far as they can be seen.
_PATH_CALL = re.compile(
    r"(sys\.)?(path|meta_path|path_hooks)\.(insert|append|extend)|(site\.)?addsitedir"
    r"|sys\.modules\.(setdefault|update)"
)
_PATH_TARGET = re.compile(r"sys\.(path|meta_path|path_hooks|modules)\b.*", re.DOTALL)


# The largest module that is read, in bytes: reading takes 130 times as much memory.
LARGEST = 2_500_000


_IMPORT_CALL = re.compile(r"(importlib\.)?import_module|__import__")


# Words of the statements that are read, in functions and classes, and at the top of a module.
_WORDS = re.compile(rb"import|global|path|modules|addsitedir")
_WORDS_AT_TOP = re.compile(rb"import|path|modules|addsitedir|=")


# Code that may bind names of a module which no reader sees.
_BINDS = re.compile(
    rb"\b(globals|locals|vars|exec|setattr)\s*\(|\bsys\s*\.\s*modules\b|__dict__|__getattr__|__path__"
)


class Import(NamedTuple):
    """One `import`: `module` is dotted, with leading dots if it is relative.

    `names` are those of `from module import names`, `*` among them; empty for `import module`.
    `place` is one of ALWAYS, GUARDED (by a `try` or a condition), LATER (in a function) and NEVER
    (under TYPE_CHECKING, for another Python or system, or in a program's main part).
    """

    module: str
    names: tuple[str, ...]
    line: int
    place: str


class Module(NamedTuple):
    """A module as it is written: its imports, and the names that it binds at its top level.

    `siblings` are those of its names that only `from . import` binds, and `functions` those that
    are functions, with their positional parameters. `edits_path` tells whether it changes where
    Python looks for modules, and `paths` are the texts in those places. `is_dynamic` tells whether
    it may bind names that are not in `names`.
    """

    imports: tuple[Import, ...]
    names: frozenset[str]
    siblings: frozenset[str]
    functions: dict[str, tuple[str, ...]]
    edits_path: bool
    paths: tuple[str, ...]
    is_dynamic: bool


def read(source: bytes, python: str) -> Module:
    """Read a module for a Python such as `3.13`; parts with errors are left out."""
    reader = _Reader(source, python)
    root = tree(source)
    reader.visit(root)
    is_dynamic = root.has_error or not reader.names.isdisjoint({"*", "__getattr__"})
    return Module(
        tuple(reader.imports),
        frozenset(reader.names | reader.siblings),
        frozenset(reader.siblings - reader.names),
        reader.functions,
        reader.edits_path,
        tuple(reader.paths),
        is_dynamic or _BINDS.search(source) is not None,
    )


def tree(source: bytes) -> "Node":
    """Return the syntax tree of a module."""
    return _parser().parse(source).root_node


@functools.cache
def _parser() -> "Parser":
    # The package itself imports importlib.resources, which takes longer than to read a module.
    from tree_sitter import Language, Parser
    from tree_sitter_python import language

    return Parser(Language(language()))


class _Reader:
    """Walks a syntax tree."""

    def __init__(self, source: bytes, python: str) -> None:
        self.source = source
        self.python = python
        self.imports: list[Import] = []
        self.names: set[str] = set()
        self.siblings: set[str] = set()
        self.functions: dict[str, tuple[str, ...]] = {}
        self.edits_path = False
        self.paths: list[str] = []

    def visit(self, root: "Node") -> None:
        """Collect the imports below a node, and the names at the top level of the module."""
        tasks: list[Task] = [(root, ALWAYS, True)]
        while tasks:  # code can be nested deeper than Python calls functions
            node, place, top = tasks.pop()
            is_plain = not top or node.type == "expression_statement"
            if is_plain and not self._is_of_interest(node, top=top):
                continue
            match node.type:
                case "import_statement" | "import_from_statement":
                    self._import(node, place, top=top)
                    continue
                case "call":
                    self._call(node, place)
                case "assignment" | "augmented_assignment":
                    if _PATH_TARGET.fullmatch(text(node.child_by_field_name("left"))):
                        self._edit(node)
                case "global_statement":
                    self.names.update(map(text, node.named_children))
            if top:
                self._bind(node)
            tasks += reversed(list(places.inside(node, place, top, self.python)))

    def _is_of_interest(self, node: "Node", *, top: bool) -> bool:
        """Tell whether a node may have more to read, by its text: most nodes have not."""
        words = _WORDS_AT_TOP if top else _WORDS
        return words.search(self.source, node.start_byte, node.end_byte) is not None

    def _bind(self, node: "Node") -> None:
        if node.type in {"function_definition", "class_definition"}:
            name = text(node.child_by_field_name("name"))
            self.names.add(name)
            if node.type == "function_definition":
                self.functions[name] = tuple(_parameters(node))
        self.names.update(_bound(node))

    def _call(self, node: "Node", place: str) -> None:
        function = re.sub(r"\s", "", text(node.child_by_field_name("function")))
        if _PATH_CALL.fullmatch(function):
            self._edit(node)
        elif _IMPORT_CALL.fullmatch(function):
            arguments = node.child_by_field_name("arguments")
            first = next(iter(arguments.named_children), None) if arguments else None
            found = re.fullmatch(r"(['\"])([\w.]+)\1", text(first))
            if found and found[2][0] != ".":
                place = places.lesser(place, GUARDED)
                self.imports.append(Import(found[2], (), node.start_point.row + 1, place))

    def _edit(self, node: "Node") -> None:
        """Note a change of the search path, and the texts in it."""
        self.edits_path = True
        self.paths += (text(one) for one in _of_type(node, "string_content"))

    def _import(self, node: "Node", place: str, *, top: bool) -> None:
        line = node.start_point.row + 1
        bound: list[str] = []
        modules: list[str] = []
        for child in node.children_by_field_name("name"):
            name = re.sub(r"\s", "", text(child.child_by_field_name("name") or child))
            alias = text(child.child_by_field_name("alias"))
            modules.append(name)
            is_from = node.type != "import_statement"
            bound.append(alias or (name if is_from else name.partition(".")[0]))
        if any(child.type == "wildcard_import" for child in node.named_children):
            modules.append("*")
            bound.append("*")
        module = re.sub(r"\s", "", text(node.child_by_field_name("module_name")))
        if top:
            (self.siblings if module == "." else self.names).update(bound)
        if node.type == "import_statement":
            self.imports += (Import(name, (), line, place) for name in modules)
        elif node.type == "import_from_statement":
            self.imports.append(Import(module, tuple(modules), line, place))


def _bound(node: "Node") -> Iterator[str]:
    """Yield the names that a node itself binds where it stands."""
    if node.type in {"assignment", "augmented_assignment", "for_statement", "type_alias_statement"}:
        yield from _identifiers(node.child_by_field_name("left"))
    elif node.type == "named_expression":
        yield from _identifiers(node.child_by_field_name("name"))
    elif node.type in {"as_pattern_target", "case_pattern"}:
        yield from _identifiers(node)


def _identifiers(node: "Node | None") -> Iterator[str]:
    if node is None or node.type in {"attribute", "subscript"}:
        return
    if node.type == "identifier":
        yield text(node)
    for child in node.named_children:
        yield from _identifiers(child)


def _parameters(function: "Node") -> Iterator[str]:
    """Yield the positional parameters of a function."""
    parameters = function.child_by_field_name("parameters")
    for child in parameters.named_children if parameters else ():
        if child.type in {"list_splat_pattern", "keyword_separator", "dictionary_splat_pattern"}:
            return
        name = next(_identifiers(child), "")
        if name:
            yield name


def _of_type(node: "Node", kind: str) -> Iterator["Node"]:
    tasks = [node]
    while tasks:
        one = tasks.pop()
        if one.type == kind:
            yield one
        tasks += reversed(one.named_children)
