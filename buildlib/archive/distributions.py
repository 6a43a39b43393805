"""The distributions in a ZIP, by their core metadata (PEP 566, PEP 639)."""

import contextlib
import csv
import io
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser

from buildlib.archive.reader import ZipReader
from buildlib.model import LAYER_PREFIX
from buildlib.text import canonical_name

_METADATA = re.compile(rf"({LAYER_PREFIX})?[^/]+\.dist-info/METADATA")


def metadata(archive: ZipReader) -> dict[str, Message]:
    """Return the core metadata of each distribution in a ZIP, by its normalised name."""
    messages = {}
    for member in archive.members:
        if _METADATA.fullmatch(member.name):
            text = (archive.content(member) or b"").decode("utf-8", "replace")
            message = HeaderParser().parsestr(text, headersonly=True)
            messages[canonical_name(message.get("Name", ""))] = message
    return messages


def recorded(record: bytes) -> Iterator[str]:
    """Yield the paths that a RECORD lists, up to a damaged line."""
    text = record.decode("utf-8", "replace")
    with contextlib.suppress(csv.Error):
        yield from (row[0] for row in csv.reader(io.StringIO(text, newline="")) if row)


def version(pin: list[str], message: Message | None) -> str:
    """Return the version of a pinned distribution; empty if it is unknown.

    `pin` is its row in a recipe: the version, or `@` and an address, and then its hashes. Pinned by
    address, the distribution has the version of its metadata, if there is any.
    """
    if not pin[0].startswith("@"):
        return pin[0]
    return str(message.get("Version", "")) if message else ""


def licences(message: Message) -> tuple[str, list[str]]:
    """Return the licence as an expression (PEP 639), or else as names.

    The names come from the classifiers, or from the older free text if it is a single line.
    """
    if expression := message.get("License-Expression"):
        return str(expression), []
    classifiers = [str(text) for text in message.get_all("Classifier", [])]
    names = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License ::")]
    text = str(message.get("License", "")).strip()
    if not names and text and "\n" not in text:
        names = [text]
    return "", list(dict.fromkeys(names))
