"""AWS's runtime interface client and emulator, installed by uv into build/, and kept there."""

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
    """A Python of this machine: its path, its version such as `3.13`, and `uname -m`."""

    path: str
    version: str
    machine: str


def client(layout: Layout, python: Interpreter) -> Path:
    """Return the folder that stands for /var/runtime: the client and boto3, for a Python.

    Raises:
        InvokeError: it cannot be installed.

    """
    return _installed(layout, "runtime", python)


def emulator(layout: Layout, python: Interpreter) -> Path:
    """Return the emulator for the machine of a Python: LAMBDA_ZIP_EMULATOR, else AWS's, got by uv.

    Raises:
        InvokeError: it cannot be installed.

    """
    named = os.environ.get("LAMBDA_ZIP_EMULATOR")
    if named:
        if not os.access(named, os.X_OK):
            msg = f"LAMBDA_ZIP_EMULATOR: {named} is not a program; name AWS's aws-lambda-rie"
            raise InvokeError(msg)
        return Path(named).resolve()
    architecture = {"aarch64": "arm64"}.get(python.machine, python.machine)
    return _installed(layout, "emulator", python) / f"aws-lambda-rie-{architecture}"


def _installed(layout: Layout, what: str, python: Interpreter) -> Path:
    """Return the folder of a tool, after installing what <what>.txt pins if need be."""
    pins = (HERE / f"{what}.txt").read_bytes()
    digest = hashlib.sha256(pins).hexdigest()[:16]
    label = f"py{python.version}-" if what == "runtime" else ""
    folder = layout.build / "invoke" / f"{what}-{label}{python.machine}-{digest}"
    if folder.exists():
        return folder
    with locks.locked(layout.lock(f"invoke-{folder.name}")):
        if not folder.exists():
            temporary = folder.with_name(f"{folder.name}.{os.getpid()}")
            atomic.remove(temporary)
            temporary.mkdir(parents=True)
            try:
                _install(layout, what, python, temporary / "tree")
                kept = temporary / "tree"
                if what == "emulator":
                    kept = kept / "samcli/local/rapid"
                    for program in kept.iterdir():
                        program.chmod(0o755)
                kept.rename(folder)
            finally:
                atomic.remove(temporary)
    return folder


def _install(layout: Layout, what: str, python: Interpreter, target: Path) -> None:
    log = layout.log("invoke", what)
    log.unlink(missing_ok=True)
    arguments = [
        *("pip", "install", "--target", str(target), "--requirement", str(HERE / f"{what}.txt")),
        *("--no-deps", "--require-hashes", "--no-compile-bytecode", "--python", python.path),
        # Their modes are changed, and that must not reach uv's cache.
        *("--link-mode", "copy", "--index-strategy", "unsafe-best-match"),
    ]
    root = layout.root
    result = run.run([*arguments, "--offline"], root=root, cwd=target.parent, log=log)
    if result.code:  # something is not in the cache
        result = run.run(arguments, root=root, cwd=target.parent, log=log)
    if result.code:
        name = {"runtime": "runtime interface client", "emulator": "runtime interface emulator"}
        remedy = (
            "or name one that you have with LAMBDA_ZIP_EMULATOR=<path of aws-lambda-rie>, "
            if what == "emulator"
            else ""
        )
        msg = (
            f"AWS's {name[what]} could not be installed\n{text.tail(result.output)}\n"
            f"Check the connection to the package index, {remedy}or invoke in the image, with a "
            f"Docker engine. The whole log is in {layout.relative(log)}."
        )
        raise InvokeError(msg)
