"""Functions and methods of Python, Node and their path libraries, for literal values."""

import posixpath
import re
from collections.abc import Callable, Sequence

from buildlib.commands.init.cdk.values import Here, Method, Record, Unknown, Value

_Arguments = Sequence[Value]


# Characters of a text, and elements of a list, that are followed.
LONGEST, MOST = 10_000, 500


# Digits of a number that is followed.
DIGITS = 18


def bounded(value: Value) -> Value:
    """Return a value; `Unknown` instead of a text, list or number that is too long."""
    if isinstance(value, int) and abs(value) >= 10**DIGITS:
        return Unknown("a large number")
    if isinstance(value, str):
        return value if len(value) <= LONGEST else Unknown("a long text")
    if isinstance(value, list):
        return value if len(value) <= MOST else Unknown("a long list")
    return value


def join(parts: _Arguments) -> Value:
    """Return joined paths; an absolute part, such as one from `__file__`, begins again."""
    if not parts or not all(isinstance(part, str) for part in parts):
        return None
    result: str = parts[0]
    for part in parts[1:]:
        if isinstance(part, Here):
            result = part
        else:
            kind = type(result)
            result = kind(posixpath.join(result, part))
    return result


def concatenate(parts: _Arguments) -> Value:
    """Return a text of parts; unknown if one of them is."""
    texts = [str(part) if isinstance(part, str | int) else "" for part in parts]
    whole = "".join(texts)
    if any(not isinstance(part, str | int) for part in parts):
        first = next(part for part in parts if not isinstance(part, str | int))
        known = "".join(part.known if isinstance(part, Unknown) else "" for part in parts) or whole
        return Unknown(getattr(first, "text", "a value"), known)
    return Here(whole) if isinstance(parts[0], Here) else whole


def _dirname(path: str) -> str:
    return type(path)(posixpath.dirname(path) or ("." if isinstance(path, Here) else ""))


def _first(arguments: _Arguments) -> Value:
    return arguments[0] if arguments and isinstance(arguments[0], str | list) else None


def _entries(arguments: _Arguments) -> Value:
    return _pairs(arguments[0]) if arguments and isinstance(arguments[0], Record) else None


def _pairs(record: Record) -> Value:
    return None if record.is_open else [[key, value] for key, value in record.items()]


def _keys(record: Record) -> Value:
    return None if record.is_open else list(record)


def _values(record: Record) -> Value:
    return None if record.is_open else list(record.values())


def _enumerate(arguments: _Arguments) -> Value:
    is_list = len(arguments) == 1 and isinstance(arguments[0], list)
    return [[number, value] for number, value in enumerate(arguments[0])] if is_list else None


def _zip(arguments: _Arguments) -> Value:
    if not all(isinstance(one, list) for one in arguments):
        return None
    return [list(one) for one in zip(*arguments, strict=False)]


# The functions by their dotted names; None means that the result is unknown.
FUNCTIONS: dict[str, Callable[[_Arguments], Value]] = {
    **dict.fromkeys(
        ("os.path.join", "path.join", "path.posix.join", "path.resolve", "pathlib.Path",
         "pathlib.PurePath", "pathlib.PurePosixPath"), join,
    ),
    **dict.fromkeys(
        ("os.path.abspath", "os.path.realpath", "os.path.normpath", "os.fspath", "str", "list",
         "tuple", "sorted", "path.normalize", "url.fileURLToPath", "String"), _first,
    ),
    **dict.fromkeys(
        ("os.path.dirname", "path.dirname"),
        lambda arguments: _dirname(arguments[0]) if _is_text(arguments) else None,
    ),
    **dict.fromkeys(("os.getcwd", "pathlib.Path.cwd", "process.cwd"), lambda _: "."),
    "os.path.basename": lambda a: posixpath.basename(a[0]) if _is_text(a) else None,
    "path.basename": lambda a: posixpath.basename(a[0]) if _is_text(a) else None,
    "enumerate": _enumerate,
    "zip": _zip,
    "Object.entries": _entries,
    "Object.keys": lambda a: _keys(a[0]) if a and isinstance(a[0], Record) else None,
    "Object.values": lambda a: _values(a[0]) if a and isinstance(a[0], Record) else None,
    "Object.freeze": lambda a: a[0] if a else None,
}  # fmt: skip


