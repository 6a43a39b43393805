"""Read YAML nodes by the table of keys, and collect every problem with its position.

Nodes are composed, never constructed: positions stay known, `python: 3.10` can be told from
`"3.10"`, tags build nothing, and an alias is read once for each place that uses it.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from buildlib.manifest.keys import LAMBDA_KEYS, SIZE, Key
from buildlib.runtimes import RUNTIMES, UNZIPPED_LIMIT
from buildlib.text import closest

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


# As AWS counts: its 250 MB are 262,144,000 bytes.
_UNITS = {"B": 1, "K": 1 << 10, "M": 1 << 20}


class Entry(NamedTuple):
    """A key and its value in a mapping of the manifest."""

    key: yaml.Node
    value: yaml.Node


class Reader:
    """One reading of a manifest; collects the problems that it meets."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[tuple[int, int, str]] = []

    def problem(self, node: yaml.Node, text: str) -> None:
        """Note a problem at the position of a node."""
        mark = node.start_mark
        self.problems.append((mark.line + 1, mark.column + 1, text))

    # -- YAML ------------------------------------------------------------------------------------

    def mapping(self, node: yaml.Node, what: str, known: Iterable[str] = ()) -> dict[str, Entry]:
        """Return the entries of a mapping; with `known`, unknown keys are problems."""
        prefix = f"{what}: " if what else ""
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, f"{prefix}expected keys and values, found {kind_of(node)}")
            return {}
        entries: dict[str, Entry] = {}
        known = tuple(known)
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                self.problem(
                    key, f"{prefix}a key must be plain text (YAML's '<<' is not used here)"
                )
            elif key.value in entries:
                first = entries[key.value].key.start_mark.line + 1
                self.problem(
                    key, f"{prefix}key '{key.value}' is there twice, first in line {first}"
                )
            elif known and key.value not in known:
                self.problem(
                    key, f"{prefix}unknown key '{key.value}'; {_suggest(key.value, known)}"
                )
            else:
                entries[key.value] = Entry(key, value)
        return entries

    def values(self, node: yaml.Node, key: Key, what: str) -> tuple[str, ...]:
        """Return the texts of a key that takes one or a list; problems give fewer of them."""
        nodes = [node]
        if isinstance(node, yaml.SequenceNode) and key.many:
            nodes = node.value
            if not nodes and key.one:
                self.problem(node, f"{what}: the list is empty")
        elif not key.one:
            self.problem(node, f"{what}: expected a list, found {kind_of(node)}")
            return ()
        found: list[str] = []
        for item in nodes:
            text = self.text(item, key, what)
            if text is not None and text in found:
                self.problem(item, f"{what}: '{text}' is there twice")
            elif text is not None:
                found.append(text)
        return tuple(found)

    def text(self, node: yaml.Node, key: Key, what: str) -> str | None:
        """Return a scalar's text if it is what the key takes."""
        expected = f"expected {' or '.join(key.choices)}" if key.choices else "expected text"
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            if key.choices == tuple(RUNTIMES):
                expected = _quoted(node) or f"{expected}, in quotes"
            self.problem(node, f"{what}: {expected}, found {kind_of(node)}")
            return None
        value = str(node.value)
        if key.choices and value not in key.choices:
            hint = "" if key.choices != tuple(RUNTIMES) else "; Lambda has no such Python runtime"
            self.problem(node, f"{what}: {expected}, found '{value}'{hint}")
            return None
        if not value.strip():
            self.problem(node, f"{what}: the text is empty")
            return None
        if key.pattern and not re.fullmatch(key.pattern, value):
            self.problem(node, f"{what}: '{value}' is not allowed; expected {key.rule}")
            return None
        return value

    def boolean(self, node: yaml.Node, what: str) -> bool:
        """Return a truth value."""
        if node.tag != "tag:yaml.org,2002:bool":
            self.problem(node, f"{what}: expected true or false, found {kind_of(node)}")
            return False
        return str(node.value).lower() in {"true", "yes", "on"}

    def size(self, node: yaml.Node, what: str) -> int | None:
        """Return a number of bytes, from 1 to what Lambda takes."""
        text = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        if node.tag == "tag:yaml.org,2002:int" and re.fullmatch("[0-9]+", text):
            size = int(text)
        elif node.tag == "tag:yaml.org,2002:str" and re.fullmatch(SIZE, text):
            number, unit = re.fullmatch(r"([0-9.]+) ?(.).*", text).groups()  # type: ignore[union-attr]
            size = int(float(number) * _UNITS[unit.upper()])
        else:
            self.problem(
                node, f"{what}: expected bytes, or text such as '80 MB', found {kind_of(node)}"
            )
            return None
        if not 0 < size <= UNZIPPED_LIMIT:
            self.problem(
                node,
                f"{what}: expected from 1 to {UNZIPPED_LIMIT} bytes, which is what Lambda "
                f"takes, found {size}",
            )
            return None
        return size

    def options(
        self, entries: dict[str, Entry], where: str, table: dict[str, Key] | None = None
    ) -> dict[str, Any]:
        """Return the values of the keys that are there, as the fields of a Function have them."""
        found: dict[str, Any] = {}
        for name, entry in entries.items():
            key = (table or LAMBDA_KEYS)[name]
            what = f"{where}: {name}"
            if key.keys:
                inner = self.mapping(entry.value, what, key.keys)
                found[name] = self.options(inner, what, key.keys)
            elif key.boolean:
                found[name] = self.boolean(entry.value, what)
            elif key.size:
                found[name] = self.size(entry.value, what)
            elif key.named:
                found[name] = self.names(entry.value, key, what)
            elif key.many:
                found[name] = self.values(entry.value, key, what)
            else:
                found[name] = self.text(entry.value, key, what)
        return found

    def names(self, node: yaml.Node, key: Key, what: str) -> tuple[tuple[str, str], ...]:
        """Return a mapping of free names to texts, sorted."""
        found = []
        for name, entry in self.mapping(node, what).items():
            if not re.fullmatch(key.named, name):
                self.problem(entry.key, f"{what}: '{name}' is not allowed; expected {key.rule}")
            elif (text := self.text(entry.value, key, f"{what}: {name}")) is not None:
                found.append((name, text))
        return tuple(sorted(found))


def _quoted(node: yaml.Node) -> str | None:
    """Return how to write a Python version that YAML took for a number, or None."""
    number = node.tag == "tag:yaml.org,2002:float" and re.fullmatch(r"\d+\.\d+", node.value)
    if not number:
        return None
    value = float(node.value)
    return f'write the version in quotes: "{node.value}" (YAML reads the number {value!r})'


def kind_of(node: yaml.Node) -> str:
    """Return what a node is, in words for a message."""
    if isinstance(node, yaml.MappingNode):
        return "keys and values"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    names = {"int": "the number", "float": "the number", "bool": "the boolean", "null": "nothing"}
    name = names.get(node.tag.rpartition(":")[2], "")
    return name if name == "nothing" else f"{name} {node.value}".strip()


def _suggest(text: str, known: tuple[str, ...]) -> str:
    close = closest(text, known)
    return f"did you mean '{close}'?" if close else f"allowed: {', '.join(known)}"
