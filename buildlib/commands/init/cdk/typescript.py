"""Translate a TypeScript or JavaScript file of a CDK app."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from buildlib.commands.init.cdk import program
from buildlib.commands.init.cdk.program import Argument, Expression, Opaque, Parameter, Statement
from buildlib.commands.init.cdk.syntax import (
    check_depth,
    concatenation,
    first_error,
    line,
    named,
    number,
    text,
    unescaped,
)
from buildlib.commands.init.cdk.typescript_imports import imports, reexports, required

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


def translate(source: bytes) -> program.Program:
    """Translate the source of a module; parts with errors are left out.

    Raises:
        ImportError: the extra with the grammar is not installed.
        DepthError: it is nested too deep.

    """
    root = _parser().parse(source).root_node
    check_depth(root)
    return program.Program(_block(root), first_error(root))


@functools.cache
def _parser() -> "Parser":
    from tree_sitter import Language, Parser
    from tree_sitter_typescript import language_typescript  # an extra

    return Parser(Language(language_typescript()))


def _block(node: "Node | None") -> tuple[Statement, ...]:
    """Translate the statements of a block, or a statement that has none around it."""
    if node is None:
        return ()
    inner = named(node) if node.type in _BLOCKS else [node]
    return tuple(statement for child in inner for statement in _statement(child))


_BLOCKS = {"program", "statement_block", "class_body", "class_static_block", "switch_body"}


def _statement(node: "Node") -> list[Statement]:
    translate_one = _STATEMENTS.get(node.type)
    return translate_one(node) if translate_one else []


def _return(node: "Node") -> list[Statement]:
    inner = named(node)
    return [program.Return(_value(inner[0]))] if inner else []


def _for(node: "Node") -> list[Statement]:
    target = _pattern(node.child_by_field_name("left"))
    iterable = _field(node, "right")
    if text(node.child_by_field_name("operator")) == "in":  # the keys, as texts
        iterable = Opaque(text(node.child_by_field_name("right")))
    return [program.Loop(target, iterable, _body(node))]


def _export(node: "Node") -> list[Statement]:
    if node.child_by_field_name("source"):
        return reexports(node)
    inner = named(node)
    found = _statement(inner[-1]) if inner else []
    if any(child.type == "default" for child in node.children) and inner:
        name = inner[-1].child_by_field_name("name")
        default = program.Ref(text(name)) if name else _value(inner[-1])
        found.append(program.Assign("default", default))
    return found


def _class_field(node: "Node") -> list[Statement]:
    name = node.child_by_field_name("name") or node.child_by_field_name("property")
    value = node.child_by_field_name("value")
    return [program.Assign(text(name), _value(value))] if value else []


def _simple(node: "Node") -> Statement:
    if node.type == "assignment_expression":
        left = node.child_by_field_name("left")
        value = _field(node, "right")
        if left is not None and left.type in {"member_expression", "subscript_expression"}:
            target = _value(left)
            if isinstance(target, program.Attribute | program.Item):
                return program.Assign(target, value)
        return program.Assign(_pattern(left), value, is_new=False)
    if node.type == "augmented_assignment_expression":
        operands = _field(node, "left"), _field(node, "right")
        is_sum = text(node.child_by_field_name("operator")) == "+="
        changed: Expression = program.Text(operands) if is_sum else Opaque(text(node), operands)
        return program.Assign(_pattern(node.child_by_field_name("left")), changed, is_new=False)
    return program.Evaluate(_value(node))


def _declaration(node: "Node") -> list[Statement]:
    return [one for child in named(node) for one in _declared(child)]


def _class_statement(node: "Node") -> list[Statement]:
    return [_class(node)]


def _declared(node: "Node") -> list[Statement]:
    name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    if node.type != "variable_declarator" or value is None:
        return []
    if value.type == "class":
        return [_class(value, text(name))]
    module = required(value)
    if module is None or name is None:
        return [program.Assign(_pattern(name), _value(value))]
    if name.type == "identifier":
        return [program.Import(module, "", text(name))]
    pattern = _pattern(name)
    fields = pattern.fields if isinstance(pattern, program.Fields) else ()
    return [program.Import(module, key, one) for key, one, _ in fields if isinstance(one, str)]


def _branch(node: "Node") -> list[Statement]:
    condition = node.child_by_field_name("condition") or node.child_by_field_name("value")
    before = [program.Evaluate(_value(condition))] if condition else []
    return [*before, _blocks(node)]


def _blocks(node: "Node") -> program.Branch:
    if node.type == "if_statement":
        other = node.child_by_field_name("alternative")
        blocks = [_block(node.child_by_field_name("consequence"))]
        blocks += [_block(child) for child in named(other)]
        return program.Branch(tuple(blocks), other is not None)
    if node.type == "switch_statement":
        cases = named(node.child_by_field_name("body"))
        parts = (tuple(one for child in named(case) for one in _statement(child)) for case in cases)
        return program.Branch(tuple(parts))
    blocks = [_block(child.child_by_field_name("body") or child) for child in named(node)]
    return program.Branch(tuple(block for block in blocks if block))


def _body(node: "Node") -> tuple[Statement, ...]:
    return _block(node.child_by_field_name("body"))


def _function(node: "Node") -> program.Function:
    name = text(node.child_by_field_name("name"))
    single = node.child_by_field_name("parameter")
    found = [single] if single else named(node.child_by_field_name("parameters"))
    parameters = tuple(map(_parameter, found))
    is_static = any(child.type == "static" for child in node.children)
    body = node.child_by_field_name("body")
    if body is not None and body.type != "statement_block":  # x => value
        return program.Function(name, parameters, (program.Return(_value(body)),))
    return program.Function(name, parameters, _block(body), is_static)


def _parameter(node: "Node") -> Parameter:
    pattern = node.child_by_field_name("pattern") or node
    if pattern.type == "rest_pattern":
        return Parameter(text(named(pattern)[0]), None, 1)
    value = node.child_by_field_name("value")
    is_field = any(child.type in {"accessibility_modifier", "readonly"} for child in node.children)
    return Parameter(_pattern(pattern), _value(value) if value else None, is_field=is_field)


def _class(node: "Node", name: str = "") -> program.Class:
    heritage = next((child for child in named(node) if child.type == "class_heritage"), None)
    clauses = [c for c in named(heritage) if c.type != "implements_clause"]
    bases = [_field(c, "value") if c.type == "extends_clause" else _value(c) for c in clauses]
    name = name or text(node.child_by_field_name("name")) or "default"
    return program.Class(name, tuple(bases), _body(node))


def _pattern(node: "Node | None") -> program.Pattern:
    if node is None:
        return ""
    if node.type == "array_pattern":
        return tuple(map(_pattern, named(node)))
    if node.type != "object_pattern":
        return text(node)
    fields: list[tuple[str, program.Pattern, Expression | None]] = []
    for child in named(node):
        match child.type:
            case "pair_pattern":
                key = text(child.child_by_field_name("key"))
                fields.append((key, _pattern(child.child_by_field_name("value")), None))
            case "object_assignment_pattern":
                key = text(child.child_by_field_name("left"))
                fields.append((key, key, _field(child, "right")))
            case "shorthand_property_identifier_pattern":
                fields.append((text(child), text(child), None))
    return program.Fields(tuple(fields))


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
    return unescaped(text(node)[1:-1])


def _template(node: "Node") -> Expression:
    parts: list[Expression] = []
    for child in named(node):
        is_value = child.type == "template_substitution"
        parts.append(
            _value(named(child)[0]) if is_value and named(child) else unescaped(text(child))
        )
    return concatenation(parts)


def _call(node: "Node") -> Expression | None:
    function = node.child_by_field_name("function") or node.child_by_field_name("constructor")
    arguments = node.child_by_field_name("arguments")
    if arguments is not None and arguments.type != "arguments":
        return None
    return program.Call(_value(function), tuple(map(_argument, named(arguments))), line(node))


def _argument(node: "Node") -> Argument:
    if node.type == "spread_element":
        return Argument(_value(next(iter(named(node)), None)), "", 1)
    return Argument(_value(node))


def _mapping(node: "Node") -> Expression:
    pairs: list[tuple[Expression | None, Expression]] = []
    for child in named(node):
        if child.type == "pair":
            key = child.child_by_field_name("key")
            is_name = key is not None and key.type == "property_identifier"
            known = program.Literal(text(key)) if is_name else _value(key)
            pairs.append((known, _field(child, "value")))
        elif child.type == "shorthand_property_identifier":
            pairs.append((program.Literal(text(child)), program.Ref(text(child))))
        elif child.type == "spread_element":
            pairs.append((None, _value(next(iter(named(child)), None))))
        elif child.type == "method_definition":
            name = program.Literal(text(child.child_by_field_name("name")))
            pairs.append((name, _function(child)))
    return program.Mapping(tuple(pairs))


def _operator(node: "Node") -> Expression | None:
    operands = _field(node, "left"), _field(node, "right")
    match text(node.child_by_field_name("operator")):
        case "+":
            return program.Text(operands)
        case "??" | "||":
            return program.Fallback(*operands)
    return None


def _ref(node: "Node") -> Expression:
    return program.Ref(text(node))


def _item(node: "Node") -> Expression:
    return program.Item(_field(node, "object"), _field(node, "index"))


def _member(node: "Node") -> Expression:
    return program.Attribute(_field(node, "object"), text(node.child_by_field_name("property")))


def _first(node: "Node") -> Expression:
    """Translate what stands in parentheses, or before a type."""
    return _value(next(iter(named(node)), None))


_VALUES: dict[str, Callable[["Node"], Expression | None]] = {
    **dict.fromkeys(("identifier", "this", "super", "meta_property"), _ref),
    **dict.fromkeys(
        ("parenthesized_expression", "as_expression", "satisfies_expression", "await_expression",
         "non_null_expression", "computed_property_name"),
        _first,
    ),
    **dict.fromkeys(("arrow_function", "function_expression"), _function),
    **dict.fromkeys(("call_expression", "new_expression"), _call),
    "undefined": lambda _: program.Literal(None),
    "null": lambda _: program.Literal(None),
    "true": lambda _: program.Literal(value=True),
    "false": lambda _: program.Literal(value=False),
    "number": lambda node: number(text(node)),
    "string": _string,
    "template_string": _template,
    "member_expression": _member,
    "subscript_expression": _item,
    "array": lambda node: program.Sequence(tuple(map(_argument, named(node)))),
    "object": _mapping,
    "binary_expression": _operator,
    "type_assertion": lambda node: _value(named(node)[-1]),
    "assignment_expression": lambda node: _field(node, "right"),
}  # fmt: skip


_STATEMENTS: dict[str, Callable[["Node"], list[Statement]]] = {
    **dict.fromkeys(("if_statement", "for_statement", "while_statement", "do_statement"), _branch),
    **dict.fromkeys(("try_statement", "switch_statement"), _branch),
    **dict.fromkeys(("lexical_declaration", "variable_declaration"), _declaration),
    **dict.fromkeys(("function_declaration", "method_definition"), lambda node: [_function(node)]),
    **dict.fromkeys(("class_declaration", "abstract_class_declaration", "class"), _class_statement),
    **dict.fromkeys(("public_field_definition", "field_definition"), _class_field),
    "expression_statement": lambda node: [_simple(child) for child in named(node)],
    "return_statement": _return,
    "for_in_statement": _for,
    "export_statement": _export,
    "import_statement": imports,
    "statement_block": lambda node: list(_block(node)),
    "labeled_statement": lambda node: list(_body(node)),
    "ERROR": lambda node: [one for child in named(node) for one in _statement(child)],
}
