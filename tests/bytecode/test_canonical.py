"""One form of bytecode: the same bytes from any process, and the same code as the compiler's."""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from buildlib.bytecode import compiled, compiler, in_compiler
from buildlib.bytecode.compiled import Result, Source
from buildlib.bytecode.compiler import Compiler
from buildlib.cache.bytecode import Bytecode
from tests.bytecode.conftest import SAMPLE

# The sha256 of the sample's .pyc, by the version of CPython, on every machine.
GOLDEN = {
    "3.10.13": "6470e0ce5a5f55a42245861c9082e5f5f78e8e22d67b661d26859a0f25539b86",
    "3.11.7": "e4f16ffe3d7e24774ee41210a7f44feb4c8f2413fa7cd4d6570564daf5386bc7",
    "3.12.1": "d7c3cee1e83c4f2818012e7e130088a69de65e2c6ef7d5ca9e37015f29db5bfa",
    "3.13.0": "4cfc048f503a2eebe882d2e9da23fcd16d757dee78b34beefff465a1ec63ef6c",
}


def results(
    cpython: Compiler, files: Mapping[str, str | bytes], folder: Path, cache: str = "cache"
) -> dict[str, Result]:
    """Return the result of each file, by its name."""
    sources = []
    for name, text in files.items():
        content = text.encode() if isinstance(text, str) else text
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        sources.append(Source(f"/var/task/{name}", digest, len(content), str(folder / name)))
    found = compiled.compile_all(
        sources, cpython.version, lambda: cpython, Bytecode(folder / cache), folder / "locks"
    )
    return {source.path.removeprefix("/var/task/"): result for source, result in found}


@pytest.mark.parametrize("version", GOLDEN)
def test_golden(version: str, tmp_path: Path) -> None:
    """The bytes of a version of CPython are those that were recorded, on any machine."""
    cpython = compiler.find(version, tmp_path)
    if cpython is None:
        pytest.skip(f"CPython {version} is not installed")
    found = results(cpython, {"sample.py": SAMPLE}, tmp_path)["sample.py"]
    assert hashlib.sha256(found.content).hexdigest() == GOLDEN[version]


