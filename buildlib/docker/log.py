"""The log of an installation, in which no secret is readable."""

import os
from collections.abc import Iterable
from typing import Self

from buildlib import progress
from buildlib.uv.redact import HIDDEN, redact


class Log:
    """The log of an installation, in which no secret is readable.

    `secrets` are hidden wherever they are in what is written, and credentials in addresses too.
    """

    def __init__(self, path: os.PathLike[str], secrets: Iterable[str]) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._stream = open(path, "w", encoding="utf-8")  # noqa: SIM115 - closed by __exit__
        # The longest first: one may be part of another.
        self._secrets = sorted({s for s in secrets if s}, key=lambda s: (-len(s), s))
        self._rest = b""
        self.output = ""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._stream.close()

    def clean(self, text: str) -> str:
        """Return a text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return redact(text)

    def line(self, text: str) -> None:
        """Write a line."""
        self._stream.write(self.clean(text) + "\n")
        self._stream.flush()

    def start(self, text: str) -> None:
        """Begin the output of a command, which is kept in `output`."""
        self.output = ""
        self.line(f"$ {text}")

    def feed(self, chunk: bytes) -> None:
        """Write a command's output as it comes; whole lines, so that no secret is cut in two."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._add(line)

    def end(self, code: int) -> None:
        """End the output of a command."""
        if self._rest:
            self._add(self._rest)
        self._rest = b""
        self.line(f"[exit code {code}]")

    def _add(self, line: bytes) -> None:
        text = self.clean(line.decode(errors="replace").rstrip("\r"))
        self.output = f"{self.output}{text}\n"[-20_000:]
        self.line(text)
        progress.update(text, often=True)
