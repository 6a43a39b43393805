"""Terragrunt: a file that calls one module, with `inputs` as its arguments."""

import posixpath
from collections.abc import Iterable

from buildlib.commands.init.hcl import nodes, paths
from buildlib.commands.init.hcl.files import Block, Expression
from buildlib.commands.init.hcl.modules import Module

NAME = "terragrunt.hcl"


def call(module: Module, tops: Iterable[Block]) -> Block | None:
    """Return the call that a folder's terragrunt.hcl makes, as a block `module`; None if none."""
    top = next((top for top in tops if posixpath.basename(top.place) == NAME), None)
    if top is None:
        return None
    sources = (block.attributes.get("source") for block in top.blocks if block.kind == "terraform")
    expression = next(sources, None)
    if expression is None:
        return None
    source = module.evaluate(expression)
    if not isinstance(source, str):
        return None
    if source.startswith((".", paths.ROOT)):
        place = paths.relative(source.replace("//", "/"), module.folder)
        source = f"./{posixpath.relpath(place or '..', module.folder)}"
    attributes = _inputs(top.attributes.get("inputs"))
    attributes["source"] = expression._replace(text=f'"{source.partition("?")[0]}"')
    label = posixpath.basename(module.folder)
    return Block("module", (label,), expression.place, attributes)


def _inputs(expression: Expression | None) -> dict[str, Expression]:
    """Return the elements of an object that is written out."""
    tree = expression.tree if expression else None
    while tree is not None and nodes.kind(tree) == "expr_term" and len(nodes.inner(tree)) == 1:
        tree = nodes.inner(tree)[0]
    if expression is None or nodes.kind(tree) != "object":
        return {}
    found = {}
    first = expression.tree.meta.start_pos
    for element in nodes.inner(tree):
        key, value = nodes.inner(element)
        begin, end = value.meta.start_pos - first, value.meta.end_pos - first
        place = f"{expression.place.rpartition(':')[0]}:{value.meta.line}"
        found[nodes.word(key)] = Expression(value, expression.text[begin:end], place)
    return found
