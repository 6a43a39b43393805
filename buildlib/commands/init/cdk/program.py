"""The parts of Python and TypeScript that name the calls of a CDK app, in one form for both.

Expressions without a form of their own are `Opaque`: their parts are followed, their value is
unknown. Conditions are left out, as every branch is followed.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, number, boolean or null."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Ref:
    """A name; `self` and `this` are names, too."""

    name: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """`of.name`."""

    of: "Expression"
    name: str


@dataclass(frozen=True, slots=True)
class Item:
    """`of[key]`."""

    of: "Expression"
    key: "Expression"


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument or an element: `spread` is 0, 1 for `*x` and `...x`, or 2 for `**x`."""

    value: "Expression"
    name: str = ""
    spread: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A call, or `new` with the arguments of a constructor."""

    function: "Expression"
    arguments: tuple[Argument, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Text:
    """The concatenation of texts: an f-string, a template string, or `a + b`."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Join:
    """`left / right`, which joins paths in Python."""

    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Fallback:
    """`left or right`, `left ?? right`: the left value unless it is null or empty."""

    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list, tuple or set."""

    items: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """A dict or object; a pair without a key spreads its value."""

    pairs: tuple[tuple["Expression | None", "Expression"], ...]


@dataclass(frozen=True, slots=True)
class Each:
    """A comprehension over one iterable."""

    target: "Pattern"
    iterable: "Expression"
    element: "Expression"


@dataclass(frozen=True, slots=True)
class Opaque:
    """Source text that has no value here."""

    text: str
    parts: tuple["Expression", ...] = ()


@dataclass(frozen=True, slots=True)
class Fields:
    """`{a, b: c = 1}` of TypeScript: the keys, their patterns and defaults."""

    fields: tuple[tuple[str, "Pattern", "Expression | None"], ...]


# A name, the names of a tuple, or the fields of an object.
Pattern = str | tuple["Pattern", ...] | Fields


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: `spread` as in `Argument`; `is_field` for `private x` of TypeScript."""

    pattern: Pattern
    default: "Expression | None" = None
    spread: int = 0
    is_field: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function, method, lambda or arrow function."""

    name: str
    parameters: tuple[Parameter, ...]
    body: tuple["Statement", ...]
    is_static: bool = False


Expression = (
    Literal | Ref | Attribute | Item | Call | Text | Join | Fallback | Sequence | Mapping | Each
    | Opaque | Function
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Assign:
    """`target = value`; without `is_new`, it changes the variable of an outer function, too."""

    target: "Pattern | Attribute | Item"
    value: Expression
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class Evaluate:
    """An expression as a statement."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Return:
    """`return value`."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Branch:
    """Blocks of which some run: `if`, `try`, `while`, `match`; `is_total` if one surely runs."""

    blocks: tuple[tuple["Statement", ...], ...]
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class Loop:
    """`for target in iterable`."""

    target: Pattern
    iterable: Expression
    body: tuple["Statement", ...]


@dataclass(frozen=True, slots=True)
class Import:
    """`import module as alias`, or one name of a module; `name` is `*` for all of them."""

    module: str
    name: str
    alias: str


@dataclass(frozen=True, slots=True, eq=False)
class Class:
    """A class: fields are assignments, methods are functions."""

    name: str
    bases: tuple[Expression, ...]
    body: tuple["Statement", ...]


Statement = Assign | Evaluate | Return | Branch | Loop | Import | Class | Function


@dataclass(frozen=True, slots=True)
class Program:
    """A file; `error` is the line of its first syntax error, or 0."""

    body: tuple[Statement, ...]
    error: int = 0


def shown(expression: Expression) -> str:
    """Return an expression for a message, on one line and not long."""
    line = " ".join(_shown(expression).split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def _shown(expression: Expression) -> str:
    text = "..."
    match expression:
        case Literal(value=value):
            text = repr(value)
        case Ref(name=name) | Opaque(text=name):
            text = name
        case Attribute(of=of, name=name):
            text = f"{_shown(of)}.{name}"
        case Item(of=of, key=key):
            text = f"{_shown(of)}[{_shown(key)}]"
        case Call(function=function, arguments=arguments):
            text = f"{_shown(function)}({', '.join(_shown(one.value) for one in arguments)})"
        case Join(left=left, right=right):
            text = f"{_shown(left)} / {_shown(right)}"
        case Text(parts=parts):
            text = " + ".join(map(_shown, parts))
    return text


# Characters of an expression in a message.
_SHOWN = 60
