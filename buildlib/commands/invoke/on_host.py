"""Invoke a function on this machine, by an interpreter of the runtime's version."""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from buildlib.commands.invoke import tools
from buildlib.commands.invoke.tools import Interpreter
from buildlib.errors import InvokeError
from buildlib.files import atomic
from buildlib.layout import Layout
from buildlib.model import Variant
from buildlib.runtimes import machine
from buildlib.uv import run

# The user `nobody` of every Linux, for who runs us as root.
NOBODY = 65534


class Ran(NamedTuple):
    """The lines of `driver.py`, by which Python, and what was not as in Lambda (or empty)."""

    lines: Sequence[str]
    python: str
    note: str


def invoke(
    variant: Variant, path: Path, python: str | None, task: Mapping[str, Any], layout: Layout
) -> Ran:
    """Invoke the function in the ZIP `path`; `python` is an interpreter, None for any that fits.

    Raises:
        InvokeError: there is none, or AWS's client or emulator cannot be installed.

    """
    _check_machine(variant)
    candidates = _interpreters(variant, python, layout.root)
    emulator = tools.emulator(layout, candidates[0])
    with _unpacked(path) as folder:
        chosen, runtime, user, note = _chosen(candidates, layout, emulator, folder)
        libraries = f"{folder}{os.pathsep}{folder}/lib"
        variables = {
            **task["variables"],
            "LAMBDA_TASK_ROOT": str(folder),
            "LAMBDA_RUNTIME_DIR": str(runtime),
            "LD_LIBRARY_PATH": libraries,
            "PATH": os.defpath,
            # As in Lambda, after the function's own folder.
            "PYTHONPATH": str(runtime),
        }
        order = {
            **task,
            "variables": variables,
            "command": [
                str(emulator),
                *("--runtime-interface-emulator-address", "127.0.0.1:{emulator}"),
                *("--runtime-api-address", "127.0.0.1:{api}"),
                # Without this machine's packages, and without writing bytecode.
                *(chosen.path, "-S", "-s", "-B", "-m", "awslambdaric"),
                variant.function.handler,
            ],
            "folder": str(folder),
            "inherit": False,
            "port": 0,
            "user": user,
        }
        done = subprocess.run(  # noqa: S603 - our own program, by our own Python
            [sys.executable, "-I", str(Path(__file__).with_name("driver.py"))],
            input=json.dumps(order) + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
    return Ran([*done.stdout.splitlines(), *done.stderr.splitlines()], chosen.path, note)


def _check_machine(variant: Variant) -> None:
    wanted = machine(variant.architecture)
    if sys.platform != "linux" or platform.machine() != wanted:
        msg = (
            f"'{variant.id}' is for {variant.architecture} on Linux, and this is "
            f"{platform.machine()} on {platform.system()}: only AWS's image can run it here. Start "
            "a Docker engine"
        )
        raise InvokeError(msg)


def _interpreters(variant: Variant, named: str | None, root: Path) -> list[Interpreter]:
    """Return the Pythons of the runtime's version; the one that was named, or all there are."""
    if named:
        found = _ask(named)
        if found is None or found.version != variant.python:
            what = f"Python {found.version}" if found else "not a Python that starts"
            msg = f"--python {named} is {what}; '{variant.id}' needs Python {variant.python}"
            raise InvokeError(msg)
        return [found]
    paths = dict.fromkeys(_candidates(variant.python, root))
    suitable = [
        found for found in map(_ask, paths) if found is not None and found.version == variant.python
    ]
    if not suitable:
        msg = (
            f"'{variant.id}' needs Python {variant.python}, and there is none here: install it "
            f"('uv python install {variant.python}'), name one with --python, or start a Docker "
            "engine, to invoke in AWS's image"
        )
        raise InvokeError(msg)
    return suitable


def _candidates(version: str, root: Path) -> Iterator[str]:
    if version == "{}.{}".format(*sys.version_info[:2]):
        yield sys.executable
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path
    result = run.run(["python", "find", version, "--no-project"], root=root, cwd=root)
    if not result.code and result.output.strip():
        yield result.output.strip().splitlines()[-1]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python3"), reverse=True))


def _ask(path: str) -> Interpreter | None:
    program = "import sys, platform; print(*sys.version_info[:2], platform.machine())"
    try:
        done = subprocess.run(  # noqa: S603 - our own program, by our own Python
            [path, "-I", "-S", "-c", program],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        major, minor, architecture = done.stdout.split()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Interpreter(path, f"{major}.{minor}", architecture)


def _chosen(
    candidates: Sequence[Interpreter], layout: Layout, emulator: Path, folder: Path
) -> tuple[Interpreter, Path, int | None, str]:
    """Return the interpreter, its runtime folder, the user to run as, and a note.

    As root, the function gets the user `nobody`, as long as that one can reach all it needs. Where
    something is in a folder that only root may enter, such as /root, the function stays root, but
    without any capability, and its folder belongs to `nobody`.
    """
    first = candidates[0]
    runtime = tools.client(layout, first)
    if os.getuid() != 0:
        return first, runtime, None, ""
    for candidate in candidates:
        if _reaches(candidate, (emulator, runtime / "awslambdaric", folder)):
            return candidate, runtime, NOBODY, ""
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            os.chown(os.path.join(parent, name), NOBODY, NOBODY)
    os.chown(folder, NOBODY, NOBODY)
    note = "runs as root without capabilities: another user cannot reach the interpreter or build/"
    return first, runtime, None, note


def _reaches(python: Interpreter, paths: Sequence[Path]) -> bool:
    program = (
        "import os, sys, json\n"
        "raise SystemExit(not all(os.access(p, os.R_OK | os.X_OK) for p in sys.argv[1:]))"
    )
    try:
        done = subprocess.run(  # noqa: S603 - our own program, by our own Python
            [python.path, "-I", "-S", "-c", program, *map(str, paths)],
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd="/",
            env={},
            capture_output=True,
            check=False,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """Give a fresh folder with what is in a ZIP, that nobody can write to; remove it afterwards."""
    top = Path(os.path.realpath(tempfile.mkdtemp(prefix="doit-lambda-zip-")))
    folder = top / "task"
    folder.mkdir()
    try:
        top.chmod(0o755)
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        for parent, _, names in os.walk(folder, topdown=False):
            for name in names:
                os.chmod(os.path.join(parent, name), 0o555)  # noqa: S103
            os.chmod(parent, 0o555)  # noqa: S103
        yield folder
    finally:
        for parent, _, _ in os.walk(folder):
            os.chmod(parent, 0o755)  # noqa: S103
        atomic.remove(top)
