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
from collections.abc import Mapping
from pathlib import Path

from buildlib.files import locks
from buildlib.layout import Layout
from buildlib.runtimes import RUNTIMES, machine

_MODULE = "_lambda_target"


def options(layout: Layout, python: str, architecture: str, version: str = "") -> list[str]:
    """Return the options with which uv chooses wheels for a runtime.

    `version` is the full version of its Python, by default the lowest that the runtime has had.
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

    uv remembers an interpreter's answers by its path, so the path has a digest of them. The folder
    may come from a restored cache, so nothing in it runs unless it is what would be made here.
    """
    files = _files(description(glibc, uname))
    base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    parts = (*files.values(), base, sys.version)
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    folder = layout.targets / f"glibc{glibc[0]}.{glibc[1]}-{uname}-{digest}"
    with locks.locked(layout.lock("targets")):
        if not _is_made(folder, files, base):
            _create(folder, files, base)
    return folder / _PYTHON


_PYTHON = "Scripts/python.exe" if os.name == "nt" else "bin/python"


def _files(answers: str) -> dict[str, str]:
    """Return the text of each file that makes a Python answer for a target, by path."""
    code = Path(__file__).with_name("described.py").read_text(encoding="utf-8")
    version = "python{}.{}".format(*sys.version_info)
    site = "Lib/site-packages" if os.name == "nt" else f"lib/{version}/site-packages"
    return {
        f"{site}/{_MODULE}.py": code,
        f"{site}/{_MODULE}.json": answers,
        f"{site}/{_MODULE}.pth": f"import {_MODULE}\n",
    }


def _configuration(base: str) -> str:
    """Return the text of `pyvenv.cfg`, which makes a folder a virtual environment (PEP 405)."""
    return f"home = {os.path.dirname(base)}\ninclude-system-site-packages = false\n"


def _is_made(folder: Path, files: Mapping[str, str], base: str) -> bool:
    """Tell whether the folder holds these files, the configuration and Python, and nothing else."""
    expected = {**files, "pyvenv.cfg": _configuration(base)}
    found = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    python = found.pop(_PYTHON, None)
    if os.name == "nt":  # copies of Python's launcher, under several names
        found = {name: path for name, path in found.items() if path.parent != folder / "Scripts"}
        is_python = python is not None
    else:
        is_python = python is not None and python.is_symlink() and os.readlink(python) == base
    try:
        return (
            is_python
            and not any(path.is_symlink() for path in (folder, *found.values()))
            and {name: path.read_text(encoding="utf-8") for name, path in found.items()} == expected
        )
    except (OSError, UnicodeDecodeError):
        return False


def _create(folder: Path, files: Mapping[str, str], base: str) -> None:
    """Make the virtual environment without scripts of activation, which name the checkout."""
    temporary = folder.with_name(".new")
    for old in (temporary, folder):
        if old.is_symlink() or old.is_file():
            old.unlink()
        shutil.rmtree(old, ignore_errors=True)
    if os.name == "nt":
        import venv

        venv.EnvBuilder().create(temporary)
        for script in (
            *temporary.glob("Scripts/?ctivate*"),
            *temporary.glob("Scripts/deactivate*"),
        ):
            script.unlink()
    else:
        temporary.joinpath(_PYTHON).parent.mkdir(parents=True)
        temporary.joinpath(_PYTHON).symlink_to(base)
    for name, content in {**files, "pyvenv.cfg": _configuration(base)}.items():
        path = temporary / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    temporary.rename(folder)
