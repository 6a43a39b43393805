"""AWS's runtime interface client and emulator; uv installs them into build/, which keeps them."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from buildlib import text
from buildlib.errors import InvokeError
from buildlib.files import atomic, locks
from buildlib.layout import Layout
from buildlib.uv import run

HERE = Path(__file__).parent


class Interpreter(NamedTuple):
    """A Python on this machine: its path, its version such as `3.13`, and `uname -m`."""

    path: str
    version: str
    machine: str


def client(layout: Layout, python: Interpreter) -> Path:
    """Return the folder used as /var/runtime: the client and boto3, for this Python.

    Raises:
        InvokeError: the installation failed.

    """
    return _installed(layout, "runtime", python)


def emulator(layout: Layout, python: Interpreter) -> Path:
    """Return the emulator for the machine of a Python: LAMBDA_ZIP_EMULATOR, else AWS's from PyPI.

    Raises:
        InvokeError: LAMBDA_ZIP_EMULATOR is not a program, or the installation failed.

    """
    named = os.environ.get("LAMBDA_ZIP_EMULATOR")
    if named:
        if not os.access(named, os.X_OK):
            msg = f"LAMBDA_ZIP_EMULATOR: {named} is not a program; set it to AWS's aws-lambda-rie"
            raise InvokeError(msg)
        return Path(named).resolve()
    architecture = {"aarch64": "arm64"}.get(python.machine, python.machine)
    return _installed(layout, "emulator", python) / f"aws-lambda-rie-{architecture}"


def _installed(layout: Layout, tool: str, python: Interpreter) -> Path:
    """Return the folder of a tool; install the pins of <tool>.txt if it is missing."""
    pins = (HERE / f"{tool}.txt").read_bytes()
    digest = hashlib.sha256(pins).hexdigest()[:16]
    label = f"py{python.version}-" if tool == "runtime" else ""
    folder = layout.build / "invoke" / f"{tool}-{label}{python.machine}-{digest}"
    if folder.exists():
        return folder
    with locks.locked(layout.lock(f"invoke-{folder.name}")):
        if not folder.exists():
            temporary = folder.with_name(f"{folder.name}.{os.getpid()}")
            atomic.remove(temporary)
            temporary.mkdir(parents=True)
            try:
                _install(layout, tool, python, temporary / "tree")
                contents = temporary / "tree"
                if tool == "emulator":
                    contents = contents / "samcli/local/rapid"
                    for program in contents.iterdir():
                        program.chmod(0o755)
                contents.rename(folder)
            finally:
                atomic.remove(temporary)
    return folder


def _install(layout: Layout, tool: str, python: Interpreter, target: Path) -> None:
    log = layout.log("invoke", tool)
    log.unlink(missing_ok=True)
    arguments = [
        *("pip", "install", "--target", str(target), "--requirement", str(HERE / f"{tool}.txt")),
        *("--no-deps", "--require-hashes", "--no-compile-bytecode", "--python", python.path),
        # Copy: `_installed` changes modes, which must not reach uv's cache.
        *("--link-mode", "copy", "--index-strategy", "unsafe-best-match"),
    ]
    root = layout.root
    result = run.run([*arguments, "--offline"], root=root, cwd=target.parent, log=log)
    if result.code:  # something is not in the cache
        result = run.run(arguments, root=root, cwd=target.parent, log=log)
    if result.code:
        names = {"runtime": "runtime interface client", "emulator": "runtime interface emulator"}
        remedy = (
            "set LAMBDA_ZIP_EMULATOR to the path of an aws-lambda-rie that you have, "
            if tool == "emulator"
            else ""
        )
        msg = (
            f"failed to install AWS's {names[tool]}\n{text.tail(result.output)}\n"
            f"Check the connection to the package index, {remedy}or use AWS's image, with a "
            f"Docker engine and '--where image'. Full log: {layout.relative(log)}."
        )
        raise InvokeError(msg)
