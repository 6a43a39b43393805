"""Values of expressions in a CDK app, as far as the program's text gives them."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from buildlib.commands.init.cdk import program

# A text, number, boolean, None, list, or one of the classes below.
Value: TypeAlias = Any


class Here(str):
    """A path made from `__file__` or `__dirname`: relative to the root of the repository."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that only a run gives; `known` is the literal part of a text."""

    text: str
    known: str = ""


@dataclass(frozen=True, slots=True)
class Name:
    """A name of a library, such as `aws_cdk.aws_lambda.Runtime.PYTHON_3_13`."""

    dotted: str


class Record(dict[str, Value]):
    """A dict or object; `is_open` if it may have keys that are unknown."""

    is_open = False

    def merged(self, other: Value) -> "Record":
        """Return a copy with the items of another value."""
        result = Record(self)
        result.is_open = self.is_open
        if isinstance(other, Record):
            result.update(other)
            result.is_open |= other.is_open
        elif other is not None:
            # An unknown mapping may replace each key that came before it.
            result = Record({key: Unknown("a spread value") for key in result})
            result.is_open = True
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """The result of a call of a library's name, with its place in `file`.

    `owner` is the class or function that has the call.
    """

    name: str
    arguments: tuple[Value, ...]
    keywords: Record
    file: str
    line: int
    owner: str = ""


@dataclass(slots=True, eq=False)
class Scope:
    """The variables of a module or function; `klass` is the class of a method."""

    file: str
    names: dict[str, Value] = field(default_factory=dict)
    outer: "Scope | None" = None
    owner: str = ""
    klass: "Klass | None" = None

    def find(self, name: str) -> "Scope | None":
        """Return the scope that has a variable."""
        scope: Scope | None = self
        while scope is not None and name not in scope.names:
            scope = scope.outer
        return scope


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """An imported file of the repository."""

    scope: Scope


@dataclass(frozen=True, slots=True, eq=False)
class Closure:
    """A function with its variables; a method has its object and its class."""

    function: program.Function
    scope: Scope
    me: "Value" = None
    klass: "Klass | None" = None


@dataclass(slots=True, eq=False)
class Klass:
    """A class of the repository."""

    definition: program.Class
    scope: Scope
    bases: list[Value]
    attributes: dict[str, Value] = field(default_factory=dict)
    methods: dict[str, program.Function] = field(default_factory=dict)

    def method(self, name: str) -> "tuple[program.Function, Klass] | None":
        """Return a method and its class, which may be a base."""
        if name in self.methods:
            return self.methods[name], self
        found = (base.method(name) for base in self.bases if isinstance(base, Klass))
        return next((one for one in found if one), None)


@dataclass(slots=True, eq=False)
class Instance:
    """An object of a class of the repository; `made` if the class extends a library's."""

    klass: Klass
    attributes: dict[str, Value] = field(default_factory=dict)
    made: Made | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """A method of a text, list or record."""

    of: Value
    name: str


def is_same(one: Value, other: Value) -> bool:
    """Tell whether two values are equal, and of one type."""
    return one is other or (type(one) is type(other) and bool(one == other))
