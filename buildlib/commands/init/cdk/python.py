"""Translate a Python file of a CDK app."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from buildlib.code import reader
from buildlib.commands.init.cdk import program
from buildlib.commands.init.cdk.program import Argument, Expression, Opaque, Parameter, Statement
from buildlib.commands.init.cdk.syntax import (
    concatenation,
    first_error,
    line,
    named,
    text,
    unescaped,
)

if TYPE_CHECKING:
    from tree_sitter import Node


def translate(source: bytes) -> program.Program:
    """Translate the source of a module; parts with errors are left out."""
    root = reader.tree(source)
    return program.Program(_block(root), first_error(root))


def _block(node: "Node | None") -> tuple[Statement, ...]:
    return tuple(statement for child in named(node) for statement in _statement(child))


def _statement(node: "Node") -> list[Statement]:
    match node.type:
        case "expression_statement":
            return [_simple(child) for child in named(node)]
        case "return_statement":
            inner = named(node)
            return [program.Return(_value(inner[0]))] if inner else []
        case "for_statement":
            target = _pattern(node.child_by_field_name("left"))
            body = _block(node.child_by_field_name("body"))
            return [program.Loop(target, _field(node, "right"), body)]
        case "function_definition":
            return [_function(node)]
        case "class_definition":
            return [_class(node)]
        case "decorated_definition":
            return _decorated(node)
        case "import_statement" | "import_from_statement":
            return _imports(node)
        case "with_statement":
            items = [_value(one) for one in named(node.child(1))]
            return [*map(program.Evaluate, items), *_block(node.child_by_field_name("body"))]
        case "if_statement" | "while_statement" | "try_statement" | "match_statement":
            return [_branch(node)]
    return []


def _simple(node: "Node") -> Statement:
    if node.type == "assignment" and (right := node.child_by_field_name("right")):
        if right.type == "assignment":  # a = b = 1: the outer name is unknown
            return program.Evaluate(Opaque(text(node)))
        left = node.child_by_field_name("left")
        match left.type if left else "":
            case "attribute" | "subscript":
                target = _value(left)
                if isinstance(target, program.Attribute | program.Item):
                    return program.Assign(target, _value(right))
            case _:
                return program.Assign(_pattern(left), _value(right))
    if node.type == "augmented_assignment":
        operands = _field(node, "left"), _field(node, "right")
        value: Expression = Opaque(text(node), operands)
        if text(node.child_by_field_name("operator")) == "+=":
            value = program.Text(operands)
        return program.Assign(_pattern(node.child_by_field_name("left")), value)
    return program.Evaluate(_value(node))


def _branch(node: "Node") -> program.Branch:
    blocks = [_block(one) for one in _blocks(node)]
    is_if = node.type == "if_statement"
    return program.Branch(
        tuple(blocks), is_if and any(c.type == "else_clause" for c in named(node))
    )


def _blocks(node: "Node") -> list["Node"]:
    found = []
    for child in named(node):
        if child.type == "block" and node.type != "match_statement":
            found.append(child)
        elif child.type in _CLAUSES or child.type == "block":
            found += _blocks(child)
    return found


_CLAUSES = {
    *("elif_clause", "else_clause", "except_clause", "except_group_clause", "finally_clause"),
    *("case_clause",),
}


def _decorated(node: "Node") -> list[Statement]:
    definition = node.child_by_field_name("definition")
    if definition is None:
        return []
    if definition.type == "class_definition":
        return [_class(definition)]
    decorators = {text(child).strip("@ ") for child in named(node) if child.type == "decorator"}
    is_static = "staticmethod" in decorators
    return [_function(definition, is_static=is_static)] if "property" not in decorators else []


def _function(node: "Node", *, is_static: bool = False) -> program.Function:
    name = text(node.child_by_field_name("name"))
    parameters = _parameters(node.child_by_field_name("parameters"))
    return program.Function(name, parameters, _block(node.child_by_field_name("body")), is_static)


def _parameters(node: "Node | None") -> tuple[Parameter, ...]:
    return tuple(_parameter(one) for one in named(node) if not one.type.endswith("_separator"))


def _parameter(node: "Node") -> Parameter:
    spread = {"list_splat_pattern": 1, "dictionary_splat_pattern": 2}
    inner = named(node)
    if node.type in spread and inner:
        return Parameter(text(inner[0]), None, spread[node.type])
    if node.type == "typed_parameter" and inner:
        return _parameter(inner[0])
    name = node.child_by_field_name("name")
    value = node.child_by_field_name("value")
    return Parameter(text(name or node), _value(value) if value else None)


def _class(node: "Node") -> program.Class:
    bases = [_value(child) for child in named(node.child_by_field_name("superclasses"))]
    name = text(node.child_by_field_name("name"))
    return program.Class(name, tuple(bases), _block(node.child_by_field_name("body")))


def _imports(node: "Node") -> list[Statement]:
    module = node.child_by_field_name("module_name")
    found: list[Statement] = []
    for child in node.children_by_field_name("name"):
        name = text(child.child_by_field_name("name") or child)
        alias = text(child.child_by_field_name("alias"))
        if module is not None:
            found.append(program.Import(text(module), name, alias or name))
        elif alias or "." not in name:
            found.append(program.Import(name, "", alias or name))
        else:  # `import os.path` binds os
            top = name.partition(".")[0]
            found.append(program.Import(top, "", top))
    if any(child.type == "wildcard_import" for child in named(node)):
        found.append(program.Import(text(module), "*", ""))
    return found


def _pattern(node: "Node | None") -> program.Pattern:
    if node is not None and node.type in {"pattern_list", "tuple_pattern", "list_pattern"}:
        return tuple(map(_pattern, named(node)))
    return text(node)


def _field(node: "Node", name: str) -> Expression:
    return _value(node.child_by_field_name(name))


def _value(node: "Node | None") -> Expression:
    """Translate an expression."""
    if node is None:
        return Opaque("")
    translated = _VALUES.get(node.type, _opaque)(node)
    return _opaque(node) if translated is None else translated


def _opaque(node: "Node") -> Expression:
    return Opaque(text(node), tuple(map(_value, named(node))))


def _string(node: "Node") -> Expression:
    start = text(node.child(0)).rstrip("\"'").lower()
    if "b" in start or "t" in start:
        return Opaque(text(node))
    parts: list[Expression] = []
    for child in named(node):
        if child.type == "interpolation":
            whole = named(child)
            parts.append(_value(whole[0]) if len(whole) == 1 else Opaque(text(child)))
        elif child.type == "string_content":
            content = text(child)
            parts.append(program.Literal(content) if "r" in start else unescaped(content))
    return concatenation(parts)


def _call(node: "Node") -> Expression | None:
    arguments = node.child_by_field_name("arguments")
    if arguments is None or arguments.type != "argument_list":
        return None
    found = tuple(map(_argument, named(arguments)))
    return program.Call(_field(node, "function"), found, line(node))


def _argument(node: "Node") -> Argument:
    if node.type == "keyword_argument":
        return Argument(_field(node, "value"), text(node.child_by_field_name("name")))
    spread = {"list_splat": 1, "dictionary_splat": 2}.get(node.type, 0)
    return Argument(_value(named(node)[0]), "", spread) if spread else Argument(_value(node))


def _mapping(node: "Node") -> Expression:
    pairs: list[tuple[Expression | None, Expression]] = []
    for child in named(node):
        if child.type == "dictionary_splat":
            pairs.append((None, _value(named(child)[0])))
        else:
            pairs.append((_field(child, "key"), _field(child, "value")))
    return program.Mapping(tuple(pairs))


def _operator(node: "Node") -> Expression | None:
    operands = _field(node, "left"), _field(node, "right")
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
    target = _pattern(clauses[0].child_by_field_name("left"))
    return program.Each(target, _field(clauses[0], "right"), _field(node, "body"))


def _lambda(node: "Node") -> Expression:
    parameters = _parameters(node.child_by_field_name("parameters"))
    return program.Function("lambda", parameters, (program.Return(_field(node, "body")),))


def _subscript(node: "Node") -> Expression | None:
    keys = node.children_by_field_name("subscript")
    return program.Item(_field(node, "value"), _value(keys[0])) if len(keys) == 1 else None


def _attribute(node: "Node") -> Expression:
    return program.Attribute(_field(node, "object"), text(node.child_by_field_name("attribute")))


_VALUES: dict[str, Callable[["Node"], Expression | None]] = {
    "identifier": lambda node: program.Ref(text(node)),
    "string": _string,
    "concatenated_string": lambda node: concatenation([_value(child) for child in named(node)]),
    "true": lambda _: program.Literal(value=True),
    "false": lambda _: program.Literal(value=False),
    "none": lambda _: program.Literal(None),
    "integer": lambda node: program.Literal(int(text(node))) if text(node).isdecimal() else None,
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
    "parenthesized_expression": lambda node: _value(next(iter(named(node)), None)),
    "lambda": _lambda,
    "type": lambda node: _value(next(iter(named(node)), None)),
    "as_pattern": lambda node: _value(next(iter(named(node)), None)),
    "with_item": lambda node: _value(node.child_by_field_name("value")),
}
