"""The one place from which text goes to the streams of this process."""

from collections.abc import Iterable
from typing import TextIO

from buildlib.text import harmless


def write(stream: TextIO, text: str) -> None:
    """Write text for a reader."""
    stream.write(harmless(text))


def data(stream: TextIO, text: str) -> None:
    """Write JSON for a program; nothing in it is altered, as its strings are escaped."""
    stream.write(f"{text}\n")


def command(stream: TextIO, lines: Iterable[str]) -> None:
    """Write commands for a CI service, which escape what they quote."""
    stream.writelines(f"{line}\n" for line in lines)
