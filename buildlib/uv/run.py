"""Run uv with the user's access to indexes, and without settings that could change the result."""

import functools
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib import programs, progress
from buildlib.text import harmless
from buildlib.uv import settings
from buildlib.uv.redact import redact

# Python runs its `sitecustomize.py` before the code of a build backend.
_ISOLATED = Path(__file__).with_name("isolated")


# The log of uv's resolver; of its steps, the choice of a version is worth showing.
_STEP = re.compile(r"DEBUG (?P<text>Selecting: [^\s(\[]+)?")


class Result(NamedTuple):
    """The result of a run of uv: its exit code, and its output without credentials."""

    code: int
    output: str


def run(
    arguments: Sequence[str],
    *,
    root: Path,
    cwd: Path,
    log: Path | None = None,
    builds: bool = False,
) -> Result:
    """Run uv and return its result; with `log`, append the command and its output to that file.

    `root` is the repository, whose `uv.toml` or `[tool.uv]` may configure indexes. If uv `builds`
    distributions from source, their build backends run isolated from the user's secrets.
    """
    executable = _executable()
    command = [executable, *arguments, "--no-config", "--color", "never", "--no-progress"]
    variables = settings.uv_variables(os.environ, root)
    if builds:
        variables["PYTHONPATH"] = str(_ISOLATED)
        variables["LAMBDA_ZIP_REPOSITORY"] = str(root)
    if arguments[0] == "pip" and settings.NO_INDEX in variables:
        command.append("--no-index")
    # uv shows no bars without a terminal, but its resolver can log each step.
    variables["RUST_LOG"] = "uv_resolver=debug" if progress.is_watched() else "off"
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
                step = _STEP.match(line)
                shown = harmless(redact(step["text"] or "" if step else line))
                if not step:
                    lines.append(shown)
                # A failed attempt offline is no news, because a run with the network follows.
                if shown and "--offline" not in arguments:
                    progress.update(f"uv: {shown}", often=step is not None)
        except BaseException:
            process.kill()
            raise
    output, code = "".join(lines), process.returncode
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as stream:
            redacted = harmless(redact(" ".join(arguments)))
            stream.write(f"$ uv {redacted}\n{output}[exit code {code}]\n")
    return Result(code, output)


def version() -> str:
    """Return the version of uv as it prints it.

    Raises:
        OSError: it cannot be run.

    """
    done = subprocess.run([_executable(), "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - uv's own
    return done.stdout.strip()


@functools.cache
def _executable() -> str:
    from uv import find_uv_bin  # only where uv runs

    return programs.find(find_uv_bin)