# Fills the memory of the compiling process with interned strings and live code objects.
_CROWD = """
import runpy, sys
kept = [sys.intern(word) for word in sys.argv[2].split("|")]
kept += [compile(open(sys.argv[3], "rb").read(), str(n), "exec") for n in range(3)]
import email.message, http.client, unittest
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize("seed", ["0", "4711", "random"])
@pytest.mark.parametrize("options", [(), ("-W", "error"), ("-O",), ("-X", "dev")])
def test_equal_from_any_process(
    cpython: Compiler, tmp_path: Path, seed: str, options: tuple[str, ...]
) -> None:
    """Neither the hash seed, nor options, nor other code in memory reach the bytes."""
    usual = results(cpython, {"sample.py": SAMPLE}, tmp_path)["sample.py"].content
    sample, program = str(tmp_path / "sample.py"), in_compiler.__file__
    words = "two words|-|red|name|\u00e9t\u00e9|/var/task/sample.py"
    variables = os.environ | {"PYTHONHASHSEED": seed}
    done = subprocess.run(
        [cpython.path, *options, "-c", _CROWD, program, words, sample],
        env=variables,
        input=f'[["/var/task/sample.py", "{sample}"]]\n'.encode(),
        capture_output=True,
        check=True,
    )
    assert done.stdout.partition(b"\n")[2] == usual


def test_references_from_elsewhere(cpython: Compiler, tmp_path: Path) -> None:
    """Marshal writes an object differently while something refers to it; the one form is equal."""
    (tmp_path / "sample.py").write_text(SAMPLE, encoding="utf-8")
    program = (
        "import marshal, sys\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "import in_compiler\n"
        "code = compile(open(sys.argv[1], 'rb').read(), 'sample.py', 'exec')\n"
        "alone, form = marshal.dumps(code), in_compiler.canonical(code)\n"
        "held = [code.co_consts, code.co_names, code.co_filename]\n"
        "codes = [one for one in code.co_consts if hasattr(one, 'co_code')]\n"
        "held += [(one.co_consts, one.co_names) for one in codes]\n"
        "assert marshal.dumps(code) != alone\n"
        "assert in_compiler.canonical(code) == form\n"
    )
    folder = str(Path(in_compiler.__file__).parent)
    command = [cpython.path, "-c", program, str(tmp_path / "sample.py"), folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_order_and_neighbours(cpython: Compiler, tmp_path: Path) -> None:
    """The bytes of a file are the same alone, first, last, and among others."""
    files = {f"m{n}.py": f"NAME_{n} = 'two words', {n}\n{SAMPLE}" for n in range(5)}
    once = results(cpython, files, tmp_path / "a")
    again = results(cpython, dict(reversed(files.items())), tmp_path / "elsewhere")
    assert once == again
    for name, text in files.items():
        assert results(cpython, {name: text}, tmp_path / name)[name] == once[name]


def test_the_code_is_the_compilers(cpython: Compiler, tmp_path: Path) -> None:
    """A Python that loads the file gets the code of its compiler, down to types and signs."""
    found = results(cpython, {"sample.py": SAMPLE}, tmp_path)["sample.py"]
    (tmp_path / "sample.pyc").write_bytes(found.content)
    program = (
        "import importlib.util, marshal, sys\n"
        "data = open(sys.argv[1] + 'c', 'rb').read(); source = open(sys.argv[1], 'rb').read()\n"
        "assert data[:8] == importlib.util.MAGIC_NUMBER + b'\\1\\0\\0\\0'\n"
        "assert data[8:16] == importlib.util.source_hash(source)\n"
        "found, made = marshal.loads(data[16:]), compile(source, '/var/task/sample.py', 'exec')\n"
        "def walk(a, b):\n"
        "    for name in dir(a):\n"
        "        if name.startswith('co_') and not callable(getattr(a, name)):\n"
        "            if name == 'co_consts':\n"
        "                for x, y in zip(a.co_consts, b.co_consts, strict=True):\n"
        "                    if hasattr(x, 'co_code'): walk(x, y)\n"
        "                    elif not isinstance(x, frozenset): assert repr(x) == repr(y)\n"
        "                    else: assert x == y\n"
        "            else: assert getattr(a, name) == getattr(b, name), name\n"
        "walk(found, made)\n"
        "names = {}\n"
        "exec(found, names)\n"
        "assert str(names['FLOATS'][1]) == '-0.0' and names['FLOATS'][6] is True\n"
        "assert names['member']((2, 'two')) and not names['member']('grey')\n"
        "others = {}\n"
        "exec(made, others)\n"
        "first, second, _ = getattr(names['Thing'](1, 2), '\\xfcmlaut')\n"
        "one, two, _ = getattr(others['Thing'](1, 2), '\\xfcmlaut')\n"
        "assert (first.__code__ is second.__code__) == (one.__code__ is two.__code__)\n"
    )
    done = subprocess.run(
        [cpython.path, "-c", program, str(tmp_path / "sample.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_left_out(cpython: Compiler, tmp_path: Path) -> None:
    """Files that this Python does not compile are said, each with the reason; others go on."""
    files: dict[str, str | bytes] = {
        "old.py": "print 'Python 2'\n",
        "null.py": b"x = 1\0\n",
        "latin.py": b"# coding: latin-1\nX = '\xe9'\n",
        "wrong.py": b"X = '\xe9'\n",
        "unknown.py": b"# coding: klingon\n",
        "bom.py": b"\xef\xbb\xbfX = 1\n",
        "empty.py": "",
        "digits.py": f"X = {'9' * 5000}\n",
        "long.py": f"X = 0x{'9' * 50_000}\nY = {'x' * 99_999!r}\n",
        "crlf.py": b"def f():\r\n    return 1\r\n",
        "space/name.py": "X = 1\n",
        "\u00fc.py": "X = 1\n",
    }
    found = results(cpython, files, tmp_path)
    problems = {name: one.problem for name, one in found.items() if one.problem}
    assert problems.keys() == {"old.py", "null.py", "wrong.py", "unknown.py", "digits.py"}
    assert problems["old.py"].startswith("line 1: Missing parentheses in call to 'print'")
    assert all((name in problems) != bool(one.content) for name, one in found.items())


def test_a_crash_of_the_compiler(cpython: Compiler, tmp_path: Path) -> None:
    """A compiling process that dies is an error which names the source, and nothing is left out."""
    program = tmp_path / "python"
    program.write_text(
        f"#!/bin/sh\nexec {cpython.path} -S -c '\nimport os, sys\n"
        "sys.path.insert(0, sys.argv.pop())\nimport in_compiler\n"
        "usual = in_compiler.compiled\n"
        "def deadly(source, path):\n"
        '    if b"DEADLY" in source: os.abort()\n'
        "    return usual(source, path)\n"
        "in_compiler.compiled = deadly\nin_compiler.main()\n"
        f"' {Path(in_compiler.__file__).parent}\n"
    )
    program.chmod(0o755)
    deadly = cpython._replace(path=str(program))
    files = {"a.py": "A = 1\n", "b.py": "DEADLY = 1\n", "c.py": "C = 1\n"}
    with pytest.raises(compiled.CrashError, match=r"^/var/task/b\.py$"):
        results(deadly, files, tmp_path)
    assert results(cpython, files, tmp_path)["b.py"].content


def test_the_cache(cpython: Compiler, tmp_path: Path) -> None:
    """A hit needs no compiler; a damaged entry is compiled again; each input is in its key."""
    files: dict[str, str | bytes] = {"a.py": "A = 1\n", "b.py": "print 2\n"}
    first = results(cpython, files, tmp_path)
    absent = cpython._replace(path="/there/is/no/compiler")
    assert results(absent, files, tmp_path) == first
    entries = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert len(entries) == 2
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    assert results(cpython, files, tmp_path) == first
    assert results(absent, files, tmp_path) == first
    for changed in ({"c.py": "A = 1\n"}, {"a.py": "A = 2\n"}):
        with pytest.raises(OSError, match="no/compiler"):
            results(absent, changed, tmp_path)
    with pytest.raises(OSError, match="no/compiler"):
        results(absent._replace(version=f"{cpython.version}1"), files, tmp_path)
