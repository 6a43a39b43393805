"""The machine's cache: finished ZIPs, compressed members and bytecode, for all checkouts of a user.

It only saves time: with it cold, damaged or full, the bytes are the same. It is in the user's cache
folder; in CI it is in build/cache, since a pipeline keeps folders of the checkout.
"""

import contextlib
import functools
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from buildlib.cache.bytecode import Bytecode
from buildlib.cache.packs import Packs
from buildlib.cache.store import Store
from buildlib.errors import BuildError
from buildlib.files import atomic
from buildlib.layout import Layout, is_ci

FOLDER, MAXIMUM = "LAMBDA_ZIP_CACHE", "LAMBDA_ZIP_CACHE_LIMIT"

# The value of LAMBDA_ZIP_CACHE for a cache of each checkout's own.
OFF = "off"

# The maximal sizes in bytes, unless LAMBDA_ZIP_CACHE_LIMIT sets another: for a folder of all
# checkouts, and for one in build/, which CI uploads.
_SHARED_LIMIT, _OWN_LIMIT = 10 << 30, 2 << 30

# The sizes are summed up after this part of the limit was added, and once a day.
_PART, _DAY = 20, 86_400

# Temporary files of killed processes are removed after this many seconds.
_LEFT = _DAY

# The variables of an earlier version.
_RENAMED = {"LAMBDA_ZIP_STORE": FOLDER, "LAMBDA_ZIP_STORE_LIMIT": MAXIMUM}


class MachineCache:
    """The cache of finished ZIPs (`store`), compressed members (`packs`) and `bytecode`.

    `is_shared` tells whether other checkouts have it, too; `limit` is its maximal size in bytes.

    Raises:
        BuildError: a variable has a wrong value.

    """

    def __init__(self, layout: Layout, variables: Mapping[str, str]) -> None:
        _check_names(variables)
        self._layout = layout
        self._named = _folder(variables.get("LAMBDA_ZIP_CACHE", ""))
        self._in_build = self._named == OFF or (not self._named and is_ci(variables))
        limit = _limit(variables.get("LAMBDA_ZIP_CACHE_LIMIT", ""))
        self.limit = limit or (_OWN_LIMIT if self._in_build else _SHARED_LIMIT)
        self._added = 0

    @functools.cached_property
    def folder(self) -> Path:
        """The folder of the cache."""
        if self._in_build:
            return self._layout.cache
        if self._named:
            return self._layout.root / Path(self._named).expanduser()
        import platformdirs  # a run that finds everything up to date needs no cache

        return platformdirs.user_cache_path("doit-lambda-zip", appauthor=False)

    @property
    def is_shared(self) -> bool:
        """Tell whether other checkouts may have the cache, too."""
        return not self.folder.is_relative_to(self._layout.build)

    @functools.cached_property
    def store(self) -> Store:
        """The finished ZIPs."""
        return Store(self.folder / "zips-v1", shared=self.is_shared)

    @functools.cached_property
    def packs(self) -> Packs:
        """The compressed members."""
        return Packs(self.folder / "packs-v1")

    @functools.cached_property
    def bytecode(self) -> Bytecode:
        """The bytecode of sources."""
        return Bytecode(self.folder / "bytecode-v1")

    def problem(self) -> str | None:
        """Return why nothing can be added to a folder that a variable names; None if it can."""
        if self._in_build or not self._named:
            return None
        folder = next(one for one in (self.folder, *self.folder.parents) if one.exists())
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return None
        return f"{self.folder} is not writable, so nothing is added to the cache"

    def added(self, size: int) -> None:
        """Count `size` bytes that were added, and evict entries if that may be necessary."""
        self._added += size
        with contextlib.suppress(OSError):
            if self._added > self.limit // _PART or self._is_due():
                self._added = 0
                self.evict()

    def _is_due(self) -> bool:
        try:
            return time.time() - self._stamp.stat().st_mtime > _DAY
        except FileNotFoundError:
            return True

    def evict(self) -> None:
        """Remove the least recently used entries until the cache is within its limit."""
        entries = sorted([
            *self.store.entries(), *self.packs.entries(), *self.bytecode.entries()
        ])  # fmt: skip
        size = sum(entry[1] for entry in entries)
        for _, length, path in entries:
            if size <= self.limit:
                break
            with contextlib.suppress(OSError):  # another process uses or removes it
                self.store.discard(path.stem) if path.suffix else atomic.remove(path)
                size -= length
        for path in self._leftovers():
            with contextlib.suppress(OSError):
                path.unlink()
        if self.folder.exists():
            self._stamp.touch()

    def _leftovers(self) -> Iterator[Path]:
        """Yield the temporary files of processes that were killed long ago."""
        for pattern in ("zips-v1/.*.tmp", "packs-v1/*/.*.tmp", "bytecode-v1/*/.*.tmp"):
            for path in self.folder.glob(pattern):
                with contextlib.suppress(OSError):
                    if time.time() - path.stat().st_mtime > _LEFT:
                        yield path

    @property
    def _stamp(self) -> Path:
        """The file whose mtime tells when the entries were last summed up."""
        return self.folder / ".measured"


def _check_names(variables: Mapping[str, str]) -> None:
    for old, new in _RENAMED.items():
        if variables.get(old):
            msg = f"{old} is now {new}, which also keeps compressed files; rename the variable"
            raise BuildError(msg, "setting")


def _folder(value: str) -> str:
    if "://" in value:
        msg = (
            f"{FOLDER}: expected a folder, found the URL '{value}'; name a local or mounted folder"
        )
        raise BuildError(msg, "setting")
    return value


def _limit(value: str) -> int:
    """Return the maximal size in bytes; 0 if it is not set."""
    if value and not value.isdecimal():
        msg = (
            f"{MAXIMUM}: expected a number of megabytes, found '{value}'; set a whole number, or "
            f"unset it"
        )
        raise BuildError(msg, "setting")
    return int(value or 0) * 1_000_000
