"""The files of the web that functions pin by their sha256."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from buildlib.cache.digests import Digests
from buildlib.errors import StageError
from buildlib.files import locks
from buildlib.layout import Layout
from buildlib.model import File, Origin, Pinned, Variant


def origins(variant: Variant, layout: Layout) -> list[Origin]:
    """Return the files as own files of a variant.

    Their sizes are unknown (0) as long as `fetched` has not downloaded them: the key of a ZIP that
    the cache has needs none of them.
    """
    return [
        Origin(
            File(one.to, one.sha256, _size(layout.pinned(one.sha256))),
            layout.relative(layout.pinned(one.sha256)),
            dependency=False,
        )
        for one in _of(variant)
    ]


def _of(variant: Variant) -> Iterator[Pinned]:
    for one in variant.function.files:
        if one.architecture in {"", variant.architecture}:
            yield one


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def fetched(
    variant: Variant, own: Sequence[Origin], layout: Layout, digests: Digests
) -> tuple[Origin, ...]:
    """Download the files that are not there, or damaged; return `own` with their sizes.

    Raises:
        StageError: an address cannot be read, or gives another file. It lists all of them.

    """
    problems = []
    for one in _of(variant):
        with locks.locked(layout.lock(f"file-{one.sha256[:24]}")):
            if not _is_there(layout.pinned(one.sha256), one.sha256, digests):
                from buildlib.project import download  # with an HTTP client

                try:
                    download.download(one, layout.pinned(one.sha256))
                except StageError as error:
                    problems.append(f"{variant.function.title}: {error}")
    if problems:
        raise StageError("\n".join(problems), "pinned-file")
    there = {layout.relative(layout.pinned(one.sha256)) for one in _of(variant)}
    return tuple(
        origin._replace(file=origin.file._replace(size=_size(layout.root / origin.path)))
        if origin.path in there
        else origin
        for origin in own
    )


def _is_there(path: Path, sha256: str, digests: Digests) -> bool:
    try:
        return digests.sha256_of(str(path), os.stat(path)) == sha256
    except OSError:
        return False


def unused(layout: Layout, variants: Iterable[Variant]) -> list[Path]:
    """Return the downloaded files that no variant pins any more, the newest first."""
    needed = {one.sha256 for variant in variants for one in variant.function.files}
    left = [p for p in layout.pinned("x").parent.glob("*") if p.name not in needed]
    return sorted(left, key=lambda path: path.stat().st_mtime, reverse=True)
