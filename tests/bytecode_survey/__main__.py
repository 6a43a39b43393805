"""Measure how stable bytecode is: `python -m tests.bytecode_survey [packages]`.

Each of the packages that users of Lambda ship most is downloaded for each Python that is here, and
compiled twice: all files in one process, then in another order, in processes of 40 files, with
another hash seed and folder, and with the modules of the first half of the package in memory. The
output is the table of docs/explanation/bytecode.md: how many files are equal, left out because that
Python cannot compile them, or different.
"""

import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from uv import find_uv_bin

import buildlib
from buildlib.bytecode import compiler
from tests.imports_survey.packages import PACKAGES

PYTHONS = ("3.11", "3.12", "3.13")

_PROGRAM = Path(buildlib.__file__).parent / "bytecode/in_compiler.py"

# Compiles all of stdin's sources and keeps their code, so that its strings are interned.
_CROWDED = """
import json, runpy, sys, warnings
warnings.simplefilter("ignore")
kept = []
for path in json.loads(sys.argv[2]):
    try: kept.append(compile(open(path, "rb").read(), path, "exec"))
    except Exception: pass
runpy.run_path(sys.argv[1], run_name="__main__")
"""


class Row(NamedTuple):
    """The figures of a package for one Python; `different` names files."""

    equal: int
    left_out: int
    different: list[str]


def install(package: str, python: str, target: Path) -> bool:
    """Download the wheel of a package for a Python, without its dependencies."""
    command = [find_uv_bin(), "pip", "install", "-q", "--no-deps", "--only-binary", ":all:"]
    command += ["--python-version", python, "--python-platform", "x86_64-manylinux_2_28"]
    command += ["--target", str(target), package]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def compiled(
    path: str, files: Sequence[Path], top: Path, seed: str, crowd: Sequence[Path] = ()
) -> Iterator[tuple[str, str]]:
    """Yield the digest of the bytecode of each file by its path; empty where there is none."""
    jobs = json.dumps([[f"/var/task/{file.relative_to(top)}", str(file)] for file in files])
    options = [*compiler.OPTIONS, *([] if crowd else [str(_PROGRAM)])]
    if crowd:
        options += ["-c", _CROWDED, str(_PROGRAM), json.dumps([str(file) for file in crowd])]
    variables = compiler.variables() | {"PYTHONHASHSEED": seed}
    done = subprocess.run(
        [path, *options], env=variables, input=f"{jobs}\n".encode(), capture_output=True, check=True
    )
    output, at = done.stdout, 0
    for file in files:
        end = output.index(b"\n", at) + 1
        size = json.loads(output[at:end]).get("size", 0)
        content, at = output[end : end + size], end + size
        digest = hashlib.sha256(content).hexdigest() if content else ""
        yield file.relative_to(top).as_posix(), digest


def measure(package: str, python: str, path: str) -> Row | None:
    """Return the figures of a package; None if it has no wheel for this Python."""
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder) / "one"
        if not install(package, python, top):
            return None
        files = sorted(top.rglob("*.py"))
        first = dict(compiled(path, files, top, "0"))
        other = Path(folder) / "another folder"
        os.rename(top, other)
        moved = [other / file.relative_to(top) for file in files]
        random.Random(package).shuffle(moved)  # noqa: S311 - repeatable, and no secret
        crowd = moved[: min(len(moved) // 2, 400)]
        second: dict[str, str] = {}
        for start in range(0, len(moved), 40):
            some = moved[start : start + 40]
            second |= dict(compiled(path, some, other, "4711", crowd if start == 0 else ()))
        different = [name for name, digest in first.items() if second[name] != digest]
        left_out = sum(not digest for digest in first.values())
        return Row(len(files) - left_out - len(different), left_out, different)


def main() -> None:
    """Print the table."""
    pythons = {python: compiler.newest(python, Path.cwd()) for python in PYTHONS}
    here = {python: found for python, found in pythons.items() if found}
    names = [f"CPython {found.version}" for found in here.values()]
    sys.stdout.write(f"| package | {' | '.join(names)} |\n|---|{'---|' * len(names)}\n")
    totals = dict.fromkeys(here, Row(0, 0, []))
    for package in sys.argv[1:] or PACKAGES:
        cells = []
        for python, found in here.items():
            row = measure(package, python, found.path)
            if row is None:
                cells.append("no wheel")
                continue
            cells.append(shown(row))
            total = totals[python]
            different = total.different + row.different
            totals[python] = Row(total.equal + row.equal, total.left_out + row.left_out, different)
        sys.stdout.write(f"| {package} | {' | '.join(cells)} |\n")
        sys.stdout.flush()
    cells = [shown(row) for row in totals.values()]
    sys.stdout.write(f"| **all** | {' | '.join(cells)} |\n")


def shown(row: Row) -> str:
    """Return the figures in words."""
    parts = [f"{row.equal:,} equal"]
    parts += [f"{row.left_out} left out"] if row.left_out else []
    parts += [f"{len(row.different)} **different**: {', '.join(row.different[:3])}"] * bool(
        row.different
    )
    return ", ".join(parts)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
