"""Translate a Python file of a CDK app."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from buildlib.code import reader
from buildlib.commands.init.cdk import program, python_values
from buildlib.commands.init.cdk.program import Expression, Opaque, Statement
from buildlib.commands.init.cdk.syntax import check_depth, first_error, named, text

if TYPE_CHECKING:
    from tree_sitter import Node


def translate(source: bytes) -> program.Program:
    """Translate the source of a module; parts with errors are left out.

    Raises:
        DepthError: it is nested too deep.

    """
    root = reader.tree(source)
    check_depth(root)
    return program.Program(_block(root), first_error(root))


def _block(node: "Node | None") -> tuple[Statement, ...]:
    return tuple(statement for child in named(node) for statement in _statement(child))


def _statement(node: "Node") -> list[Statement]:
    translate_one = _STATEMENTS.get(node.type)
    return translate_one(node) if translate_one else []


def _return(node: "Node") -> list[Statement]:
    inner = named(node)
    return [program.Return(python_values.value(inner[0]))] if inner else []


def _for(node: "Node") -> list[Statement]:
    target = python_values.pattern(node.child_by_field_name("left"))
    body = _block(node.child_by_field_name("body"))
    return [program.Loop(target, python_values.field(node, "right"), body)]


def _with(node: "Node") -> list[Statement]:
    items = [python_values.value(one) for one in named(node.child(1))]
    return [*map(program.Evaluate, items), *_block(node.child_by_field_name("body"))]


def _simple(node: "Node") -> Statement:
    if node.type == "assignment" and (right := node.child_by_field_name("right")):
        if right.type == "assignment":  # a = b = 1: the outer name is unknown
            return program.Evaluate(Opaque(text(node)))
        left = node.child_by_field_name("left")
        match left.type if left else "":
            case "attribute" | "subscript":
                target = python_values.value(left)
                if isinstance(target, program.Attribute | program.Item):
                    return program.Assign(target, python_values.value(right))
            case _:
                return program.Assign(python_values.pattern(left), python_values.value(right))
    if node.type == "augmented_assignment":
        operands = python_values.field(node, "left"), python_values.field(node, "right")
        value: Expression = Opaque(text(node), operands)
        if text(node.child_by_field_name("operator")) == "+=":
            value = program.Text(operands)
        return program.Assign(python_values.pattern(node.child_by_field_name("left")), value)
    return program.Evaluate(python_values.value(node))


def _branch(node: "Node") -> list[Statement]:
    condition = node.child_by_field_name("condition")
    before = [program.Evaluate(python_values.value(condition))] if condition else []
    is_total = node.type == "if_statement" and any(c.type == "else_clause" for c in named(node))
    return [*before, program.Branch(tuple(map(_block, _blocks(node))), is_total)]


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
    parameters = python_values.parameters(node.child_by_field_name("parameters"))
    return program.Function(name, parameters, _block(node.child_by_field_name("body")), is_static)


def _class(node: "Node") -> program.Class:
    bases = [
        python_values.value(child) for child in named(node.child_by_field_name("superclasses"))
    ]
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


_STATEMENTS: dict[str, Callable[["Node"], list[Statement]]] = {
    **dict.fromkeys(("if_statement", "while_statement", "try_statement"), _branch),
    "match_statement": _branch,
    "expression_statement": lambda node: [_simple(child) for child in named(node)],
    "return_statement": _return,
    "for_statement": _for,
    "with_statement": _with,
    "function_definition": lambda node: [_function(node)],
    "class_definition": lambda node: [_class(node)],
    "decorated_definition": _decorated,
    "import_statement": _imports,
    "import_from_statement": _imports,
    "ERROR": lambda node: list(_block(node)),
}
