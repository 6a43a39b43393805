"""Evaluate HCL expressions as far as they are known; nothing is run, and no limit is exceeded.

The rules are those of the language's specification (hashicorp/hcl, hclsyntax/spec.md); the names of
the tree's nodes are those of python-hcl2's grammar.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from buildlib.commands.init.hcl import nodes, operators, values
from buildlib.commands.init.hcl.files import Tree
from buildlib.commands.init.hcl.nodes import inner, kind, parts
from buildlib.commands.init.hcl.values import Budget, Failure, Unknown

Value = Any


Function = Callable[["Scope", list[Value]], Value]


@dataclass(frozen=True)
class Scope:
    """The names of an expression: its own, such as `each`, and those of its module.

    `resolve` returns the value of a reference into the module, such as ("local", "names").
    `folder` and `read` are those of the functions about files.
    """

    resolve: Callable[[values.Path], Value]
    functions: Mapping[str, Function]
    budget: Budget
    names: Mapping[str, Value]


def evaluate(tree: Tree, scope: Scope) -> Value:
    """Return the value of an expression.

    Raises:
        Failure: Terraform would refuse it.

    """
    budget = scope.budget
    if budget.depth <= 0 or not budget.spend():
        return Unknown("its expression is too large to be evaluated here")
    rule = _RULES.get(str(tree.data))
    if rule is None:
        return Unknown("its expression is of a kind that is not evaluated here")
    budget.depth -= 1
    try:
        return values.bounded(rule(tree, scope), budget)
    finally:
        budget.depth += 1


def _term(tree: Tree, scope: Scope) -> Value:
    return evaluate(inner(tree)[0], scope)


_LITERALS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}


def _identifier(tree: Tree, scope: Scope) -> Value:
    name = str(parts(tree)[0])
    if name in scope.names:
        return scope.names[name]
    if name in _LITERALS:  # of older versions of the parser
        return _LITERALS[name]
    return scope.resolve((name,))


def _literal(tree: Tree, _: Scope) -> Value:
    return _LITERALS[str(parts(tree)[0])]


def _number(tree: Tree, _: Scope) -> Value:
    text = str(parts(tree)[0])
    if len(text) > 20:  # noqa: PLR2004 - digits of the greatest number
        return Unknown("it is too large to be evaluated here")
    return float(text) if re.search(r"[.eE]", text) else int(text)


def _string(tree: Tree, scope: Scope) -> Value:
    """Return a text with its templates; one template alone keeps the type of its value."""
    found: list[Value] = []
    for part in inner(tree):
        node = part.children[0]
        if kind(node) == "interpolation":
            found.append(evaluate(inner(node)[0], scope))
        elif kind(node):
            found.append(Unknown("it has a template directive"))
        elif node.type in {"ESCAPED_INTERPOLATION", "ESCAPED_DIRECTIVE"}:
            found.append(str(node)[1:])
        else:
            found.append(nodes.unescaped(str(node)))
    if len(found) == 1:
        return found[0]
    if unknown := values.first_unknown(found):
        return operators.derived(unknown)
    return "".join(map(values.text_of, found))


def _tuple(tree: Tree, scope: Scope) -> Value:
    return [evaluate(part, scope) for part in inner(tree)]


def _object(tree: Tree, scope: Scope) -> Value:
    found: dict[str, Value] = {}
    for element in inner(tree):
        key_node, value_node = inner(element)
        key = _object_key(key_node, scope)
        if isinstance(key, Unknown):
            return key
        found[key] = evaluate(value_node, scope)
    return found


def _object_key(node: Tree, scope: Scope) -> Value:
    """Return the key of an object; a bare word is a text, not a reference."""
    within = node.children[0]
    if kind(within) == "expr_term" and len(within.children) == 1:
        word = within.children[0]
        if kind(word) in {"identifier", "literal_value"}:
            return str(word.children[0])
    if kind(within) == "keyword":
        return str(within.children[0])
    key = evaluate(within, scope)
    return key if isinstance(key, Unknown) else values.text_of(key)


def _conditional(tree: Tree, scope: Scope) -> Value:
    condition, then, otherwise = inner(tree)
    truth = evaluate(condition, scope)
    if isinstance(truth, Unknown):
        return operators.derived(truth)
    return evaluate(then if truth in (True, "true") else otherwise, scope)


def _unary(tree: Tree, scope: Scope) -> Value:
    value = evaluate(inner(tree)[0], scope)
    if isinstance(value, Unknown):
        return value
    if str(parts(tree)[0]) == "!":
        return value not in (True, "true")
    return -operators.as_number(value)


def _binary(tree: Tree, scope: Scope) -> Value:
    left_node, term = inner(tree)
    sign_node, right_node = inner(term)
    sign = str(sign_node.children[0])
    left = evaluate(left_node, scope)
    if sign in {"&&", "||"} and left is (sign == "||"):
        return left
    right = evaluate(right_node, scope)
    if unknown := next((one for one in (left, right) if isinstance(one, Unknown)), None):
        return operators.derived(unknown)
    return operators.binary(sign, left, right)


def _get_attribute(tree: Tree, scope: Scope) -> Value:
    base, step = inner(tree)
    return _step(evaluate(base, scope), step, scope)


def _step(value: Value, step: Tree, scope: Scope) -> Value:
    """Return an attribute, or the element in brackets or behind a dot."""
    found = inner(step)
    if kind(step) == "get_attr":
        return operators.attribute(value, str(found[0].children[0]))
    key = evaluate(found[0], scope) if found else int(str(step.children[-1]))
    return operators.element(value, key)


def _splat(tree: Tree, scope: Scope) -> Value:
    base, splat = inner(tree)
    value = evaluate(base, scope)
    if isinstance(value, Unknown):
        return operators.derived(value)
    found = []
    for element in value if isinstance(value, list) else [] if value is None else [value]:
        one = element
        for step in inner(splat):
            one = _step(one, step, scope)
        found.append(one)
    return found


# The functions of Terraform check their arguments; ours take what fits.
_REFUSALS = (
    *(ValueError, TypeError, AttributeError, LookupError, ArithmeticError, StopIteration),
    RecursionError,
)


def _call(tree: Tree, scope: Scope) -> Value:
    words = inner(tree)
    names = [str(node.children[0]) for node in words if kind(node) == "identifier"]
    name = names[-1]
    last = words[-1] if kind(words[-1]) == "arguments" else None
    arguments = inner(last) if last else []
    if name in {"try", "can"}:
        return _try(name, arguments, scope)
    found = [evaluate(node, scope) for node in arguments]
    if last and str(parts(last)[-1]) == "...":
        rest = found.pop()
        found += [rest] if isinstance(rest, Unknown) else values.elements(rest)
    function = scope.functions.get(name)
    if function is None:
        return Unknown(f"the function {name} is not evaluated here")
    try:
        return function(scope, found)
    except _REFUSALS as error:
        msg = f"{name}: {error}"
        raise Failure(msg) from error


def _try(name: str, arguments: list[Tree], scope: Scope) -> Value:
    for node in arguments:
        try:
            value = evaluate(node, scope)
        except Failure:
            continue
        return True if name == "can" else value
    if name == "can":
        return False
    msg = "no argument of 'try' has a value"
    raise Failure(msg)


def _for(tree: Tree, scope: Scope) -> Value:
    """Return the tuple or object of a `for` expression; `...` groups values by their key."""
    intro, *others = inner(tree)
    words = inner(intro)
    names = [str(node.children[0]) for node in words[:-1]]
    source = evaluate(words[-1], scope)
    if isinstance(source, Unknown):
        return operators.derived(source)
    items: Any = enumerate(source) if isinstance(source, list) else None
    if items is None:
        if not isinstance(source, dict):
            values.elements(source)
        items = source.items()
    condition = others[-1] if kind(others[-1]) == "for_cond" else None
    body = [node for node in others if node is not condition]
    is_grouped = any(str(part) == "..." for part in parts(tree) if not kind(part))
    found: list[tuple[Value, Value]] = []
    for key, value in items:
        own = dict(zip(names, (key, value) if len(names) > 1 else (value,), strict=False))
        within = replace(scope, names={**scope.names, **own})
        if condition is not None:
            truth = evaluate(inner(condition)[0], within)
            if isinstance(truth, Unknown):
                return operators.derived(truth)
            if truth not in (True, "true"):
                continue
        found.append((evaluate(body[0], within), evaluate(body[-1], within)))
    if len(body) == 1:
        return [value for _, value in found]
    return operators.mapped(found, is_grouped=is_grouped)


_RULES: Mapping[str, Callable[[list[Tree], Scope], Value]] = {
    "expr_term": _term,
    "identifier": _identifier,
    "literal_value": _literal,
    "int_lit": _number,
    "float_lit": _number,
    "string": _string,
    "tuple": _tuple,
    "object": _object,
    "conditional": _conditional,
    "unary_op": _unary,
    "binary_op": _binary,
    "index_expr_term": _get_attribute,
    "get_attr_expr_term": _get_attribute,
    "attr_splat_expr_term": _splat,
    "full_splat_expr_term": _splat,
    "function_call": _call,
    "for_tuple_expr": _for,
    "for_object_expr": _for,
}
