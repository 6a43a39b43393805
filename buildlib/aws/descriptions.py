"""The description of a published version: it names the earlier version of its alias.

Lambda keeps no history of an alias. The description of a version never changes, and takes at most
256 characters ("PublishVersion" in the API reference).
"""

import re
from typing import NamedTuple


class Before(NamedTuple):
    """The version of an alias before another one was published for it; empty without an alias."""

    alias: str
    version: str


def text(before: Before, rolled_back: str = "") -> str:
    """Return the description of a version that is published for an alias.

    `rolled_back` is the version that the new one replaces, if that is not the one of `before`.
    """
    command = "rollback" if rolled_back else "deploy"
    was = f"was at version {before.version}" if before.version else "did not exist"
    more = f" before version {rolled_back}" if rolled_back else ""
    return f"lambdas {command}: '{before.alias}' {was}{more}"


_OURS = re.compile(
    r"lambdas (deploy|rollback): '(?P<alias>[A-Za-z0-9_-]{1,128})' "
    r"(was at version (?P<version>[0-9]{1,18})|did not exist)( before version [0-9]{1,18})?",
    re.ASCII,
)


def parsed(description: str) -> Before | None:
    """Parse a description; return None, and keep no text, if it is somebody else's."""
    found = _OURS.fullmatch(description)
    return Before(found["alias"], found["version"] or "") if found else None
