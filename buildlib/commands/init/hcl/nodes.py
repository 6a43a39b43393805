"""The nodes of a parsed expression, whose tokens and comments are of no interest."""

import re

from buildlib.commands.init.hcl.files import Tree


def parts(tree: Tree) -> list[Tree]:
    """Return the children of a node, without line ends and comments."""
    return [one for one in tree.children if kind(one) != "new_line_or_comment"]


def kind(node: Tree) -> str:
    """Return the rule of a node; empty for a token."""
    return str(getattr(node, "data", ""))


def inner(tree: Tree) -> list[Tree]:
    """Return the nodes below a node, without tokens, line ends and comments."""
    return [one for one in tree.children if kind(one) not in {"", "new_line_or_comment"}]


_ESCAPE = re.compile(r'\\(n|r|t|"|\\|u[0-9a-fA-F]{4}|U000[0-9a-fA-F]{5})')


_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPED.get(match[1]) or chr(int(match[1][1:], 16))


def unescaped(text: str) -> str:
    """Return the text of a string token."""
    return _ESCAPE.sub(_unescaped, text)


def word(tree: Tree) -> str:
    """Return the text of a bare word or a plain string."""
    while inner(tree):
        tree = inner(tree)[0]
    return str(tree.children[0]) if tree.children else ""
