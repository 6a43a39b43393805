"""Records: JSON that this package writes for itself, with its own sha256 and a known shape.

A record that is missing, cut off, changed or of another shape counts as missing: the step that
writes it runs again. The sha256 finds accidents. The shape also holds against a restored cache,
whose author can compute a sha256.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from buildlib.files import atomic
from buildlib.files.names import is_below

_HEAD, _MIDDLE = b'{"sha256":"', b'","record":'


Shape = Callable[[Any], bool]


def write(path: Path, value: object) -> None:
    """Replace the content of `path` atomically by a record of a JSON value."""
    text = json.dumps(value, separators=(",", ":"))
    atomic.write(path, sealed(text.encode()), ours=True)


def sealed(text: bytes) -> bytes:
    """Return a record, itself JSON, of a JSON text."""
    digest = hashlib.sha256(text).hexdigest().encode()
    return b"".join((_HEAD, digest, _MIDDLE, text, b"}"))


def read(path: Path, shape: Shape) -> Any:  # noqa: ANN401 - of the shape
    """Return the value of a record; None if the file is missing, damaged or of another shape."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    start = len(_HEAD) + 64 + len(_MIDDLE)
    text = content[start:-1]
    if content != sealed(text):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if shape(value) else None


# -- shapes --------------------------------------------------------------------------------------


def text(value: Any) -> bool:  # noqa: ANN401 - any JSON value, here and below
    """Match a string."""
    return isinstance(value, str)


def number(value: Any) -> bool:  # noqa: ANN401
    """Match an integer that is not negative, such as a size; it fits into 63 bits."""
    return type(value) is int and 0 <= value < 1 << 63


def mapping(value: Any) -> bool:  # noqa: ANN401
    """Match an object of any content."""
    return isinstance(value, dict)


def sequence(value: Any) -> bool:  # noqa: ANN401
    """Match an array of any content."""
    return isinstance(value, list)


_SHA256 = re.compile(r"[0-9a-f]{64}")


def sha256(value: Any) -> bool:  # noqa: ANN401
    """Match a sha256 in hex."""
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def row(*shapes: Shape) -> Shape:
    """Match an array of as many values, each of its shape."""

    def matches(value: Any) -> bool:  # noqa: ANN401
        return (
            isinstance(value, list)
            and len(value) == len(shapes)
            and all(shape(item) for shape, item in zip(shapes, value, strict=True))
        )

    return matches


def list_of(shape: Shape) -> Shape:
    """Match an array of values of one shape."""
    return lambda value: isinstance(value, list) and all(map(shape, value))


def map_of(key: Shape, shape: Shape) -> Shape:
    """Match an object with keys and values of these shapes."""
    return lambda value: (
        isinstance(value, dict) and all(map(key, value)) and all(map(shape, value.values()))
    )


def fields(**shapes: Shape) -> Shape:
    """Match an object with exactly these keys, each value of its shape."""
    expected: Mapping[str, Shape] = shapes

    def matches(value: Any) -> bool:  # noqa: ANN401
        return (
            isinstance(value, dict)
            and value.keys() == expected.keys()
            and all(shape(value[name]) for name, shape in expected.items())
        )

    return matches


def optional(shape: Shape) -> Shape:
    """Match null, and values of a shape."""
    return lambda value: value is None or shape(value)


# The rows of `model.File` and `model.Written`.
FILE = (is_below, sha256, number)
WRITTEN = row(sha256, number, number)
