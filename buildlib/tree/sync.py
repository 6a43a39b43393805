"""Make a folder hold exactly the files of a tree."""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from buildlib import contract
from buildlib.errors import StageError
from buildlib.files import atomic
from buildlib.model import Origin


def sync(  # noqa: PLR0913 - each is one independent input of the tree
    origins: Sequence[Origin],
    rewritten: Mapping[str, bytes],
    tree: Path,
    *,
    previous: Mapping[str, str],
    root: Path,
    environment: Path,
    whole: bool = True,
) -> list[str]:
    """Make the folder `tree` hold exactly `origins`, and return the names of what had to be made.

    `previous` gives the sha256 of the files that an earlier sync left there; one whose size or
    mtime is no longer as `touch` left it is made again. The files of dependencies are hard links
    into the environment where the system allows it: their metadata is not ours, and is left alone.
    Unless it is the `whole` tree that `origins` are of, only what they and `previous` name counts.

    Raises:
        StageError: a source changed after it was hashed.

    """
    wanted = {origin.file.path: origin for origin in origins}
    there = dict(_present(tree) if whole else _among(tree, {*previous, *wanted}))
    if surplus := there.keys() - wanted.keys():
        for path in surplus:
            os.unlink(tree / path)
        _remove_empty_folders(tree)  # a folder may have to become a file
    made: list[str] = []
    folders: dict[str, bool] = {}  # whether each was there before
    for path, origin in wanted.items():
        linked = origin.dependency and path not in rewritten
        same = previous.get(path) == origin.file.sha256
        if path in there and _is_kept(
            there[path], origin, same=same, environment=environment if linked else None
        ):
            continue
        target = f"{tree}{os.sep}{path}"
        folder = os.path.dirname(target)
        if folder not in folders:
            folders[folder] = os.path.isdir(folder)
            os.makedirs(folder, exist_ok=True)
        if path in there:
            os.unlink(target)
        elif folders[folder] and os.path.isdir(target):  # left empty by a run that was killed
            atomic.remove(Path(target))
        if linked and _link(f"{environment}{os.sep}{origin.path}", target):
            continue
        if path in rewritten:
            Path(target).write_bytes(rewritten[path])
        else:
            # Dependencies where nothing can be linked: another file system, or too many links.
            _copy((environment if linked else root) / origin.path, target, origin)
        made.append(path)
    return made


def _is_kept(
    status: os.stat_result, origin: Origin, *, same: bool, environment: Path | None
) -> bool:
    """Tell whether a staged file is what it should be: the environment's own, or as touched."""
    if status.st_size != origin.file.size:
        return False
    if same and status.st_mtime_ns == contract.MTIME * 1_000_000_000:
        return True
    if environment is None:
        return False
    return os.stat(f"{environment}{os.sep}{origin.path}").st_ino == status.st_ino


def intact(tree: Path, origins: Sequence[Origin], environment: Path) -> bool:
    """Tell whether a staged tree still is what was staged and touched there."""
    there = dict(_present(tree))
    if there.keys() != {origin.file.path for origin in origins}:
        return False
    try:
        return all(
            _is_kept(
                there[origin.file.path],
                origin,
                same=True,
                environment=environment if origin.dependency else None,
            )
            for origin in origins
        )
    except FileNotFoundError:
        return False


def _present(tree: Path) -> Iterable[tuple[str, os.stat_result]]:
    """Yield the name and the status of each file of a tree."""
    stack = [(str(tree), "")]
    while stack:
        folder, prefix = stack.pop()
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                stack.append((entry.path, f"{prefix}{entry.name}/"))
            else:
                yield prefix + entry.name, entry.stat(follow_symlinks=False)


def _among(tree: Path, paths: Iterable[str]) -> Iterable[tuple[str, os.stat_result]]:
    """Yield the name and the status of those of some files that are in a tree."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            yield path, os.lstat(f"{tree}{os.sep}{path}")


def has_folders(tree: Path, paths: Iterable[str]) -> bool:
    """Tell whether all folders of some files are in a tree, and none is a link."""
    top = os.path.realpath(tree)
    folders = {f"{top}{os.sep}{path}".rpartition("/")[0] for path in paths}
    return all(os.path.isdir(folder) and os.path.realpath(folder) == folder for folder in folders)


def _link(source: str, target: str) -> bool:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        return False
    return True


def _copy(source: Path, target: str, origin: Origin) -> None:
    digest = hashlib.sha256()
    with source.open("rb") as reader, open(target, "wb") as writer:
        while chunk := reader.read(1 << 20):
            digest.update(chunk)
            writer.write(chunk)
    if digest.hexdigest() != origin.file.sha256:
        os.unlink(target)
        msg = f"{origin.path}: changed while it was read; run doit again"
        raise StageError(msg, "changed")


def _remove_empty_folders(tree: Path) -> None:
    for folder, _, leaves in os.walk(tree, topdown=False):
        if not leaves and folder != str(tree) and not os.listdir(folder):
            os.rmdir(folder)
