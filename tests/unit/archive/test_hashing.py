"""A stream is hashed and counted on its way, in whichever pieces it comes."""

import hashlib
import io
import random
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from buildlib.archive import hashing
from buildlib.archive.hashing import HashingWriter

DATA = random.Random(5).randbytes(3_000_001)  # noqa: S311 - the same bytes every time


class Slow(io.BytesIO):
    """A raw stream that takes less than it is given, as the system may."""

    def write(self, data: object) -> int:
        """Take at most 1,000,000 bytes."""
        return super().write(memoryview(data)[:1_000_000])  # type: ignore[arg-type]


@pytest.mark.parametrize("piece", [1000, hashing.CHUNK - 1, hashing.CHUNK, 1 << 22])
def test_writer(piece: int) -> None:
    """What comes in goes out, with its sha256 and its size, however it is cut."""
    stream = Slow()
    with ThreadPoolExecutor(1) as pool:
        output = HashingWriter(stream, pool)  # type: ignore[arg-type]
        for start in range(0, len(DATA), piece):
            output.write(DATA[start : start + piece])
            assert output.size == min(start + piece, len(DATA))
        assert output.finish() == hashlib.sha256(DATA).hexdigest()
    assert stream.getvalue() == DATA


def test_writer_of_nothing() -> None:
    """Nothing has the sha256 of nothing."""
    with ThreadPoolExecutor(1) as pool:
        output = HashingWriter(io.BytesIO(), pool)  # type: ignore[arg-type]
        assert (output.size, output.finish()) == (0, hashlib.sha256().hexdigest())


@pytest.mark.parametrize("size", [0, 1, hashing.CHUNK - 1, hashing.CHUNK, hashing.CHUNK + 1])
def test_crc32(tmp_path: Path, size: int) -> None:
    """The CRC-32 of a file is that of all its bytes."""
    (tmp_path / "file").write_bytes(DATA[:size])
    assert hashing.crc32(tmp_path / "file") == zlib.crc32(DATA[:size])
