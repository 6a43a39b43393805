"""Run uv with the user's access to indexes, and with nothing else that could change the result."""

import functools
import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib import progress
from buildlib.uv import settings
from buildlib.uv.redact import redact


class Result(NamedTuple):
    """How a run of uv ended: its exit code, and its output without credentials."""

    code: int
    output: str


def run(arguments: Sequence[str], *, root: Path, cwd: Path, log: Path | None = None) -> Result:
    """Run uv and return how it ended; with `log`, append the command and its output there.

    `root` is the repository: its `uv.toml` and `[tool.uv]` may say where packages come from.
    """
    with _finding:
        executable = _executable()
    command = [executable, *arguments, "--no-config", "--color", "never", "--no-progress"]
    variables = settings.uv_variables(os.environ, root)
    if arguments[0] == "pip" and settings.NO_INDEX in variables:
        command.append("--no-index")
    lines = []
    with subprocess.Popen(  # noqa: S603 - the program is uv's own, the arguments are ours
        command,
        cwd=cwd,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                lines.append(redact(line))
                if "--offline" not in arguments:  # that it fails is no news: the next run may not
                    progress.update(f"uv: {lines[-1]}")
        except BaseException:
            process.kill()
            raise
    output, code = "".join(lines), process.returncode
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as stream:
            shown = redact(" ".join(arguments))
            stream.write(f"$ uv {shown}\n{output}[exit code {code}]\n")
    return Result(code, output)


# Python's sysconfig, which uv's search asks, is not safe to be asked first by two threads at once.
_finding = threading.Lock()


@functools.cache
def _executable() -> str:
    from uv import find_uv_bin  # only needed when something is installed

    return str(find_uv_bin())
