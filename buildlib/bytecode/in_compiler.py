"""Compile sources to bytecode: a program for the Python of the target, from 3.10 on.

It runs no code but its own. The first line of stdin is a JSON list of pairs: the path for the
bytecode, as in tracebacks, and the file to read. For each of them, in order, it writes one line of
JSON to stdout: `sha256` of the source, empty if it cannot be read, and either `size` of the `.pyc`
that follows the line, or the `problem` of a source without.
"""

import hashlib
import importlib.util
import json
import marshal
import sys
import warnings
from collections.abc import Iterator
from types import CodeType

# PEP 552: the `.pyc` has a hash of the source, and Python does not check it.
_UNCHECKED = (0b01).to_bytes(4, "little")


# The bytes of data that an object type has (Python/marshal.c).
_SIZES = {
    **dict.fromkeys(b"0NFTS.", 0),
    **dict.fromkeys(b"i", 4),
    **dict.fromkeys(b"Ig", 8),
    **dict.fromkeys(b"y", 16),
}

_STRINGS, _LONG_STRINGS = b"aAzZut", b"aAut"

_NAME = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

_FLAG_REF, _SHORT = 0x80, 256

# A reference takes five bytes.
_WORTH_A_REFERENCE = 6

# The parts of a code object: a number is that many bytes, and 0 an object.
_CODE = (20, *[0] * 8, 4, 0, 0) if sys.version_info >= (3, 11) else (24, *[0] * 8, 4, 0)


# An object: its first bytes, and then numbers of other objects, or more bytes.
_Parts = tuple[bytes, tuple[bytes | int, ...]]


class _Objects:
    """The objects of a marshalled code object, each value once.

    CPython marks an object for later references if something refers to it at that moment, and that
    depends on the other modules of the process. Strings that are equal to an interned one count as
    interned, too, and before Python 3.11 sets are in the order of their hashes. Here, all of this
    follows from the values alone.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._refs: list[int] = []
        self._known: dict[_Parts, int] = {}
        self.parts: list[_Parts] = []
        self.top = self._object()
        if self._at != len(data):
            msg = "data after the code object"
            raise ValueError(msg)

    def _take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def _number(self, size: int = 4) -> int:
        return int.from_bytes(self._take(size), "little", signed=size > 1)

    def _object(self) -> int:
        """Read an object, and return its number."""
        kind = self._data[self._at]
        self._at += 1
        if kind == ord("r"):
            return self._refs[self._number()]
        if not kind & _FLAG_REF:
            return self._add(kind)
        place = len(self._refs)
        self._refs.append(-1)
        self._refs[place] = number = self._add(kind & ~_FLAG_REF)
        return number

    def _add(self, kind: int) -> int:
        if kind == ord("c"):  # two functions with the same code stay two
            parts = [self._take(size) if size else self._object() for size in _CODE]
            self.parts.append((b"c", tuple(parts)))
            return len(self.parts) - 1
        found = self._read(kind)
        number = self._known.setdefault(found, len(self.parts))
        if number == len(self.parts):
            self.parts.append(found)
        return number

    def _read(self, kind: int) -> _Parts:
        letter = bytes([kind])
        if kind in _SIZES:
            return letter + self._take(_SIZES[kind]), ()
        if kind in _STRINGS:
            size = self._number(4 if kind in _LONG_STRINGS else 1)
            return _string(self._take(size), is_ascii=kind not in b"ut"), ()
        if letter == b"s":
            size = self._number()
            return letter + size.to_bytes(4, "little") + self._take(size), ()
        if letter == b"l":
            size = self._number()
            digits = self._take(2 * abs(size))
            return letter + size.to_bytes(4, "little", signed=True) + digits, ()
        if letter == b":":
            return letter, (self._object(), self._object(), self._object())
        if letter not in {b")", b"(", b"<", b">"}:
            msg = f"unknown type {letter!r} in marshalled code"
            raise ValueError(msg)
        width = 1 if letter == b")" else 4
        items = [self._object() for _ in range(self._number(width))]
        if letter in {b"<", b">"}:
            items.sort(key=self._whole)
        return letter + len(items).to_bytes(width, "little"), tuple(items)

    def _whole(self, number: int) -> bytes:
        """Return an object without references, to sort by."""
        head, others = self.parts[number]
        return head + b"".join(p if isinstance(p, bytes) else self._whole(p) for p in others)


def _string(content: bytes, *, is_ascii: bool) -> bytes:
    """Return a string: interned as the compiler does it, if it could be a name of ASCII."""
    if not is_ascii:
        return b"u" + len(content).to_bytes(4, "little") + content
    is_name = not content.translate(None, _NAME)
    if len(content) < _SHORT:
        return (b"Z" if is_name else b"z") + bytes([len(content)]) + content
    return (b"A" if is_name else b"a") + len(content).to_bytes(4, "little") + content


def canonical(code: CodeType) -> bytes:
    """Return a code object as `marshal.loads` reads it: the same bytes for the same value.

    Raises:
        ValueError: this program does not know the format.

    """
    objects = _Objects(marshal.dumps(code))
    used = [0] * len(objects.parts)
    for _, others in objects.parts:
        for part in others:
            if isinstance(part, int):
                used[part] += 1
    output: list[bytes] = []
    references: dict[int, bytes] = {}

    def write(number: int) -> None:
        head, others = objects.parts[number]
        if used[number] > 1 and len(head) + len(others) >= _WORTH_A_REFERENCE:
            if number in references:
                output.append(references[number])
                return
            references[number] = b"r" + len(references).to_bytes(4, "little")
            head = bytes([head[0] | _FLAG_REF]) + head[1:]
        output.append(head)
        for part in others:
            if isinstance(part, int):
                write(part)
            else:
                output.append(part)

    write(objects.top)
    data = b"".join(output)
    again = marshal.loads(data)  # noqa: S302 - of this program
    if again != code or again.co_filename != code.co_filename:
        msg = "the code object changed when it was written"
        raise ValueError(msg)
    return data


def compiled(source: bytes, path: str) -> bytes:
    """Return the `.pyc` of a source.

    Raises:
        SyntaxError, ValueError, RecursionError, OverflowError: Python cannot compile it.
        MemoryError: this machine is short of memory, which is no reason to leave it out.

    """
    code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source)
    return head + canonical(code)


def _answers(jobs: list[list[str]]) -> Iterator[bytes]:
    for path, file in jobs:
        try:
            with open(file, "rb") as stream:
                source = stream.read()
        except OSError as error:
            yield json.dumps({"sha256": "", "problem": str(error)}).encode() + b"\n"
            continue
        answer: dict[str, object] = {"sha256": hashlib.sha256(source).hexdigest()}
        content = b""
        try:
            content = compiled(source, path)
        except SyntaxError as error:
            answer["problem"] = (
                error.msg if error.lineno is None else f"line {error.lineno}: {error.msg}"
            )
        except (ValueError, RecursionError, OverflowError) as error:
            answer["problem"] = str(error) or type(error).__name__
        else:
            answer["size"] = len(content)
        yield json.dumps(answer).encode() + b"\n" + content


def main() -> None:
    """Compile the sources that stdin names."""
    warnings.simplefilter("ignore")  # about other people's code
    for answer in _answers(json.loads(sys.stdin.buffer.readline())):
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
