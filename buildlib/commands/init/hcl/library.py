"""The functions of HCL that init evaluates, with Terraform's names."""

import json
import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any

from buildlib.commands.init.hcl import paths, values
from buildlib.commands.init.hcl.evaluate import Function, Scope
from buildlib.commands.init.hcl.paths import Folder
from buildlib.commands.init.hcl.values import Failure, Unknown, as_set, elements, text_of

Value = Any


def of(folder: Folder) -> Mapping[str, Function]:
    """Return the functions; those about files read below a folder's repository."""
    about_files: dict[str, Callable[..., Value]] = {
        "abspath": folder.absolute,
        "file": folder.text,
        "fileexists": folder.has,
        "fileset": folder.matches,
        "get_repo_root": lambda: paths.ROOT,  # of Terragrunt
        "get_terragrunt_dir": lambda: paths.absolute(folder.name),
    }
    known = {name: _known(function) for name, function in {**_KNOWN, **about_files}.items()}
    return {**known, **{name: _partly(function) for name, function in _PARTLY.items()}}


def _known(function: Callable[..., Value]) -> Function:
    """Return a function of values that are all known, directly and inside of collections."""

    def call(_: Scope, arguments: list[Value]) -> Value:
        unknown = values.first_unknown(arguments)
        return Unknown(unknown.cause) if unknown else function(*arguments)

    return call


def _partly(function: Callable[..., Value]) -> Function:
    """Return a function of known collections, whose elements may be unknown."""

    def call(_: Scope, arguments: list[Value]) -> Value:
        unknown = next((one for one in arguments if isinstance(one, Unknown)), None)
        return Unknown(unknown.cause) if unknown else function(*arguments)

    return call


def _merge(*maps: Value) -> Value:
    result: dict[str, Value] = {}
    for one in maps:
        if one is not None:
            result.update(one)
    return result


def _concat(*lists: Value) -> Value:
    if sum(len(elements(one)) for one in lists) > values.MOST:
        return Unknown("it is too large to be evaluated here")
    return [value for one in lists for value in elements(one)]


def _flatten(value: Value) -> Value:
    """Return the elements of nested lists; a list that is shared is visited each time."""
    found: list[Value] = []
    todo = [value]
    steps = 0
    while todo:
        one = todo.pop()
        steps += 1
        if isinstance(one, list):
            todo += reversed(one)
        else:
            found.append(one)
        if steps + len(todo) > 4 * values.MOST:
            return Unknown("it is too large to be evaluated here")
    return found


def _lookup(mapping: Value, key: str, *default: Value) -> Value:
    if key not in mapping and not default:
        msg = f"no element {key}"
        raise Failure(msg)
    return mapping.get(key, *default)


def _length(value: Value) -> Value:
    return len(value) if isinstance(value, str) else len(elements(value))


def _setproduct(*sets: Value) -> Value:
    found: list[list[Value]] = [[]]
    for one in sets:
        if len(found) * len(elements(one)) > values.MOST:
            return Unknown("it is too large to be evaluated here")
        found = [[*row, value] for row in found for value in elements(one)]
    return found


def _range(*numbers: float) -> Value:
    if any(abs(number) > values.MOST for number in numbers):
        return Unknown("it is too large to be evaluated here")
    return list(range(*map(int, numbers)))


def _coalesce(*options: Value) -> Value:
    for option in options:
        if option is not None and option != "":
            return option
    msg = "no argument has a value"
    raise Failure(msg)


def _join(separator: str, *lists: Value) -> Value:
    texts = [text_of(value) for one in lists for value in elements(one)]
    if sum(map(len, texts)) + len(separator) * len(texts) > values.LONGEST:
        return Unknown("it is too large to be evaluated here")
    return separator.join(texts)


def _replace(text: str, old: str, new: str) -> Value:
    if len(old) > 1 and old.startswith("/") and old.endswith("/"):
        return Unknown("it replaces by a regular expression")
    if len(text) + text.count(old) * len(new) > values.LONGEST:
        return Unknown("it is too large to be evaluated here")
    return text.replace(old, new)


_VERB = re.compile(r"%(0?\d)?([sdqv%])")


def _format(pattern: str, *arguments: Value) -> Value:
    """Return a formatted text; the verbs are %s, %d, %v and %q, with a width of one digit."""
    if "%" in _VERB.sub("", pattern):
        return Unknown("it formats by a verb that is not evaluated here")
    rest = iter(arguments)

    def verb(match: re.Match[str]) -> str:
        if match[2] == "%":
            return "%"
        text = text_of(next(rest, None))
        width = match[1] or "0"
        text = f'"{text}"' if match[2] == "q" else text
        return text.rjust(int(width), "0" if width.startswith("0") else " ")

    return _VERB.sub(verb, pattern)


def _number(value: Value) -> Value:
    return value if isinstance(value, int | float) else float(value)


def _yaml(text: str) -> Value:
    from buildlib.commands.init import templates  # it has the bounds of YAML

    return templates.decoded(text)


def _distinct(some: Value) -> Value:
    if any(isinstance(one, list | dict) for one in some):
        return Unknown("it compares collections")
    return list(dict.fromkeys(some))


_KNOWN: Mapping[str, Callable[..., Value]] = {
    "basename": lambda path: posixpath.basename(path.rstrip("/")),
    "dirname": paths.dirname,
    "contains": lambda some, value: value in elements(some),
    "distinct": _distinct,
    "endswith": lambda text, end: text.endswith(end),
    "startswith": lambda text, start: text.startswith(start),
    "format": _format,
    "join": _join,
    "jsondecode": json.loads,
    "yamldecode": _yaml,
    "lower": str.lower,
    "upper": str.upper,
    "title": str.title,
    "max": max,
    "min": min,
    "range": _range,
    "replace": _replace,
    "setunion": lambda *sets: as_set([value for one in sets for value in elements(one)]),
    "sort": lambda some: sorted(map(text_of, elements(some))),
    "split": lambda separator, text: text.split(separator),
    "substr": lambda text, start, size: text[int(start) :][: int(size) if size >= 0 else None],
    "tobool": lambda value: {"true": True, "false": False}.get(value, value),
    "tonumber": _number,
    "toset": lambda some: as_set(elements(some)),
    "tostring": lambda value: None if value is None else text_of(value),
    "trim": lambda text, characters: text.strip(characters),
    "trimprefix": lambda text, start: text.removeprefix(start),
    "trimspace": str.strip,
    "trimsuffix": lambda text, end: text.removesuffix(end),
}


_PARTLY: Mapping[str, Callable[..., Value]] = {
    "coalesce": _coalesce,
    "coalescelist": lambda *lists: next(filter(None, lists)),
    "compact": lambda some: [one for one in elements(some) if one is not None and one != ""],
    "concat": _concat,
    "element": lambda some, index: elements(some)[int(index) % len(elements(some))],
    "flatten": _flatten,
    "keys": lambda mapping: sorted(mapping.keys()),
    "length": _length,
    "lookup": _lookup,
    "merge": _merge,
    "nonsensitive": lambda value: value,
    "one": lambda some: elements(some)[0] if elements(some) else None,
    "reverse": lambda some: elements(some)[::-1],
    "sensitive": lambda value: value,
    "setproduct": _setproduct,
    "slice": lambda some, start, end: elements(some)[int(start) : int(end)],
    "tolist": elements,
    "tomap": lambda mapping: {**mapping},
    "values": lambda mapping: [mapping[key] for key in sorted(mapping)],
    "zipmap": lambda names, some: dict(zip(map(text_of, names), elements(some), strict=True)),
}