# Names that a program has without an import.
BUILTINS = frozenset({
    "str", "list", "tuple", "sorted", "enumerate", "zip", "dict", "String", "Object", "process",
})  # fmt: skip


# Methods that change a list or record.
CHANGES = {
    *("append", "push", "extend", "update", "insert", "pop", "remove", "clear", "setdefault"),
    *("reverse", "sort", "unshift", "shift", "splice", "popitem"),
}


def _is_text(arguments: _Arguments) -> bool:
    return bool(arguments) and isinstance(arguments[0], str)


def attribute(of: Value, name: str) -> Value:
    """Return an attribute of a text, list or record."""
    if isinstance(of, str) and name == "parent":
        return _dirname(of)
    if isinstance(of, str) and name == "parents":
        found = [of]
        for _ in range(of.count("/") + 1):
            found.append(_dirname(found[-1]))
        return found[1:]
    if isinstance(of, Record) and name in of:
        return of[name]
    if isinstance(of, Record) and name not in _METHODS and name not in CHANGES:
        return Unknown(name) if of.is_open else None
    return Method(of, name)


def _replace(of: str, arguments: _Arguments) -> Value:
    is_plain = len(arguments) == 2 and all(isinstance(one, str) for one in arguments)  # noqa: PLR2004
    return of.replace(*arguments) if is_plain else None


def _format(of: str, arguments: _Arguments) -> Value:
    is_plain = all(isinstance(one, str | int) for one in arguments) and of.count("{") == of.count(
        "{}"
    ) == len(arguments)
    return of.format(*arguments) if is_plain else None


def _get(of: Value, arguments: _Arguments) -> Value:
    if not isinstance(of, Record) or not _is_text(arguments):
        return None
    if arguments[0] in of or of.is_open:
        return of.get(arguments[0])
    return arguments[1] if len(arguments) > 1 else None


def _same(of: Value, _: _Arguments) -> Value:
    return of if isinstance(of, str) else None


def _cased(change: Callable[[str], str]) -> Callable[[Value, _Arguments], Value]:
    return lambda of, _: change(of) if isinstance(of, str) else None


_METHODS: dict[str, Callable[[Value, _Arguments], Value]] = {
    **dict.fromkeys(("resolve", "absolute", "as_posix", "toString", "__str__"), _same),
    "joinpath": lambda of, arguments: join([of, *arguments]),
    "replace": lambda of, arguments: _replace(of, arguments) if isinstance(of, str) else None,
    "format": lambda of, arguments: _format(of, arguments) if isinstance(of, str) else None,
    "lower": _cased(str.lower),
    "upper": _cased(str.upper),
    "title": _cased(str.title),
    "capitalize": _cased(str.capitalize),
    "strip": lambda of, arguments: of.strip() if isinstance(of, str) and not arguments else None,
    "toLowerCase": _cased(str.lower),
    "toUpperCase": _cased(str.upper),
    "items": lambda of, _: _pairs(of) if isinstance(of, Record) else None,
    "keys": lambda of, _: _keys(of) if isinstance(of, Record) else None,
    "values": lambda of, _: _values(of) if isinstance(of, Record) else None,
    "get": _get,
    "copy": lambda of, _: of,
}


def call_method(method: Method, arguments: _Arguments) -> Value:
    """Return the result of a method; None if it is unknown."""
    known = _METHODS.get(method.name)
    return known(method.of, arguments) if known else None


def canonical(module: str, name: str = "") -> str:
    """Return the dotted name of a library, as Python writes those of CDK.

    `aws-cdk-lib/aws-lambda` and `@aws-cdk/aws-lambda` are `aws_cdk.aws_lambda`.
    """
    module = module.removeprefix("node:")
    if module.startswith(("aws-cdk-lib", "@aws-cdk/")):
        module = re.sub(r"^(aws-cdk-lib/?|@aws-cdk/)", "aws_cdk/", module).strip("/")
        module = module.replace("/", ".").replace("-", "_")
    return f"{module}.{name}" if name and name != "default" else module
