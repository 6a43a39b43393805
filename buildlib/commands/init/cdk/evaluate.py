"""Follow the programs of a CDK app: their statements, and calls of their own functions.

Both branches of a condition are followed; a variable that differs after them is unknown. A function
that nothing calls with known values is followed once with unknown ones, so that each call of a
library is seen.
"""

from collections.abc import Callable, Iterator, Sequence

from buildlib.commands.init.cdk import library, program
from buildlib.commands.init.cdk.calls import CONSTRUCTORS, Calls
from buildlib.commands.init.cdk.expressions import NESTING
from buildlib.commands.init.cdk.program import Statement, shown
from buildlib.commands.init.cdk.values import (
    Closure,
    Here,
    Instance,
    Klass,
    Method,
    Module,
    Name,
    Record,
    Scope,
    Unknown,
    Value,
    is_same,
)

# Names of libraries, for imports of all their names.
_USUAL = (
    *("Function", "Code", "Runtime", "Architecture", "LayerVersion", "AssetCode"),
    *("PythonFunction", "PythonLayerVersion", "DockerImageFunction", "Stack", "Stage"),
)


# Statements of one repository that are followed.
_STEPS = 100_000


class ExhaustedError(Exception):
    """The program has more steps than are followed."""


# Returns the program of a file; None if it cannot be read.
Load = Callable[[str], program.Program | None]


# Returns the file of an imported module; None if it is a library.
Find = Callable[[str, str], str | None]


