"""Resolve requirements with uv, and write the lockfile."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from buildlib.errors import LockError
from buildlib.files import atomic
from buildlib.lock.requirements import Requirements
from buildlib.model import Image

_HEADER = """\
# Made by doit-lambda-zip from {name}; commit it, do not edit it.
# requirements-sha256: {sha256}
# python: {python}
"""


def write_lock(  # noqa: PLR0913 - each is one independent input of the resolution
    root: Path,
    lock: Path,
    requirements: Requirements,
    python: str,
    *,
    upgrade: bool = False,
    images: Iterable[Image] = (),
    log: Path | None = None,
) -> None:
    """Resolve the requirements for `python` and newer, on every platform, and write the lockfile.

    Pins of an earlier lockfile that still satisfy the requirements are kept, unless `upgrade`. The
    header pins `images`, the images in which the dependencies will be installed.

    Raises:
        LockError: the resolution failed; with the end of uv's output.

    """
    from buildlib import text  # 3 ms, only for a resolution
    from buildlib.uv import run  # 3 ms, only for a resolution

    name = Path(requirements.path).name
    with atomic.replacing(lock) as temporary:
        resolved = temporary.with_name(f".resolved{temporary.name}")
        try:
            if lock.exists():
                shutil.copyfile(lock, resolved)
            arguments = [
                *("pip", "compile", name, "--output-file", str(resolved)),
                *("--universal", "--python-version", python, "--python", sys.executable),
                *("--generate-hashes", "--no-header", "--no-emit-index-url"),
                *("--no-emit-find-links", "--quiet"),
                *(["--upgrade"] if upgrade else []),
            ]
            result = run.run(arguments, root=root, cwd=(root / requirements.path).parent, log=log)
            if result.code:
                output = result.output.replace(str(resolved), lock.name)
                msg = (
                    f"{requirements.path}: failed to resolve dependencies for Python {python} and "
                    f"newer\n{text.tail(output)}\n"
                    "Relax the conflicting requirements, check the spelling of the package names, "
                    "or check the connection to the package index; then run doit again."
                )
                raise LockError(msg, "lock-failed")
            header = _HEADER.format(name=name, sha256=requirements.sha256, python=python)
            header += "".join(f"# image: {' '.join(image)}\n" for image in sorted(images))
            body = resolved.read_text(encoding="utf-8")
            temporary.write_bytes((header + body).encode())
        finally:
            resolved.unlink(missing_ok=True)
