"""A shell in a pseudo-terminal without a window; the final screen is available as text."""

import contextlib
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pyte

COLUMNS, LINES = 100, 40
# Larger than any output, so that nothing scrolls away and no long line wraps.
_WIDTH, _HEIGHT = 400, 400

# Commands arrive on a separate pipe; their stdin is empty and their output is on the screen.
_LOOP = r"""
exec 2>&1
while IFS= read -r -d '' command <&3; do
  eval "$command" </dev/null 3<&-
  printf '\036%d\036' $?
done
"""


class Done(NamedTuple):
    """The exit code of a command, and the screen after it, without trailing blanks."""

    code: int
    screen: str


class Terminal:
    """A bash in a pseudo-terminal of 100 columns; folder and variables persist between commands."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        size = struct.pack("HHHH", LINES, COLUMNS, 0, 0)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        commands, self._commands = os.pipe()
        bash = str(shutil.which("bash"))
        self._process = subprocess.Popen(
            [bash, "--noprofile", "--norc", "-c", f"exec 3<&{commands} {commands}<&-\n{_LOOP}"],
            cwd=folder,
            env={**environment, "TERM": "xterm-256color"},
            stdin=subprocess.DEVNULL,
            stdout=slave,
            pass_fds=(commands,),
            start_new_session=True,
        )
        os.close(slave)
        os.close(commands)

    def __enter__(self) -> Self:
        """Return the terminal, with its shell already running."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the shell and all its children."""
        os.close(self._commands)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, 9)
        self._process.wait(timeout=5)
        os.close(self._master)

    def run(
        self, command: str, *, timeout: float = 300, look: Callable[[str], None] | None = None
    ) -> Done:
        """Run a command and return its result; call `look` with the screen after each change."""
        screen = pyte.Screen(_WIDTH, _HEIGHT)
        stream = pyte.ByteStream(screen)
        os.write(self._commands, command.encode() + b"\0")
        output, deadline = b"", time.monotonic() + timeout
        while not (end := re.search(rb"\x1e(\d+)\x1e", output)):
            assert time.monotonic() < deadline, f"still runs: {command}\n{_text(screen)}"
            if select.select([self._master], [], [], 0.5)[0]:
                chunk = os.read(self._master, 1 << 16)
                output += chunk
                if look and b"\x1e" not in chunk:
                    stream.feed(chunk)
                    look(_text(screen))
        if look:
            screen.reset()
        stream.feed(output[: end.start()])
        return Done(int(end[1]), _text(screen))


def _text(screen: pyte.Screen) -> str:
    return "\n".join(line.rstrip() for line in screen.display).rstrip("\n")
