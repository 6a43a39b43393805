"""Packs in the remote cache: a build copies the members that another machine compressed.

A pack has a claim and a blob as a ZIP has. Its key says which contents of which distribution it
has, compressed by which encoder, so the key alone decides its bytes. A build decompresses each
member and compares it with the digest of the installed file before it uses one.
"""

from collections.abc import Mapping
from pathlib import Path

from buildlib.model import Written
from buildlib.remote.cache import Remote
from buildlib.remote.trust import Wanted


class RemotePacks:
    """The packs of a remote, on behalf of a variant, whose id is in messages."""

    def __init__(self, remote: Remote, name: str) -> None:
        self._remote, self._name = remote, name

    def take(self, wanted: Mapping[str, Path]) -> set[str]:
        """Download the packs with these keys to files; return the keys of those that arrived."""
        self._remote.look_up([self._wanted(key) for key in wanted])
        return {key for key, path in wanted.items() if self._remote.take_blob(key, path)}

    def refuse(self, key: str) -> None:
        """Say that the pack which arrived for a key does not hold the contents of the key."""
        self._remote.refuse(key, _NO_PACK)

    def put(self, key: str, path: Path) -> None:
        """Upload a pack in the background; its file name is its sha256."""
        written = Written(path.stem, path.stat().st_size, 0)
        self._remote.put(self._wanted(key), path, written)

    def _wanted(self, key: str) -> Wanted:
        return Wanted(self._name, key, is_pack=True)


_NO_PACK = (
    "the remote cache has compressed files with other contents than their entries say; they were "
    "not used. They are damaged, or somebody tampered with them"
)
