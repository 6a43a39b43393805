"""Hash large files while they are written or read."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from io import RawIOBase
from pathlib import Path

import deflate

# Bytes per chunk: large enough to hash in another thread.
CHUNK = 1 << 20


class _Digest:
    """A sha256 that a thread of `pool` computes."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._digest = hashlib.sha256()
        self._pool = pool
        self._job: Future[None] | None = None

    def update(self, data: bytes) -> None:
        """Hash a chunk, after waiting until the previous chunk is hashed."""
        self._wait()
        if len(data) < CHUNK:  # faster than another thread
            self._digest.update(data)
        else:
            self._job = self._pool.submit(self._digest.update, data)

    def hexdigest(self) -> str:
        """Return the hex sha256 of all chunks."""
        self._wait()
        return self._digest.hexdigest()

    def _wait(self) -> None:
        if self._job is not None:
            self._job.result()
            self._job = None


def crc32(path: Path) -> int:
    """Return the CRC-32 of a file."""
    crc = 0
    with path.open("rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK):
            crc = deflate.crc32(chunk, crc)
    return crc


class HashingWriter:
    """A stream that hashes and counts the bytes written to it."""

    def __init__(self, stream: RawIOBase, pool: ThreadPoolExecutor) -> None:
        self.size = 0
        self._stream = stream
        self._digest = _Digest(pool)
        self._pending: list[bytes] = []
        self._pending_size = 0

    def write(self, data: bytes) -> None:
        """Write data, at the latest in `finish`."""
        self._pending.append(data)
        self._pending_size += len(data)
        self.size += len(data)
        if self._pending_size >= CHUNK:
            self._flush()

    def finish(self) -> str:
        """Write all pending data, and return the hex sha256 of the whole stream."""
        self._flush()
        return self._digest.hexdigest()

    def _flush(self) -> None:
        data = b"".join(self._pending)
        self._digest.update(data)
        rest = memoryview(data)
        while rest:
            rest = rest[self._stream.write(rest) :]
        self._pending.clear()
        self._pending_size = 0
