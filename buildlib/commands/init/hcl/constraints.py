"""The types of variables: attributes that are optional, and lists that become sets."""

from typing import Any

from buildlib.commands.init.hcl import nodes, values
from buildlib.commands.init.hcl.evaluate import Scope, evaluate
from buildlib.commands.init.hcl.files import Tree
from buildlib.commands.init.hcl.values import Unknown

Value = Any


def conform(value: Value, constraint: Tree, scope: Scope) -> Value:
    """Return a variable's value as its type makes it; unknown types change nothing.

    An attribute that is `optional` gets its default, or null.
    """
    name, arguments = _call(constraint)
    if value is None or isinstance(value, Unknown) or not scope.budget.spend():
        return value
    if name == "optional" and arguments:
        return conform(value, arguments[0], scope)
    if name == "object" and isinstance(value, dict) and arguments:
        return _object(value, arguments[0], scope)
    if name == "map" and isinstance(value, dict) and arguments:
        return {key: conform(inner, arguments[0], scope) for key, inner in value.items()}
    if name in {"list", "set"} and isinstance(value, list) and arguments:
        elements = [conform(inner, arguments[0], scope) for inner in value]
        are_texts = all(isinstance(element, str) for element in elements)
        return values.as_set(elements) if name == "set" and are_texts else elements
    return value


def _call(tree: Tree) -> tuple[str, list[Tree]]:
    """Return the name and the arguments of a type such as `map(string)`."""
    while nodes.kind(tree) == "expr_term" and len(nodes.inner(tree)) == 1:
        tree = nodes.inner(tree)[0]
    if nodes.kind(tree) != "function_call":
        return "", []
    name, *others = nodes.inner(tree)
    return str(name.children[0]), nodes.inner(others[-1]) if others else []


def _object(value: dict[str, Value], fields: Tree, scope: Scope) -> Value:
    while nodes.kind(fields) == "expr_term" and len(nodes.inner(fields)) == 1:
        fields = nodes.inner(fields)[0]
    if nodes.kind(fields) != "object":
        return value
    result = dict(value)
    for element in nodes.inner(fields):
        key_node, constraint = nodes.inner(element)
        key = nodes.word(key_node)
        name, arguments = _call(constraint)
        if result.get(key) is not None:
            result[key] = conform(result[key], constraint, scope)
        elif name == "optional":
            has_default = len(arguments) > 1
            result[key] = evaluate(arguments[1], scope) if has_default else None
    return result
