"""Invoke a function on this machine, with an interpreter of the runtime's version."""

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
from buildlib.uv import interpreters

# The user `nobody` on Linux; the function runs as this user if doit runs as root.
NOBODY = 65534


class Ran(NamedTuple):
    """The output lines of `driver.py`, the Python that ran, and notes about the isolation."""

    lines: Sequence[str]
    python: str
    notes: Sequence[str]


def invoke(
    variant: Variant,
    paths: Sequence[Path],
    python: str | None,
    task: Mapping[str, Any],
    layout: Layout,
) -> Ran:
    """Invoke the function in the first ZIP with the interpreter `python`; None finds one.

    The other ZIPs are its layers, in their order: a later one replaces files of those before it.

    Raises:
        InvokeError: there is no suitable interpreter, or AWS's client or emulator cannot be
            installed.

    """
    with unpacked(variant, paths, python, layout) as place:
        lines = place.invoke(task, variant.function.handler)
        return Ran(lines, place.python, place.notes)


class Place(NamedTuple):
    """An unpacked function, and all that runs it: Python, AWS's client and AWS's emulator.

    `layers` are folders on Python's path, `user` is the id of the user to run as, and `apart` is
    the start of a command that has namespaces of its own.
    """

    top: Path
    folder: Path
    layers: Sequence[str]
    python: str
    runtime: Path
    emulator: Path
    user: int | None
    apart: Sequence[str]
    notes: Sequence[str]

    def invoke(self, task: Mapping[str, Any], handler: str) -> Sequence[str]:
        """Invoke a handler once; return the output lines of `driver.py`."""
        libraries = [str(self.folder), f"{self.folder}/lib"]
        libraries += [f"{self.top}/opt/lib"] if self.layers else []
        variables = {
            **task["variables"],
            "LAMBDA_TASK_ROOT": str(self.folder),
            "LAMBDA_RUNTIME_DIR": str(self.runtime),
            "LD_LIBRARY_PATH": os.pathsep.join(libraries),
            "PATH": os.defpath,
            # On sys.path after the function's own folder, as in Lambda.
            "PYTHONPATH": os.pathsep.join([*self.layers, str(self.runtime)]),
        }
        order = {
            **task,
            "variables": variables,
            "command": [
                str(self.emulator),
                *("--runtime-interface-emulator-address", "127.0.0.1:{emulator}"),
                *("--runtime-api-address", "127.0.0.1:{api}"),
                # Ignore this machine's packages, and write no bytecode.
                *(self.python, "-S", "-s", "-B", "-m", "awslambdaric"),
                handler,
            ],
            "folder": str(self.folder),
            "inherit": False,
            "port": 0,
            "user": self.user,
        }
        done = subprocess.run(  # noqa: S603 - this package's driver and this Python
            [*self.apart, sys.executable, "-I", str(Path(__file__).with_name("driver.py"))],
            input=json.dumps(order) + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
        return [*done.stdout.splitlines(), *done.stderr.splitlines()]

    def run(self, program: str, *arguments: str) -> str:
        """Run a program with the function's Python as this user; return its output."""
        done = subprocess.run(  # noqa: S603 - a Python that the user or uv names
            [self.python, "-I", "-S", "-c", program, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            msg = f"{self.python} failed: {done.stderr.strip()}"
            raise InvokeError(msg)
        return done.stdout


@contextlib.contextmanager
def unpacked(
    variant: Variant, paths: Sequence[Path], python: str | None, layout: Layout
) -> Iterator[Place]:
    """Yield the function of the first ZIP, unpacked with its layers, ready to be invoked.

    Raises:
        InvokeError: as `invoke`.

    """
    _check_machine(variant)
    candidates = _interpreters(variant, python, layout.root)
    emulator = tools.emulator(layout, candidates[0])
    with _unpacked(paths) as (folder, layers):
        chosen, runtime, user, note = _choose(candidates, layout, emulator, folder)
        apart = _namespaces()
        yield Place(
            folder.parent,
            folder,
            _of_layers(layers, variant) if len(paths) > 1 else [],
            chosen.path,
            runtime,
            emulator,
            user,
            apart,
            [*filter(None, [note]), _APART if apart else _TOGETHER],
        )


# The isolation of an invocation on this machine.
_APART = "apart from other processes, with your network and files in reach"
_TOGETHER = "with your processes, network and files in reach; its processes end with it"


def _namespaces() -> Sequence[str]:
    """Return the start of a command that gives it processes, IPC and a host name of its own.

    It is empty where the system has no namespaces, or does not let this user have any, as in many
    containers: unshare(1), user_namespaces(7).
    """
    program = shutil.which("unshare")
    if program is None:
        return ()
    prefix = [program, "--pid", "--fork", "--kill-child", "--mount-proc", "--ipc", "--uts"]
    if os.getuid() != 0:
        prefix += ["--user", "--map-current-user"]
    try:
        # Python, since a container may allow the call, and not the file system of processes.
        check = (
            "import os; raise SystemExit(os.getpid() != 1 or not os.path.exists('/proc/1/stat'))"
        )
        tried = subprocess.run(  # noqa: S603 - the system's own program, by its full path
            [*prefix, sys.executable, "-I", "-S", "-c", check],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return () if tried.returncode else prefix


def other_machine(variant: Variant) -> str:
    """Return why this machine cannot run a variant, and the remedy; empty if it can."""
    if sys.platform == "linux" and platform.machine() == machine(variant.architecture):
        return ""
    return (
        f"for {variant.architecture} on Linux, but this machine is {platform.machine()} on "
        f"{platform.system()}; only AWS's image can run it here: start a Docker engine, and use "
        "'--where image'"
    )


def _check_machine(variant: Variant) -> None:
    if reason := other_machine(variant):
        msg = f"'{variant.id}' is {reason}"
        raise InvokeError(msg)


def _interpreters(variant: Variant, named: str | None, root: Path) -> list[Interpreter]:
    """Return the interpreter `named`, or else every Python of the runtime's version."""
    if named:
        interpreter = _inspect(named)
        if interpreter is None or interpreter.version != variant.python:
            problem = f"Python {interpreter.version}" if interpreter else "not a working Python"
            msg = f"--python {named} is {problem}; '{variant.id}' needs Python {variant.python}"
            raise InvokeError(msg)
        return [interpreter]
    paths = dict.fromkeys(interpreters.paths(variant.python, root))
    suitable = [
        interpreter
        for interpreter in map(_inspect, paths)
        if interpreter is not None and interpreter.version == variant.python
    ]
    if not suitable:
        msg = (
            f"'{variant.id}' needs Python {variant.python}, which was not found: install it "
            f"('uv python install {variant.python}'), name one with '--python', or start a Docker "
            "engine and use '--where image'"
        )
        raise InvokeError(msg)
    return suitable


def has_interpreter(version: str, root: Path) -> bool:
    """Tell whether this machine has a Python of a version that works."""
    found = map(_inspect, dict.fromkeys(interpreters.paths(version, root)))
    return any(one is not None and one.version == version for one in found)


def _inspect(path: str) -> Interpreter | None:
    program = "import sys, platform; print(*sys.version_info[:2], platform.machine())"
    try:
        done = subprocess.run(  # noqa: S603 - a Python that the user or uv names
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


def _choose(
    candidates: Sequence[Interpreter], layout: Layout, emulator: Path, folder: Path
) -> tuple[Interpreter, Path, int | None, str]:
    """Return the interpreter, its runtime folder, the user to run as, and a note.

    If this process is root, the function runs as `nobody`, provided that user can read everything
    it needs. If something is in a folder that only root may enter, such as /root, the function runs
    as root without capabilities, and its folder belongs to `nobody`.
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
        done = subprocess.run(  # noqa: S603 - a Python that the user or uv names
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
def _unpacked(paths: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Unpack the ZIPs of a function and its layers into new read-only folders, and yield these.

    The folders are removed afterwards.
    """
    top = Path(os.path.realpath(tempfile.mkdtemp(prefix="doit-lambda-zip-")))
    folders = (top / "task", top / "opt")
    try:
        top.chmod(0o755)
        for folder in folders:
            folder.mkdir()
        for number, path in enumerate(paths):
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folders[min(number, 1)])
        for folder in folders:
            for parent, _, names in os.walk(folder, topdown=False):
                for name in names:
                    os.chmod(os.path.join(parent, name), 0o555)  # noqa: S103
                os.chmod(parent, 0o555)  # noqa: S103
        yield folders
    finally:
        for folder in folders:
            for parent, _, _ in os.walk(folder):
                os.chmod(parent, 0o755)  # noqa: S103
        atomic.remove(top)


def _of_layers(layers: Path, variant: Variant) -> list[str]:
    """Return the folders of the layers that Lambda has on Python's path."""
    return [f"{layers}/python/lib/python{variant.python}/site-packages", f"{layers}/python"]
