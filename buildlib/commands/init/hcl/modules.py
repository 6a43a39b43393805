"""Modules of Terraform: a folder of files with arguments, and the elements of its blocks."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from buildlib.commands.init.hcl import constraints, elements, files, library, paths, values
from buildlib.commands.init.hcl.elements import ANY, Element
from buildlib.commands.init.hcl.evaluate import Function, Scope, evaluate
from buildlib.commands.init.hcl.files import Block, Expression
from buildlib.commands.init.hcl.values import Budget, Failure, Index, Unknown

Value = Any


# Modules within modules.
_DEEPEST = 8


@dataclass
class World:
    """The files of a repository by folder, and what the evaluation of one root module may cost.

    `start` is the folder of the root module, which is the working directory.
    """

    root: Path
    folders: Mapping[str, list[Block]]
    start: str
    budget: Budget = field(default_factory=Budget)

    @cached_property
    def functions(self) -> Mapping[str, Function]:
        """The functions of the language, in the working directory."""
        return library.of(paths.Folder(self.root, self.start))


class Call(NamedTuple):
    """A call of a local module: its arguments, and where it stands.

    `element` is that of the block, whose own `address` is such as `module.orders["a"]`.
    """

    parent: "Module"
    block: Block
    element: Element
    arguments: Mapping[str, Value]
    address: str


class Module:
    """A folder with arguments: a root module, or one call of a local module.

    `folder` and `start`, the working directory, are relative to the repository's root. `doubt` says
    why it is not known which elements of the call there are. `memory` is for those who search it.
    """

    def __init__(self, world: World, folder: str, call: Call | None = None) -> None:
        self.world = world
        self.folder = folder
        self.call = call
        self.parent = call.parent if call else None
        self.start = world.start
        self.address = call.address if call else ""
        self.doubt: str = (call.element.doubt or call.parent.doubt) if call else ""
        self.arguments = call.arguments if call else {}
        self.memory: dict[str, Any] = {}
        self.blocks = [block for top in world.folders.get(folder, []) for block in top.blocks]
        self._known: dict[values.Path, Value] = {}
        self._locals = {
            name: expression
            for block in self.of("locals")
            for name, expression in block.attributes.items()
        }
        self._calls: dict[str, list[Module]] = {}
        self._elements: dict[int, list[Element]] = {}

    def of(self, *labels: str) -> Iterator[Block]:
        """Yield the blocks with this kind and first labels."""
        for block in self.blocks:
            if (block.kind, *block.labels)[: len(labels)] == labels:
                yield block

    def evaluate(self, expression: Expression, names: Mapping[str, Value] | None = None) -> Value:
        """Return the value of an expression; one that Terraform would refuse is unknown."""
        scope = Scope(self.resolve, self.world.functions, self.world.budget, names or {})
        try:
            return evaluate(expression.tree, scope)
        except Failure as error:
            return Unknown(str(error))

    def resolve(self, path: values.Path) -> Value:
        """Return the value of a reference; an unknown one may be continued."""
        if path in self._known:
            return self._known[path]
        self._known[path] = Unknown(f"{values.dotted(path)} refers to itself")
        self._known[path] = value = self._resolved(path)
        return value

    def _resolved(self, path: values.Path) -> Value:
        match path:
            case ("local", str(name)) if name in self._locals:
                return self.evaluate(self._locals[name])
            case ("var", str(name)):
                return self._variable(name)
            case ("path", "module"):
                return paths.absolute(self.folder)
            case ("path", "root" | "cwd"):
                return paths.absolute(self.start)
            case ("module", str(name), *rest) if rest:
                return self._output(name, path)
        return Unknown(values.dotted(path), path, self)

    def _variable(self, name: str) -> Value:
        block = next(self.of("variable", name), None)
        if block is None:
            return Unknown(f"var.{name} is not declared", ("var", name))
        if name in self.arguments:
            value = self.arguments[name]
        elif "default" in block.attributes:
            value = self.evaluate(block.attributes["default"])
        else:
            return Unknown(f"var.{name} has no default", ("var", name))
        if "type" not in block.attributes:
            return value
        scope = Scope(self.resolve, self.world.functions, self.world.budget, {})
        try:
            return constraints.conform(value, block.attributes["type"].tree, scope)
        except Failure as error:
            return Unknown(str(error))

    def _output(self, name: str, path: values.Path) -> Value:
        """Return an output of a local module, or the reference itself."""
        call = next(self.of("module", name), None)
        rest = path[3:] if isinstance(path[2], Index) else path[2:]
        if call is not None and len(rest) == 1:
            for child in self.called(call):
                if child.address == f"{self.prefix}{values.dotted(path[:-1])}":
                    block = next(child.of("output", str(rest[0])), None)
                    value = block and block.attributes.get("value")
                    if value:
                        return child.evaluate(value)
        return Unknown(values.dotted(path), path, self)

    @property
    def prefix(self) -> str:
        """The beginning of the addresses in this module."""
        return f"{self.address}." if self.address else ""

    def elements(self, block: Block) -> list[Element]:
        """Return the elements of a block: one, those of `for_each`, or as many as `count` says."""
        if id(block) not in self._elements:
            self._elements[id(block)] = []  # for a block that names itself
            self._elements[id(block)] = list(self._elements_of(block))
        return self._elements[id(block)]

    def _elements_of(self, block: Block) -> Iterable[Element]:
        for_each, count = (block.attributes.get(name) for name in ("for_each", "count"))
        if for_each is not None:
            value = self.evaluate(for_each)
            if isinstance(value, Unknown) and isinstance(value.owner, Module):
                value = value.owner._chained(value.path) or value  # noqa: SLF001 - its own
            return elements.each(value, for_each, is_set=self._is_set(for_each))
        if count is None:
            return [Element(None, {})]
        return elements.counted(self.evaluate(count), count)

    def _chained(self, path: values.Path) -> dict[str, Value]:
        """Return the elements of a block that is the `for_each` of another; empty if unknown."""
        labels = path if path[:1] in {("data",), ("module",)} else ("resource", *path)
        if any(isinstance(label, Index) for label in labels):
            return {}
        block = next(self.of(*map(str, labels)), None)
        if block is None or "for_each" not in block.attributes:
            return {}
        paths_of = {str(one.key): (*path, Index(str(one.key))) for one in self.elements(block)}
        if ANY in paths_of:
            return {}
        return {key: Unknown(values.dotted(one), one, self) for key, one in paths_of.items()}

    def _is_set(self, expression: Expression) -> bool:
        """Tell whether an expression seems to be a set, whose values are its keys."""
        variable = re.fullmatch(r"var\.(\w+)", expression.text)
        block = next(self.of("variable", variable[1]), None) if variable else None
        declared = block.attributes.get("type") if block else None
        return (declared or expression).text.startswith(("toset(", "set("))

    def called(self, block: Block) -> list["Module"]:
        """Return the modules that a call of a local module makes; none for another module."""
        name = block.labels[0] if block.labels else ""
        if name in self._calls:
            return self._calls[name]
        self._calls[name] = []
        folder = self.target(block)
        if folder is None or folder in self._lineage() or len(self._lineage()) > _DEEPEST:
            return []
        for element in self.elements(block):
            if not self.world.budget.spend(50 + len(self.world.folders[folder])):
                break
            arguments = {
                key: self.evaluate(expression, element.names)
                for key, expression in block.attributes.items()
                if key not in {"source", "for_each", "count", "providers", "depends_on", "version"}
            }
            key = () if element.key is None else (Index(element.key),)
            address = f"{self.prefix}{values.dotted(('module', name, *key))}"
            call = Call(self, block, element, arguments, address)
            self._calls[name].append(Module(self.world, folder, call))
        return self._calls[name]

    def target(self, block: Block) -> str | None:
        """Return the folder of a local module that a block calls; None if it is not one."""
        source = files.literal(block.attributes.get("source"))
        if source is None or not source.startswith((".", "/")):
            return None
        found = posixpath.normpath(posixpath.join(self.folder, source.replace("//", "/")))
        return found if found in self.world.folders else None

    def _lineage(self) -> list[str]:
        """Return the folders of this module and of those that it is called in."""
        return [self.folder, *(self.parent._lineage() if self.parent else [])]  # noqa: SLF001
