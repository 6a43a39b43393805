"""Read YAML nodes by the table of keys, and collect every problem with its position.

Nodes are composed, never constructed: they keep their positions, `python: 3.10` differs from
`"3.10"`, tags construct no objects, and an alias is read once for each place that uses it.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from buildlib.manifest import mistaken
from buildlib.manifest.keys import LAMBDA_KEYS, SIZE, Key
from buildlib.runtimes import RUNTIMES, UNZIPPED_LIMIT

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


# AWS counts like this, too: its 250 MB are 262,144,000 bytes.
# The longest text of a size that can be right, with room for a fraction.
_DIGITS = 30


_UNITS = {"B": 1, "K": 1 << 10, "M": 1 << 20}


class Entry(NamedTuple):
    """A key and its value in a mapping of the manifest."""

    key: yaml.Node
    value: yaml.Node


class Reader:
    """Reads the nodes of one manifest, and collects their problems.

    `base` is the manifest's folder, relative to `root`; its paths are relative to that.
    """

    def __init__(self, root: Path, *, base: str = "", generated: bool = False) -> None:
        self.root = root
        self.base = base
        self.generated = generated
        self.problems: list[tuple[int, int, str]] = []

    def problem(self, node: yaml.Node, text: str) -> None:
        """Note a problem at the position of a node."""
        mark = node.start_mark
        self.problems.append((mark.line + 1, mark.column + 1, text))

    # -- YAML ------------------------------------------------------------------------------------

    def mapping(self, node: yaml.Node, label: str, known: Iterable[str] = ()) -> dict[str, Entry]:
        """Return the entries of a mapping; with `known`, other keys are problems."""
        prefix = f"{label}: " if label else ""
        if not isinstance(node, yaml.MappingNode):
            hint = "; indent the keys below it" if label and kind_of(node) == "nothing" else ""
            self.problem(node, f"{prefix}expected keys and values, found {kind_of(node)}{hint}")
            return {}
        entries: dict[str, Entry] = {}
        known = tuple(known)
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                self.problem(key, f"{prefix}a key must be plain text; YAML's '<<' is not supported")
            elif key.value in entries:
                first = entries[key.value].key.start_mark.line + 1
                self.problem(
                    key, f"{prefix}duplicate key '{key.value}', first defined on line {first}"
                )
            elif known and key.value not in known:
                advice = mistaken.key_advice(key.value, known)
                self.problem(key, f"{prefix}unknown key '{key.value}'{advice}")
            else:
                entries[key.value] = Entry(key, value)
        return entries

    def values(self, node: yaml.Node, key: Key, label: str) -> tuple[str, ...]:
        """Return the valid texts of a key that allows one text or a list of them."""
        nodes = [node]
        if isinstance(node, yaml.SequenceNode) and key.many:
            nodes = node.value
            if not nodes and not key.only_list:
                self.problem(node, f"{label}: the list is empty")
        elif key.only_list:
            hint = f"; write [{node.value}]" if node.tag.endswith(":str") else ""
            self.problem(node, f"{label}: expected a list, found {kind_of(node)}{hint}")
            return ()
        values: dict[str, None] = {}
        for item in nodes:
            text = self.text(item, key, label)
            if text is not None and text in values:
                self.problem(item, f"{label}: duplicate value '{text}'")
            elif text is not None:
                values[text] = None
        return tuple(values)

    def text(self, node: yaml.Node, key: Key, label: str) -> str | None:
        """Return the text of a scalar if it is valid for the key."""
        rule = key.rule if key.pattern else ""
        expected = f"expected {' or '.join(key.choices) or rule or 'text'}"
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            if key.choices == tuple(RUNTIMES):
                if _is_unquoted_version(node):
                    self.problem(
                        node,
                        f'{label} must be a quoted string: "{node.value}" '
                        f"(YAML reads the number {float(node.value)!r})",
                    )
                    return None
                expected += ", as a quoted string"
            self.problem(node, f"{label}: {expected}, found {kind_of(node)}")
            return None
        value = str(node.value)
        if key.choices and value not in key.choices:
            hint = mistaken.value_advice(value, key.choices)
            if not hint and key.choices == tuple(RUNTIMES):
                hint = "; Lambda has no such Python runtime"
            self.problem(node, f"{label}: {expected}, found '{value}'{hint}")
            return None
        if not value.strip():
            self.problem(node, f"{label}: the text is empty")
            return None
        if key.pattern and not re.fullmatch(key.pattern, value):
            shown = re.sub(r"(?<=//)[^/\s]+(?=@)", "****", value)  # a password is in no message
            self.problem(node, f"{label}: '{shown}' is not allowed; expected {key.rule}")
            return None
        return value

    def boolean(self, node: yaml.Node, label: str) -> bool:
        """Return a truth value; a problem gives false."""
        if node.tag != "tag:yaml.org,2002:bool":
            hint = "; remove the quotes" if node.value in ("true", "false") else ""
            self.problem(node, f"{label}: expected true or false, found {kind_of(node)}{hint}")
            return False
        return str(node.value).lower() in {"true", "yes", "on"}

    def number(self, node: yaml.Node, label: str) -> int | None:
        """Return a whole number from 1 to 99."""
        text = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        if node.tag == "tag:yaml.org,2002:int" and re.fullmatch("[1-9][0-9]?", text):
            return int(text)
        self.problem(node, f"{label}: expected a number from 1, found {kind_of(node)}")
        return None

    def size(self, node: yaml.Node, label: str) -> int | None:
        """Return a number of bytes, from 1 to Lambda's limit."""
        text = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        if len(text) > _DIGITS:
            self.problem(node, f"{label}: expected 1 to {UNZIPPED_LIMIT} bytes, Lambda's limit")
            return None
        if node.tag == "tag:yaml.org,2002:int" and re.fullmatch("[0-9]+", text):
            size = int(text)
        elif node.tag == "tag:yaml.org,2002:str" and re.fullmatch(SIZE, text):
            number, unit = re.fullmatch(r"([0-9.]+) ?(.).*", text).groups()  # type: ignore[union-attr]
            size = int(float(number) * _UNITS[unit.upper()])
        else:
            self.problem(
                node, f"{label}: expected bytes, or text such as '80 MB', found {kind_of(node)}"
            )
            return None
        if not 0 < size <= UNZIPPED_LIMIT:
            self.problem(
                node,
                f"{label}: expected 1 to {UNZIPPED_LIMIT} bytes, Lambda's limit, found {size}",
            )
            return None
        return size

    def options(
        self, entries: dict[str, Entry], where: str, table: dict[str, Key] | None = None
    ) -> dict[str, Any]:
        """Return the values of the given keys, in the types of the fields of a Function."""
        values: dict[str, Any] = {}
        for name, entry in entries.items():
            key = (table or LAMBDA_KEYS)[name]
            label = f"{where}: {name}"
            if key.items:
                values[name] = tuple(self.items(entry.value, key, label))
            elif key.keys:
                values[name] = self.inner(entry.value, key.keys, key.short, label)
            elif key.boolean:
                values[name] = self.boolean(entry.value, label)
            elif key.number:
                values[name] = self.number(entry.value, label)
            elif key.size:
                values[name] = self.size(entry.value, label)
            elif key.named:
                values[name] = self.named_texts(entry.value, key, label)
            elif key.many:
                values[name] = self.values(entry.value, key, label)
            else:
                values[name] = self.text(entry.value, key, label)
        return values

    def inner(
        self, node: yaml.Node, keys: dict[str, Key], short: str, label: str
    ) -> dict[str, Any]:
        """Return the values of a mapping; another node is the value of its key `short`."""
        if short and not isinstance(node, yaml.MappingNode):
            value = self.values if keys[short].many else self.text
            return {short: value(node, keys[short], label)}
        return self.options(self.mapping(node, label, keys), label, keys)

    def items(self, node: yaml.Node, key: Key, label: str) -> list[dict[str, Any]]:
        """Return the values of each element of a list; the same one twice is a problem."""
        if not isinstance(node, yaml.SequenceNode):
            self.problem(node, f"{label}: expected a list, found {kind_of(node)}")
            return []
        found: list[dict[str, Any]] = []
        for item in node.value:
            values = self.inner(item, key.items or {}, key.short, label)
            if values in found and values.get(key.short):
                self.problem(item, f"{label}: duplicate value '{values[key.short]}'")
            found.append(values)
        return found

    def named_texts(self, node: yaml.Node, key: Key, label: str) -> tuple[tuple[str, str], ...]:
        """Return a mapping of names that match `key.named` to texts, sorted."""
        pairs = []
        for name, entry in self.mapping(node, label).items():
            if not re.fullmatch(key.named, name):
                self.problem(entry.key, f"{label}: '{name}' is not allowed; expected {key.rule}")
            elif (text := self.text(entry.value, key, f"{label}: {name}")) is not None:
                pairs.append((name, text))
        return tuple(sorted(pairs))


def _is_unquoted_version(node: yaml.Node) -> bool:
    """Tell whether YAML took a Python version for a number."""
    is_float = node.tag == "tag:yaml.org,2002:float"
    return is_float and re.fullmatch(r"\d+\.\d+", node.value) is not None


def kind_of(node: yaml.Node) -> str:
    """Return the kind of a node, in words for a message."""
    if isinstance(node, yaml.MappingNode):
        return "keys and values"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    names = {"int": "the number", "float": "the number", "bool": "the boolean", "null": "nothing"}
    name = names.get(node.tag.rpartition(":")[2], "")
    return name if name == "nothing" else f"{name} {node.value}".strip()
