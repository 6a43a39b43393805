"""Read requirements files: what they say, and what no lock could pin."""

import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple

from buildlib.errors import LockError

_NESTED = re.compile(r"(?:-r|--requirement|-c|--constraint)[\s=]+([\"']?)(.+)\1")


_INDEX = re.compile(r"(-i|--index-url|--extra-index-url|-f|--find-links)[\s=]+(\S+)")


_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


_HASHED = re.compile(r"#(.*&)?sha256=[0-9a-f]{64}|--hash=sha256:[0-9a-f]{64}")


class Requirements(NamedTuple):
    """A requirements file with all that it includes.

    `sha256` is that of the contents with LF line ends; `indexes` are the options in it that say
    where packages come from, as arguments of uv; `files` are it and those that it includes.
    """

    path: str
    sha256: str
    indexes: tuple[str, ...]
    files: frozenset[str]


def read(root: Path, path: str) -> Requirements:
    """Read a requirements file, and the files that it names with -r and -c.

    Raises:
        LockError: a requirement without a version that an index could give and a hash could pin:
            a local path, an editable, a VCS link, a URL without a hash. Every one is named.

    """
    reading = _Reading(root)
    reading.read(path)
    if reading.problems:
        raise LockError("\n".join(reading.problems), "requirements")
    return Requirements(
        path, reading.digest.hexdigest(), tuple(reading.indexes), frozenset(reading.seen)
    )


class _Reading:
    """One reading of a requirements file and of those that it includes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.digest = hashlib.sha256()
        self.indexes: list[str] = []
        self.problems: list[str] = []
        self.seen: set[str] = set()

    def read(self, path: str) -> None:
        if path in self.seen:
            return
        self.seen.add(path)
        try:
            text = (self.root / path).read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self.problems.append(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8")
            return
        except OSError as error:
            self.problems.append(f"{path}: cannot be read: {(error.strerror or '').lower()}")
            return
        text = text.replace("\r\n", "\n")
        self.digest.update(text.encode() + b"\0")
        number = 1
        for line in re.split(r"(?<!\\)\n", text):
            content = re.sub(r"(^|\s)#.*", "", line.replace("\\\n", " ")).strip()
            self.line(content, path, f"{path}:{number}")
            number += 1 + line.count("\n")

    def line(self, content: str, path: str, where: str) -> None:
        if match := _NESTED.fullmatch(content):
            folder = os.path.dirname(path)
            other = os.path.normpath(os.path.join(folder, match[2])).replace(os.sep, "/")
            if other == ".." or other.startswith("../") or os.path.isabs(other):
                self.problems.append(
                    f"{where}: '{match[2]}' is outside the repository; move it inside"
                )
            else:
                self.read(other)
        elif match := _INDEX.fullmatch(content):
            self.indexes += match[1], self.address(match[2], os.path.dirname(path))
        elif problem := _unpinnable(content):
            self.problems.append(f"{where}: '{content}' {problem}")

    def address(self, text: str, folder: str) -> str:
        """Return where an option points to: variables are replaced, folders are absolute."""
        text = _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), text)
        if "://" in text or text.startswith("file:"):
            return text
        return os.path.normpath(self.root / folder / text).replace(os.sep, "/")


def _unpinnable(requirement: str) -> str | None:
    """Return why a requirement cannot be pinned and what to do, or None."""
    if re.match(r"(-e|--editable)\b", requirement):
        return "is an editable install; name the folder in the lambda's 'include' instead"
    if re.search(r"(^|[\s@])(git|hg|svn|bzr)\+", requirement):
        return (
            "is a VCS link, which has no hash; publish a release to an index, "
            "or name a wheel's URL with '#sha256=<hex>'"
        )
    remote = re.search(r"(^|[\s@])https?://", requirement)
    if remote and not requirement.startswith("-") and not _HASHED.search(requirement):
        return "is a URL without a hash; append '#sha256=<hex>' to it"
    if remote or requirement.startswith("-"):
        return None
    # What is left of a version in an index has neither folders nor an address.
    name = re.split(r";|\s--", requirement, maxsplit=1)[0].strip()
    if re.search(r"[/\\@]|^file:|^\.\.?$|\.(whl|zip|tar\.gz)$", name):
        return "is a local path; publish it to an index, or name its folder in 'include'"
    return None
