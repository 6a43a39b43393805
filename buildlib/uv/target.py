"""Describe a target to uv, so that it takes the wheels that run there, by their exact tags.

uv's `--python-platform` knows a few versions of glibc, and none between 2.17 and 2.28, so a wheel
for glibc 2.26 would be passed over on Amazon Linux 2 (uv: `TargetTriple`). But uv asks the Python
that `--python` names for its platform, of any glibc: here, a virtual environment of this machine's
Python which answers for the target. The target's own Python is not needed.
"""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

from buildlib.errors import InstallError
from buildlib.files import locks
from buildlib.layout import Layout
from buildlib.runtimes import RUNTIMES, machine
from buildlib.text import tail
from buildlib.uv import run

_MODULE = "_lambda_target"


def options(layout: Layout, python: str, architecture: str, version: str = "") -> list[str]:
    """Return the options with which uv chooses wheels for a runtime.

    `version` is the full version of its Python, by default the lowest that the runtime has had.

    Raises:
        InstallError: uv cannot make a virtual environment.

    """
    interpreter = _interpreter(layout, RUNTIMES[python].glibc, machine(architecture))
    version = version or RUNTIMES[python].lowest_patch
    return ["--python", str(interpreter), "--python-version", version]


def build_options(python: str, architecture: str, version: str = "") -> list[str]:
    """Return the options with which uv may also build for a runtime, by this machine's Python.

    They describe the platform as exactly as uv's own names allow, since build tools must run here.
    """
    major, minor = max(known for known in _NAMED if known <= RUNTIMES[python].glibc)
    platform = f"{machine(architecture)}-manylinux_{major}_{minor}"
    version = version or RUNTIMES[python].lowest_patch
    return ["--python", sys.executable, "--python-version", version, "--python-platform", platform]


# The versions of glibc that `--python-platform` knows.
_NAMED = ((2, 17), (2, 28), (2, 31), (2, 32), (2, 33), (2, 34))


def description(glibc: tuple[int, int], uname: str) -> str:
    """Return the target's answers to uv, as JSON: the platform, and the markers of PEP 508."""
    return json.dumps({
        "os": {"name": "manylinux", "major": glibc[0], "minor": glibc[1]},
        "arch": uname,
        "manylinux_compatible": True,
        "gil_disabled": False,
        "debug_enabled": False,
        "pointer_size": "64",
        "markers": {
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": uname,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "sys_platform": "linux",
        },
    })  # fmt: skip


def _interpreter(layout: Layout, glibc: tuple[int, int], uname: str) -> Path:
    """Return the Python of a virtual environment that describes a platform; make it if missing.

    uv remembers an interpreter's answers by its path, so the path has a digest of them.
    """
    code = Path(__file__).with_name("described.py").read_text(encoding="utf-8")
    answers = description(glibc, uname)
    parts = (answers, code, sys.executable, sys.version)
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    folder = layout.targets / f"glibc{glibc[0]}.{glibc[1]}-{uname}-{digest}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():  # also if its link leads nowhere
        with locks.locked(layout.lock("targets")):
            if not python.exists():
                _create(layout, folder, answers, code)
    return python


def _create(layout: Layout, folder: Path, answers: str, code: str) -> None:
    temporary = layout.targets / ".new"
    layout.targets.mkdir(parents=True, exist_ok=True)
    arguments = ["venv", "--clear", "--python", sys.executable, "--no-project", str(temporary)]
    made = run.run(arguments, root=layout.root, cwd=layout.targets)
    if made.code:
        msg = f"uv cannot make a virtual environment in {folder.parent}\n{tail(made.output)}"
        raise InstallError(msg, "install-failed")
    [site] = temporary.glob("Lib/site-packages" if os.name == "nt" else "lib/*/site-packages")
    for suffix, text in ((".py", code), (".json", answers), (".pth", f"import {_MODULE}\n")):
        (site / f"{_MODULE}{suffix}").write_text(text, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
