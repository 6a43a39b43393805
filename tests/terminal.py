"""A terminal without a window: a shell runs in it, and what one would see at the end is text."""

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
# More than any command prints: nothing scrolls away, and a long line stays one.
_WIDTH, _HEIGHT = 400, 400

# Commands come in by a pipe of their own; what they read is empty, what they print is shown.
_LOOP = r"""
exec 2>&1
while IFS= read -r -d '' command <&3; do
  eval "$command" </dev/null 3<&-
  printf '\036%d\036' $?
done
"""


class Done(NamedTuple):
    """How a command ended: its exit code, and what is on the screen, without trailing blanks."""

    code: int
    screen: str


class Terminal:
    """A bash in a pseudo-terminal of 100 columns; folder and variables stay between commands."""

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
        """Give the terminal, whose shell runs already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the shell, and with it whatever still runs."""
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
        """Run a command and return how it ended; `look` gets the screen each time it changes."""
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
