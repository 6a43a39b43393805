"""The syntax of the target decides, not that of the Python which runs us."""

import pytest

from buildlib.code import syntax


def errors(source: str | bytes, python: str) -> list[str]:
    """Return the errors in app.py."""
    content = source.encode() if isinstance(source, str) else source
    return syntax.check({"lambdas/api/app.py": content}, python)


NEW = {
    "match x:\n    case 1: pass\n": "3.10",
    "try: pass\nexcept* ValueError: pass\n": "3.11",
    "type X = int\n": "3.12",
    "x = f'{y['z']}'\n": "3.12",
    "def f[T](x: T): ...\n": "3.12",
    "class A[T = int]: ...\n": "3.13",
    "try: pass\nexcept A, B: pass\n": "3.14",
    "x = t'{y}'\n": "3.14",
}


@pytest.mark.parametrize("source", NEW)
def test_versions(source: str) -> None:
    """Syntax is right from its version on, and an error before."""
    version = NEW[source]
    assert errors(source, version) == []
    assert errors(source, "3.14") == []
    before = f"3.{int(version[2:]) - 1}"
    if before != "3.9":
        assert any("3." in error and "app.py:" in error for error in errors(source, before))


@pytest.mark.parametrize(
    "source",
    [
        "def handler(:\n",
        "print 'x'\n",
        "return 1\n",
        "x = 1\n  y = 2\n",
        "from x import y\nfrom __future__ import annotations\n",
        b"\xff\n",
        b"x = 1\n\0",
        "break\n",
        "from __future__ import braces\n",
        "# coding: uft-8\n",
        b"\xef\xbb\xbf# coding: latin-1\n",
        "# coding: ascii\n# \u00fc\n",
        "def f(a, a): ...\n",
        "def f():\n    nonlocal x\n",
        "def f():\n    await x\n",
        "async def f():\n    yield from x\n",
        "def f():\n    print(x)\n    global x\n",
        "def f():\n    from x import *\n",
        "a, *b, *c = d\n",
        "x = 1\n\tif x:\n",
    ],
)
def test_errors(source: str | bytes) -> None:
    """Code that no Python compiles is an error with its line and column."""
    (first, *_) = errors(source, "3.13")
    assert first.startswith("lambdas/api/app.py:")
    assert first.split(":")[1].isdigit()


@pytest.mark.parametrize(
    "source",
    [
        "",
        "# -*- coding: latin-1 -*-\n# \u00fc\n".encode("latin-1"),
        b"\xef\xbb\xbfx = 1\n",
        b"\xef\xbb\xbf# coding: utf-8\nx = 1\n",
        "#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\n# \u00fc\n".encode("cp1252"),
        "from __future__ import annotations\n",
        "x = 1\r\ny = 2\r\n",
        "'\\d'\n",
        "x = 1  # noqa\n",
        "import os, sys\nx = undefined\n",
        "async def f():\n    return [x async for x in y]\n",
    ],
)
def test_no_errors(source: str | bytes) -> None:
    """Right code has no errors: this is no linter."""
    assert errors(source, "3.10") == []


def test_many_files() -> None:
    """Each file is checked, with as many processes as their number takes."""
    sources = {
        f"m{number}.py": b"x = (\n" if number % 100 == 0 else b"x = 1\n" for number in range(450)
    }
    found = syntax.check(sources, "3.13")
    assert {error.split(":")[0] for error in found} == {f"m{n}.py" for n in range(0, 450, 100)}


def test_a_source_that_ruff_dies_of(caplog: pytest.LogCaptureFixture) -> None:
    """The file is named in a warning, and the errors of all others are found."""
    deep = ("X = " + " + ".join(["y"] * 20_000) + "\n").encode()
    sources = {f"good{n}.py": b"match x:\n    case 1: pass\n" for n in range(4)}
    sources |= {"deep.py": deep, "wrong.py": b"def f(:\n"}
    found = syntax.check(sources, "3.13")
    assert {error.split(":")[0] for error in found} == {"wrong.py"}
    (record,) = caplog.records
    assert record.getMessage().startswith("deep.py: its syntax was not checked")
