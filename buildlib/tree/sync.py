"""Update a folder so that it holds exactly the files of a tree."""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from buildlib import contract
from buildlib.errors import StageError
from buildlib.files import atomic
from buildlib.model import Origin
from buildlib.tree.contents import Contents


def sync(  # noqa: PLR0913 - each is one independent input of the tree
    origins: Sequence[Origin],
    rewritten: Mapping[str, bytes],
    tree: Path,
    *,
    previous: Mapping[str, str],
    contents: Contents,
    root: Path,
    environment: Path,
    whole: bool = True,
) -> list[str]:
    """Make the folder `tree` hold exactly `origins`, and return the paths of the files it wrote.

    Keep a file if `previous`, the sha256 by path after the last sync, has the right digest for it
    and its size and mtime are still as `touch` left them. Make the files of dependencies hard links
    to the environment's where the system allows it: a link shares its metadata with the
    environment, so it is not among the returned paths, which the caller touches. `rewritten` holds
    the contents of files that differ from their origin, and `contents` those of own files.

    If `origins` are not the `whole` tree, leave all files alone that neither they nor `previous`
    name.

    Raises:
        StageError: a source file changed after it was hashed.

    """
    origin_of = {origin.file.path: origin for origin in origins}
    present = dict(_walk(tree) if whole else _stat_each(tree, {*previous, *origin_of}))
    if surplus := present.keys() - origin_of.keys():
        for path in surplus:
            os.unlink(tree / path)
        _remove_empty_folders(tree)  # a new file may have the path of an old folder
    written: list[str] = []
    existed: dict[str, bool] = {}  # by folder: whether it existed before this sync
    for path, origin in origin_of.items():
        to_link = origin.dependency and path not in rewritten
        same_digest = previous.get(path) == origin.file.sha256
        if path in present and _is_intact(
            present[path],
            origin,
            same_digest=same_digest,
            environment=environment if to_link else None,
        ):
            continue
        target = f"{tree}{os.sep}{path}"
        folder = os.path.dirname(target)
        if folder not in existed:
            existed[folder] = os.path.isdir(folder)
            os.makedirs(folder, exist_ok=True)
        if path in present:
            os.unlink(target)
        elif existed[folder] and os.path.isdir(target):  # a killed run left an empty folder
            atomic.remove(Path(target))
        if to_link and _link(f"{environment}{os.sep}{origin.path}", target):
            continue
        if path in rewritten:
            Path(target).write_bytes(rewritten[path])
        else:
            # An own file, or a dependency that cannot be linked: it is on another file system, or
            # has too many links.
            known = None if to_link else contents.of(origin)
            source = f"{environment if to_link else root}{os.sep}{origin.path}"
            _copy(source, target, origin, known)
        written.append(path)
    return written


def _is_intact(
    status: os.stat_result, origin: Origin, *, same_digest: bool, environment: Path | None
) -> bool:
    """Tell whether a staged file is still as `touch` left it, or a link to the environment's."""
    if status.st_size != origin.file.size:
        return False
    if same_digest and status.st_mtime_ns == contract.MTIME * 1_000_000_000:
        return True
    if environment is None:
        return False
    return os.stat(f"{environment}{os.sep}{origin.path}").st_ino == status.st_ino


def intact(tree: Path, origins: Sequence[Origin], environment: Path) -> bool:
    """Tell whether a staged tree is still as `stage` and `touch` left it."""
    present = dict(_walk(tree))
    if present.keys() != {origin.file.path for origin in origins}:
        return False
    try:
        return all(
            _is_intact(
                present[origin.file.path],
                origin,
                same_digest=True,
                environment=environment if origin.dependency else None,
            )
            for origin in origins
        )
    except FileNotFoundError:
        return False


def _walk(tree: Path) -> Iterable[tuple[str, os.stat_result]]:
    """Yield (path, stat) for each file of a tree."""
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


def _stat_each(tree: Path, paths: Iterable[str]) -> Iterable[tuple[str, os.stat_result]]:
    """Yield (path, stat) for each of `paths` that exists in `tree`."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            yield path, os.lstat(f"{tree}{os.sep}{path}")


def has_folders(tree: Path, paths: Iterable[str]) -> bool:
    """Tell whether the folders of all `paths` exist in `tree`, and none of them is a link."""
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


def _copy(source: str, target: str, origin: Origin, known: bytes | None) -> None:
    """Copy a file, whose content may be `known`."""
    if known is not None:
        with open(target, "wb", buffering=0) as writer:
            writer.write(known)
        return
    digest = hashlib.sha256()
    with open(source, "rb") as reader, open(target, "wb") as writer:
        while chunk := reader.read(1 << 20):
            digest.update(chunk)
            writer.write(chunk)
    if digest.hexdigest() != origin.file.sha256:
        os.unlink(target)
        msg = f"{origin.path}: changed while it was read; run the build again"
        raise StageError(msg, "changed")


def _remove_empty_folders(tree: Path) -> None:
    for folder, _, leaves in os.walk(tree, topdown=False):
        if not leaves and folder != str(tree) and not os.listdir(folder):
            os.rmdir(folder)
