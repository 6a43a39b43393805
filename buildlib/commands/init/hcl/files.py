"""Read Terraform files into blocks and expressions; python-hcl2 parses them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Bytes of a file that is read.
LARGEST = 1 << 18


Tree = Any  # of lark, which has no types: `data` is a rule of the grammar


class HclError(Exception):
    """A file that cannot be read; its text says why."""


class Expression(NamedTuple):
    """An expression, its source text, and its place, as `file:line`."""

    tree: Tree
    text: str
    place: str


@dataclass
class Block:
    """A block: `labels` are the words behind its kind. A file is a block of the kind ''."""

    kind: str
    labels: tuple[str, ...]
    place: str
    attributes: dict[str, Expression] = field(default_factory=dict)
    blocks: list["Block"] = field(default_factory=list)


def read(file: str, content: bytes) -> Block:
    """Parse a file; `file` is its name in places.

    Raises:
        HclError: it is too large, or not HCL.
        ImportError: python-hcl2 is not installed.

    """
    import hcl2  # an extra

    if len(content) > LARGEST:
        msg = f"it has more than {LARGEST >> 10} KiB"
        raise HclError(msg)
    try:
        text = content.decode("utf-8-sig")
        tree = hcl2.parses_to_tree(text)
    except Exception as error:
        # The parser documents no exceptions.
        raise HclError(str(error).strip().splitlines()[0]) from error
    top = Block("", (), file)
    todo = [(top, body) for body in _trees(tree, "body")]
    while todo:
        outer, body = todo.pop()
        for node in _trees(body, "attribute"):
            name, *_, value = node.children
            source = text[value.meta.start_pos : value.meta.end_pos]
            place = f"{file}:{value.meta.line}"
            outer.attributes[str(name.children[0])] = Expression(value, source, place)
        for node in _trees(body, "block"):
            words = [_word(child) for child in node.children if _is_word(child)]
            block = Block(words[0], tuple(words[1:]), f"{file}:{node.meta.line}")
            outer.blocks.append(block)
            todo += [(block, inner) for inner in _trees(node, "body")]
    return top


def _trees(tree: Tree, kind: str) -> Iterator[Tree]:
    for child in tree.children:
        if getattr(child, "data", None) == kind:
            yield child


def _is_word(node: Tree) -> bool:
    return getattr(node, "data", None) in {"identifier", "keyword", "literal_value", "string"}


def _word(node: Tree) -> str:
    """Return the text of an identifier or of a string without templates."""
    if node.data == "string":
        parts = [token for part in _trees(node, "string_part") for token in part.children]
        return "".join(str(part) for part in parts if not hasattr(part, "data"))
    return str(node.children[0])


def literal(expression: Expression | None) -> str | None:
    """Return the text of an expression that is a plain string; else None."""
    match = re.fullmatch(r'"([^"\\$%]*)"', expression.text) if expression else None
    return match[1] if match else None
