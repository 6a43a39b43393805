"""A repository's lists and records in git; nothing here writes to it."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from buildlib.errors import BuildError
from buildlib.files import git

# The class of the error if git fails.
Failed = type[BuildError]


def text(root: Path, *arguments: str, failed: Failed) -> str:
    """Return the output of git.

    Raises:
        BuildError: of the class `failed`: git is not installed, or it failed.

    """
    return output(root, arguments, failed).decode("utf-8", "replace").strip()


def output(root: Path, arguments: Sequence[str], failed: Failed, stdin: bytes = b"") -> bytes:
    """Return the output of git as bytes; raises as `text` does."""
    try:
        done = git.run(root, arguments, stdin)
    except OSError as error:
        msg = f"git cannot be run ({error.strerror}); install it"
        raise failed(msg) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it failed"]
        why = next((line for line in said if line.startswith("fatal: ")), said[-1])
        msg = f"git {arguments[0]}: {why}"
        raise failed(msg)
    return done.stdout


def committed(root: Path, path: Path, failed: Failed) -> bytes | None:
    """Return the content of a file in the last commit; None if the commit does not have it."""
    shown = os.path.relpath(path, root).replace(os.sep, "/")
    found = output(root, ["ls-tree", "-z", "HEAD", "--", shown], failed).decode("utf-8", "replace")
    if not found:
        return None
    blob = found.split("\t")[0].split()[2]
    return contents(root, [blob], failed)[blob]


def contents(root: Path, blobs: Iterable[str], failed: Failed) -> Mapping[str, bytes]:
    """Return the contents of blobs, by their ids."""
    wanted = list(dict.fromkeys(blobs))
    stream = output(
        root, ["cat-file", "--batch"], failed, "".join(f"{b}\n" for b in wanted).encode()
    )
    found, start = {}, 0
    for blob in wanted:  # <id> SP <type> SP <size> LF <content> LF
        end = stream.index(b"\n", start)
        header = stream[start:end].split()
        if len(header) != 3:  # noqa: PLR2004 - `<id> missing`
            msg = f"git has no object {blob}; fetch the whole history: git fetch --refetch"
            raise failed(msg)
        start = end + 1 + int(header[2])
        found[blob] = stream[end + 1 : start]
        start += 1
    return found
