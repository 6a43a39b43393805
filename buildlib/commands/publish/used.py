"""The ZIPs that git knows as published or recorded: in each branch and tag, and not long ago.

A list counts as it is in the working tree, as it is at the tip of each branch and tag, and as each
commit of the last days found and left it. So does the record. Lists of the whole repository count,
whichever folder they are in, since two folders may publish to one prefix.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from buildlib.artifacts import published
from buildlib.commands.publish import git
from buildlib.errors import GarbageError

_SHA256 = re.compile(rb"\b[0-9a-f]{64}\b")

# The names of lists and records.
_NAME = re.compile(r"(.*/)?(lambdas\.published[^/]*\.json|lambdas\.hashes\.json)")


def by_git(root: Path, days: int) -> set[str]:
    """Return the sha256 of each ZIP that lists and records of git have; and those not committed.

    Every text of 64 hexadecimal digits counts, so that even a damaged list protects its ZIPs.

    Raises:
        GarbageError: this is no complete repository of git.

    """
    _check_complete(root)
    return _found(root, time.time() - days * _DAY)


def ever(root: Path) -> set[str]:
    """Return the sha256 of each ZIP that a list or a record has, or had in any commit of a clone.

    Raises:
        GarbageError: this is no repository of git.

    """
    return _found(root, 0)


def committed(root: Path) -> set[str]:
    """Return the sha256 of each ZIP that a list or a record had in any commit of a clone.

    Raises:
        GarbageError: this is no repository of git.

    """
    return _committed(_top(root), 0)


def _top(root: Path) -> Path:
    return Path(git.text(root, "rev-parse", "--show-toplevel", failed=GarbageError))


def _found(root: Path, border: float) -> set[str]:
    """Return the sha256 of each ZIP; commits count from a time on, in seconds of Unix."""
    top = _top(root)
    found = _committed(top, border)
    listed = git.output(top, ["ls-files", "-z", "--cached", "--others"], GarbageError)
    for name in listed.decode("utf-8", "surrogateescape").split("\0"):
        if _NAME.fullmatch(name) and (top / name).is_file():
            found |= _in((top / name).read_bytes())
    return found


def _committed(top: Path, border: float) -> set[str]:
    blobs = {*_at_tips(top), *_changed(top, border)}
    return {one for text in git.contents(top, blobs, GarbageError).values() for one in _in(text)}


def _in(text: bytes) -> set[str]:
    return {one.decode() for one in _SHA256.findall(text)}


def _check_complete(root: Path) -> None:
    """Refuse a clone without the whole history, in which a list in use may be missing.

    Raises:
        GarbageError: it is such a clone, or no repository at all.

    """
    if git.text(root, "rev-parse", "--is-shallow-repository", failed=GarbageError) == "true":
        msg = (
            "this clone is shallow, so lists of other commits are unknown; run 'git fetch "
            "--unshallow', and in CI fetch the whole history ('fetch-depth: 0', 'GIT_DEPTH: 0')"
        )
        raise GarbageError(msg)
    settings = git.text(root, "config", "--list", failed=GarbageError).splitlines()
    for remote in git.text(root, "remote", failed=GarbageError).split():
        fetched = [one for one in settings if one.startswith(f"remote.{remote}.fetch=")]
        if not any("refs/heads/*:" in one for one in fetched):
            msg = (
                f"this clone has not all branches of '{remote}', so their lists are unknown; run "
                f"'git remote set-branches {remote} \"*\"' and 'git fetch {remote}'"
            )
            raise GarbageError(msg)


def _at_tips(top: Path) -> Iterator[str]:
    """Yield the blobs of lists and records at the tip of each branch and tag."""
    names = git.text(top, "for-each-ref", "--format=%(objectname)", failed=GarbageError).split()
    asked = [f"{name}^{{tree}}" for name in dict.fromkeys(("HEAD", *names))]
    # A tag may be one of a tag; that of a file has no tree.
    stdin = "".join(f"{one}\n" for one in asked).encode()
    known = git.output(top, ["cat-file", "--batch-check"], GarbageError, stdin).split(b"\n")
    trees = {one.split()[0].decode() for one in known if one.split()[1:2] == [b"tree"]}
    for tip in sorted(trees):
        tree = git.output(top, ["ls-tree", "-r", "-z", "--full-tree", tip], GarbageError)
        for row in tree.decode("utf-8", "surrogateescape").split("\0"):
            facts, _, name = row.partition("\t")
            if _NAME.fullmatch(name):
                yield facts.split()[2]


def _changed(top: Path, border: float) -> Iterator[str]:
    """Yield the blobs that commits since a time replaced, and those that they brought."""
    places = [f":(top,glob)**/{name}" for name in (published.PATTERN, "lambdas.hashes.json")]
    options = [
        "--all",
        "--full-history",
        "--diff-merges=separate",
        "--raw",
        "--no-abbrev",
        "--no-renames",
        "--format=%x01%ct%x01",
        "-z",
    ]
    output = git.output(top, ["log", *options, "--", *places], GarbageError)
    # git's own '--since' stops too early if the dates of commits are not in order.
    date = 0
    for when, *blobs in _ROW.findall(output):
        if when:
            date = int(when)
        elif date >= border:
            yield from (one.decode() for one in blobs if one.strip(b"0"))


# The date of a commit, or a changed file: `:<mode> <mode> <blob> <blob> <status>`.
_ROW = re.compile(rb"\x01([0-9]+)\x01|:[0-7]{6} [0-7]{6} ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) ")

_DAY = 86_400
