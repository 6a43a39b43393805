"""Run uv with the user's access to indexes, and with nothing else that could change the result."""

import functools
import os
import re
import subprocess
import threading
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from buildlib import access, activity

# Up to the last @ before the path: a password may have one, too.
_CREDENTIALS = re.compile(r"(?<=://)[^/\s\"']+(?=@)")


class Result(NamedTuple):
    """How a run of uv ended: its exit code, and its output without credentials."""

    code: int
    output: str


def installed_version() -> str:
    """Return the version of the uv that is used."""
    return version("uv")


def run(arguments: Sequence[str], *, root: Path, cwd: Path, log: Path | None = None) -> Result:
    """Run uv and return how it ended; with `log`, append the command and its output there.

    `root` is the repository: its `uv.toml` and `[tool.uv]` may say where packages come from.
    """
    with _finding:
        executable = _executable()
    command = [executable, *arguments, "--no-config", "--color", "never", "--no-progress"]
    variables = access.environment(os.environ, root)
    if arguments[0] == "pip" and access.NO_INDEX in variables:
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
                lines.append(_CREDENTIALS.sub("****", line))
                if "--offline" not in arguments:  # that it fails is no news: the next run may not
                    activity.say(f"uv: {lines[-1]}")
        except BaseException:
            process.kill()
            raise
    output, code = "".join(lines), process.returncode
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as stream:
            shown = _CREDENTIALS.sub("****", " ".join(arguments))
            stream.write(f"$ uv {shown}\n{output}[exit code {code}]\n")
    return Result(code, output)


# Python's sysconfig, which uv's search asks, is not safe to be asked first by two threads at once.
_finding = threading.Lock()


@functools.cache
def _executable() -> str:
    from uv import find_uv_bin  # noqa: PLC0415 - only needed when something is installed

    return str(find_uv_bin())


def tail(output: str, lines: int = 15) -> str:
    """Return the end of a program's output, indented for an error message."""
    kept = [line.rstrip() for line in output.splitlines() if line.strip()][-lines:]
    return "\n".join(f"  | {line}" for line in kept)
