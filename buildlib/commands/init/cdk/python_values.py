"""Translate the expressions, patterns and parameters of a Python file of a CDK app."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from buildlib.commands.init.cdk import program
from buildlib.commands.init.cdk.program import Argument, Expression, Opaque, Parameter
from buildlib.commands.init.cdk.syntax import concatenation, line, named, number, text, unescaped

if TYPE_CHECKING:
    from tree_sitter import Node


def parameters(node: "Node | None") -> tuple[Parameter, ...]:
    """Translate the parameters of a function."""
    return tuple(_parameter(one) for one in named(node) if not one.type.endswith("_separator"))


def _parameter(node: "Node") -> Parameter:
    spread = {"list_splat_pattern": 1, "dictionary_splat_pattern": 2}
    inner = named(node)
    if node.type in spread and inner:
        return Parameter(text(inner[0]), None, spread[node.type])
    if node.type == "typed_parameter" and inner:
        return _parameter(inner[0])
    name = node.child_by_field_name("name")
    default = node.child_by_field_name("value")
    return Parameter(text(name or node), value(default) if default else None)


def pattern(node: "Node | None") -> program.Pattern:
    """Translate the target of an assignment or a loop."""
    if node is not None and node.type in {"pattern_list", "tuple_pattern", "list_pattern"}:
        return tuple(map(pattern, named(node)))
    return text(node)


def field(node: "Node", name: str) -> Expression:
    """Translate the expression in a field of a node."""
    return value(node.child_by_field_name(name))


def value(node: "Node | None") -> Expression:
    """Translate an expression."""
    if node is None:
        return Opaque("")
    translated = _VALUES.get(node.type, _opaque)(node)
    return _opaque(node) if translated is None else translated


def _opaque(node: "Node") -> Expression:
    return Opaque(text(node), tuple(map(value, named(node))))


def _string(node: "Node") -> Expression:
    start = text(node.child(0)).rstrip("\"'").lower()
    if "b" in start or "t" in start:
        return Opaque(text(node))
    parts: list[Expression] = []
    for child in named(node):
        if child.type == "interpolation":
            whole = named(child)
            parts.append(value(whole[0]) if len(whole) == 1 else Opaque(text(child)))
        elif child.type == "string_content":
            content = text(child)
            parts.append(program.Literal(content) if "r" in start else unescaped(content))
    return concatenation(parts)


def _call(node: "Node") -> Expression | None:
    arguments = node.child_by_field_name("arguments")
    if arguments is None or arguments.type != "argument_list":
        return None
    found = tuple(map(_argument, named(arguments)))
    return program.Call(field(node, "function"), found, line(node))


def _argument(node: "Node") -> Argument:
    if node.type == "keyword_argument":
        return Argument(field(node, "value"), text(node.child_by_field_name("name")))
    spread = {"list_splat": 1, "dictionary_splat": 2}.get(node.type, 0)
    return Argument(value(named(node)[0]), "", spread) if spread else Argument(value(node))


def _mapping(node: "Node") -> Expression:
    pairs: list[tuple[Expression | None, Expression]] = []
    for child in named(node):
        if child.type == "dictionary_splat":
            pairs.append((None, value(named(child)[0])))
        else:
            pairs.append((field(child, "key"), field(child, "value")))
    return program.Mapping(tuple(pairs))


def _operator(node: "Node") -> Expression | None:
    operands = field(node, "left"), field(node, "right")
    match text(node.child_by_field_name("operator")):
        case "+":
            return program.Text(operands)
        case "/":
            return program.Join(*operands)
        case "or":
            return program.Fallback(*operands)
    return None


def _comprehension(node: "Node") -> Expression | None:
    clauses = [child for child in named(node) if child.type in {"for_in_clause", "if_clause"}]
    if len(clauses) != 1:
        return None
    target = pattern(clauses[0].child_by_field_name("left"))
    return program.Each(target, field(clauses[0], "right"), field(node, "body"))


def _lambda(node: "Node") -> Expression:
    found = parameters(node.child_by_field_name("parameters"))
    return program.Function("lambda", found, (program.Return(field(node, "body")),))


def _subscript(node: "Node") -> Expression | None:
    keys = node.children_by_field_name("subscript")
    return program.Item(field(node, "value"), value(keys[0])) if len(keys) == 1 else None


def _attribute(node: "Node") -> Expression:
    return program.Attribute(field(node, "object"), text(node.child_by_field_name("attribute")))


_VALUES: dict[str, Callable[["Node"], Expression | None]] = {
    "identifier": lambda node: program.Ref(text(node)),
    "string": _string,
    "concatenated_string": lambda node: concatenation([value(child) for child in named(node)]),
    "true": lambda _: program.Literal(value=True),
    "false": lambda _: program.Literal(value=False),
    "none": lambda _: program.Literal(None),
    "integer": lambda node: number(text(node)),
    "attribute": _attribute,
    "subscript": _subscript,
    "call": _call,
    "list": lambda node: program.Sequence(tuple(map(_argument, named(node)))),
    "tuple": lambda node: program.Sequence(tuple(map(_argument, named(node)))),
    "set": lambda node: program.Sequence(tuple(map(_argument, named(node)))),
    "dictionary": _mapping,
    "binary_operator": _operator,
    "boolean_operator": _operator,
    "list_comprehension": _comprehension,
    "parenthesized_expression": lambda node: value(next(iter(named(node)), None)),
    "lambda": _lambda,
    "type": lambda node: value(next(iter(named(node)), None)),
    "as_pattern": lambda node: value(next(iter(named(node)), None)),
    "with_item": lambda node: value(node.child_by_field_name("value")),
}
