"""Read requirements files, and refuse requirements that a lockfile cannot pin."""

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
    """A requirements file with the files that it includes.

    `sha256` covers the contents of all files, with LF line ends. `indexes` are their index options,
    as arguments of uv. `files` are the paths of all files.
    """

    path: str
    sha256: str
    indexes: tuple[str, ...]
    files: frozenset[str]


def read(root: Path, path: str) -> Requirements:
    """Read a requirements file, and the files that it includes with -r and -c.

    Raises:
        LockError: a file cannot be read, or a requirement cannot be pinned with a hash: a local
            path, an editable install, a VCS link, a URL without a hash. It lists all of them.

    """
    reader = _Reader(root)
    reader.read_file(path)
    if reader.problems:
        raise LockError("\n".join(reader.problems), "requirements")
    return Requirements(
        path, reader.digest.hexdigest(), tuple(reader.indexes), frozenset(reader.seen)
    )


class _Reader:
    """Reads a requirements file and its includes, each file once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.digest = hashlib.sha256()
        self.indexes: list[str] = []
        self.problems: list[str] = []
        self.seen: set[str] = set()

    def read_file(self, path: str) -> None:
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
            self.read_line(content, path, f"{path}:{number}")
            number += 1 + line.count("\n")

    def read_line(self, content: str, path: str, where: str) -> None:
        if match := _NESTED.fullmatch(content):
            folder = os.path.dirname(path)
            other = os.path.normpath(os.path.join(folder, match[2])).replace(os.sep, "/")
            if other == ".." or other.startswith("../") or os.path.isabs(other):
                self.problems.append(
                    f"{where}: '{match[2]}' is outside the repository; move it inside"
                )
            else:
                self.read_file(other)
        elif match := _INDEX.fullmatch(content):
            self.indexes += match[1], self.absolute(match[2], os.path.dirname(path))
        elif problem := _unpinnable(content):
            self.problems.append(f"{where}: '{content}' {problem}")

    def absolute(self, text: str, folder: str) -> str:
        """Return the value of an index option with variables replaced, and a path made absolute."""
        text = _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), text)
        if "://" in text or text.startswith("file:"):
            return text
        return os.path.normpath(self.root / folder / text).replace(os.sep, "/")


def _unpinnable(requirement: str) -> str | None:
    """Return why a requirement cannot be pinned, and the remedy; None if it can."""
    if re.match(r"(-e|--editable)\b", requirement):
        return "is an editable install; add its folder to the lambda's 'include' instead"
    if re.search(r"(^|[\s@])(git|hg|svn|bzr)\+", requirement):
        return (
            "is a VCS link, which has no hash; publish a release to an index, "
            "or use a wheel's URL with '#sha256=<hex>'"
        )
    remote = re.search(r"(^|[\s@])https?://", requirement)
    if remote and not requirement.startswith("-") and not _HASHED.search(requirement):
        return "is a URL without a hash; append '#sha256=<hex>' to it"
    if remote or requirement.startswith("-"):
        return None
    # A requirement for an index, without marker and hashes, has neither a path nor an address.
    name = re.split(r";|\s--", requirement, maxsplit=1)[0].strip()
    if re.search(r"[/\\@]|^file:|^\.\.?$|\.(whl|zip|tar\.gz)$", name):
        return "is a local path; publish it to an index, or add its folder to 'include'"
    return None
