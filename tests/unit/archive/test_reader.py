"""A ZIP that anyone made is read, or refused with a message."""

import struct
import zipfile
from pathlib import Path

import pytest

from buildlib.archive.reader import ZipReader
from buildlib.errors import ArchiveError


def test_an_offset_of_64_bits(tmp_path: Path) -> None:
    """4.3.15: a ZIP64 record at an offset that no file has is an error of the ZIP."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("app.py", "")
    content = path.read_bytes()
    at = content.rfind(b"PK\5\6")
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 2**64 - 1, 1)
    path.write_bytes(content[:at] + locator + content[at:])
    with pytest.raises(ArchiveError, match="not a readable ZIP"):
        ZipReader(path)
