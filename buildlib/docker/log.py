"""The log of an installation. Secrets are masked in it."""

import os
from collections.abc import Iterable
from typing import Self

from buildlib import progress
from buildlib.text import harmless
from buildlib.uv.redact import HIDDEN, redact


class Log:
    """A log file that masks `secrets` wherever they occur, and credentials in URLs.

    `output` holds the end of the last command's output, masked as well.
    """

    def __init__(self, path: os.PathLike[str], secrets: Iterable[str]) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._stream = open(path, "w", encoding="utf-8")  # noqa: SIM115 - closed by __exit__
        # Longest first, as a secret may be part of another one.
        self._secrets = sorted({s for s in secrets if s}, key=lambda s: (-len(s), s))
        self._rest = b""
        self.output = ""

    def __enter__(self) -> Self:
        """Return the log."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._stream.close()

    def clean(self, text: str) -> str:
        """Return `text` with its secrets masked."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return harmless(redact(text))

    def line(self, text: str) -> None:
        """Write a line."""
        self._stream.write(self.clean(text) + "\n")
        self._stream.flush()

    def start(self, text: str) -> None:
        """Begin the output of a command: write its name, and empty `output`."""
        self.output = ""
        self.line(f"$ {text}")

    def feed(self, chunk: bytes) -> None:
        """Write a command's output as it arrives, in whole lines so that no secret is split."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._add(line)

    def end(self, code: int) -> None:
        """End the output of a command: write its exit code."""
        if self._rest:
            self._add(self._rest)
        self._rest = b""
        self.line(f"[exit code {code}]")

    def _add(self, line: bytes) -> None:
        text = self.clean(line.decode(errors="replace").rstrip("\r"))
        self.output = f"{self.output}{text}\n"[-20_000:]
        self.line(text)
        progress.update(text, often=True)
