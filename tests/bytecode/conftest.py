"""Sources with all that marshal writes, and the CPythons of this machine."""

from pathlib import Path

import pytest

from buildlib.bytecode import compiler
from buildlib.bytecode.compiler import Compiler
from buildlib.runtimes import RUNTIMES

SAMPLE = '''\
"""A docstring, which is longer than a name: "quoted", and with umlauts \u00e4\u00f6\u00fc."""
from __future__ import annotations
import os.path as path

HUGE = 123456789012345678901234567890123456789 * 2, -5, 2 ** 200, 0, 2147483648, -2147483649
FLOATS = 0.0, -0.0, 1.5, 1e300 * 1e300, 2j, 1, True, 1.0
TEXTS = "a", "-", "two words", "name", "\\ud800", "\u00e9t\u00e9", b"name", b"", "", "x" * 300
TABLE = ((1, ("name", None)), (1, ("name", None)), ..., ())


def member(value):
    return value in {"red", "green", "blue", 1, (2, "two"), b"three", None, frozenset}


class Thing:
    def __init__(self, zebra, apple):
        self.zebra, self.apple, self.mango = zebra, apple, path
        self.\u00fcmlaut = [lambda: 0, lambda: 0, lambda *a, k=1: (a, k, zebra)]

    @property
    def both(self):
        return {key: [x for x in value if x] for key, value in vars(self).items()}

    async def later(self, *, \u00fcmlaut=None):
        try:
            return [x async for x in self.later(\u00fcmlaut=1)][1:2]
        except (ValueError, OSError) as error:
            raise RuntimeError("two words") from error
'''


def _here() -> list[Compiler]:
    found = (compiler.newest(python, Path.cwd()) for python in RUNTIMES)
    return [one for one in found if one is not None]


HERE = _here()


@pytest.fixture(params=HERE, ids=[one.version for one in HERE])
def cpython(request: pytest.FixtureRequest) -> Compiler:
    """Give each CPython of this machine that Lambda has a runtime for, one for each minor."""
    found: Compiler = request.param
    return found