class Evaluator(Calls):
    """Follows programs."""

    def __init__(self, load: Load, find: Find) -> None:
        super().__init__()
        self._load = load
        self._find = find
        self._modules: dict[str, Scope] = {}
        self._classes: list[Klass] = []
        self._steps = 0

    def run(self, files: Sequence[str]) -> None:
        """Follow files, and then the functions that none of them calls.

        Raises:
            ExhaustedError: the files have too many statements.

        """
        for file in files:
            self.module(file)
        while pending := next(self._uncalled(), None):
            self.apply(pending, None, Record())

    def _uncalled(self) -> Iterator[Closure]:
        """Yield uncalled code: constructors, first those of stacks; methods; functions."""
        bases = {base for klass in self._classes for base in klass.bases}
        order = sorted(self._classes, key=lambda one: (one in bases, not _is_stack(one)))
        for klass in order:
            if klass not in self.instances:
                me = self.instances[klass] = Instance(klass)
                constructor = self.constructor(klass, me)
                if constructor and constructor.function not in self.called:
                    yield constructor
        for klass in order:
            for name, method in klass.methods.items():
                if method not in self.called and name not in CONSTRUCTORS:
                    yield Closure(method, klass.scope, self.instances[klass], klass)
        yield from (one for one in self.closures if one.function not in self.called)

    def module(self, file: str) -> Scope:
        """Return the variables of a file."""
        if file not in self._modules:
            names = {"__file__": Here(file), "__filename": Here(file)}
            scope = Scope(file, names | {"__dirname": Here(file.rpartition("/")[0] or ".")})
            self._modules[file] = scope
            read = self._load(file)
            self.run_block(read.body if read else (), scope)
        return self._modules[file]

    def run_block(self, statements: Sequence[Statement], scope: Scope) -> None:
        """Follow statements."""
        if self.nesting >= NESTING:
            self.is_cut = True
            return
        self.nesting += 1
        for statement in statements:
            self._statement(statement, scope)
        self.nesting -= 1

    def _statement(self, statement: Statement, scope: Scope) -> None:
        self._steps += 1
        if self._steps > _STEPS:
            raise ExhaustedError
        match statement:
            case program.Assign():
                self._assign(statement, self.value(statement.value, scope), scope)
            case program.Evaluate(value=value):
                self.value(value, scope)
            case program.Return(value=value):
                self.returned(self.value(value, scope))
            case program.Branch():
                self._branch(statement, scope)
            case program.Loop():
                self._loop(statement, scope)
            case program.Import():
                self._import(statement, scope)
            case program.Class():
                self._class(statement, scope)
            case program.Function(name=name):
                scope.names[name] = self.closure(statement, scope)

    def _assign(self, assign: program.Assign, value: Value, scope: Scope) -> None:
        match assign.target:
            case program.Attribute(of=of, name=name):
                owner = self.value(of, scope)
                if isinstance(owner, Instance | Klass):
                    owner.attributes[name] = value
                elif isinstance(owner, Record):
                    self.replace(of, owner.merged(Record({name: value})), scope)
            case program.Item(of=of, key=key):
                owner, known = self.value(of, scope), self.value(key, scope)
                if isinstance(owner, Record):
                    is_known = isinstance(known, str)
                    change = Record({known: value}) if is_known else Unknown(shown(key))
                    self.replace(of, owner.merged(change), scope)
            case str(name) if not assign.is_new and (found := scope.find(name)):
                found.names[name] = value
            case pattern:
                self.bind(pattern, value, scope)

    def replace(self, place: program.Expression, value: Value, scope: Scope) -> None:
        """Put a changed list or record in its place; values themselves never change."""
        match place:
            case program.Ref(name=name) if found := scope.find(name):
                found.names[name] = value
            case program.Attribute(of=of, name=name):
                owner = self.value(of, scope)
                if isinstance(owner, Instance | Klass):
                    owner.attributes[name] = value

    def bind(self, pattern: program.Pattern, value: Value, scope: Scope) -> None:
        """Give the names of a pattern their values."""
        match pattern:
            case str():
                scope.names[pattern] = value
            case program.Fields(fields=fields):
                for key, inner, default in fields:
                    found = self.attribute(value, key)
                    if isinstance(found, Method):
                        found = None
                    if found is None and default is not None:
                        found = self.value(default, scope)
                    self.bind(inner, found, scope)
            case _:
                is_known = isinstance(value, list) and len(value) == len(pattern)
                for number, inner in enumerate(pattern):
                    self.bind(inner, value[number] if is_known else Unknown(str(inner)), scope)

    def _branch(self, branch: program.Branch, scope: Scope) -> None:
        """Follow each block from the same variables; those that differ afterwards are unknown."""
        me = scope.find("self") or scope.find("this")
        owner = (me.names.get("self") or me.names.get("this")) if me else None
        places = [scope.names, *([owner.attributes] if isinstance(owner, Instance) else [])]
        before = [dict(place) for place in places]
        ends = [] if branch.is_total else [before]
        for block in branch.blocks:
            for place, values in zip(places, before, strict=True):
                place.clear()
                place.update(values)
            self.run_block(block, scope)
            ends.append([dict(place) for place in places])
        for number, place in enumerate(places):
            place.clear()
            for end in ends:
                for name, value in end[number].items():
                    is_equal = is_same(place.setdefault(name, value), value)
                    place[name] = value if is_equal else Unknown(name)

    def _loop(self, loop: program.Loop, scope: Scope) -> None:
        elements = self.elements(self.value(loop.iterable, scope))
        if elements is None:
            block = (program.Assign(loop.target, program.Opaque(shown(loop.iterable))), *loop.body)
            self._branch(program.Branch((block,)), scope)
            return
        for element in elements:
            self.bind(loop.target, element, scope)
            self.run_block(loop.body, scope)

    def _import(self, one: program.Import, scope: Scope) -> None:
        file = self._find(scope.file, one.module)
        if one.name == "*":
            library_name = library.canonical(one.module)
            is_cdk = library_name.startswith("aws_cdk")
            known = {name: Name(f"{library_name}.{name}") for name in _USUAL if is_cdk}
            scope.names |= self.module(file).names if file else known
            return
        value: Value = Name(library.canonical(one.module, one.name))
        if file is not None:
            module = self.module(file)
            value = module.names.get(one.name, Unknown(one.alias)) if one.name else Module(module)
        if one.name and (file is None or one.name not in self.module(file).names):
            below = one.module + ("" if one.module.endswith(".") else ".") + one.name
            if inner := self._find(scope.file, below):
                value = Module(self.module(inner))
        if isinstance(value, Name) and value.dotted.startswith("."):
            value = Unknown(one.alias)
        scope.names[one.alias] = value

    def _class(self, definition: program.Class, scope: Scope) -> None:
        klass = Klass(definition, scope, [self.value(base, scope) for base in definition.bases])
        inner = Scope(scope.file, {}, scope, definition.name)
        for statement in definition.body:
            if isinstance(statement, program.Function):
                klass.methods[statement.name] = statement
            else:
                self._statement(statement, inner)
        klass.attributes = inner.names
        scope.names[definition.name] = klass
        self._classes.append(klass)


def _is_stack(klass: Klass) -> bool:
    """Tell whether a class is a stack or a stage, which an app makes first."""
    return any(
        base.dotted.endswith(("Stack", "Stage")) for base in klass.bases if isinstance(base, Name)
    )
