"""Lambda's limits hold to the byte, and a function's own as well."""

import zipfile
from pathlib import Path

import pytest

from buildlib.archive import contents
from buildlib.artifacts import limits
from buildlib.errors import SizeError
from buildlib.model import Variant, Written
from tests.unit.conftest import origin, variant

# "Lambda quotas": 250 MB unzipped, 50 MB for a direct upload.
UNZIPPED, ZIPPED = 262_144_000, 52_428_800


def written(size: int, unzipped_size: int) -> Written:
    """Return the description of a ZIP of these sizes."""
    return Written("0" * 64, size, unzipped_size)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a ZIP for the messages, which name what is in it."""
    path = tmp_path / "api.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("app.py", "x" * 1000)
        archive.writestr("numpy/core.py", "x" * 5000)
        archive.writestr("numpy-2.0.dist-info/METADATA", "Name: numpy\nVersion: 2.0\n")
        archive.writestr("numpy-2.0.dist-info/RECORD", "numpy/core.py,,\n")
    return path


@pytest.mark.parametrize(
    ("of", "most"), [(variant(), UNZIPPED), (variant(size_limit=7000), 7000)], ids=["AWS", "own"]
)
def test_the_limit_may_be_reached(path: Path, of: Variant, most: int) -> None:
    """What is as large as it may be fits; a byte more is an error that names the largest parts."""
    assert limits.limit(of.function) == most
    assert limits.fits(of, written(10, most))
    limits.check_unzipped(of, most, lambda: contents.of_zip(path), [])
    assert limits.warning(of, written(10, most))
    assert not limits.fits(of, written(10, most + 1))
    own = [origin("app.py", "x" * 1000)]
    with pytest.raises(SizeError) as error:
        limits.check_unzipped(of, most + 1, lambda: contents.of_zip(path), own)
    message = str(error.value)
    assert f"{most + 1:,}" in message
    assert f"{most:,}" in message
    assert "numpy" in message


@pytest.mark.parametrize(
    ("size", "unzipped", "words"),
    [
        (1, 1, None),
        (1, UNZIPPED * 9 // 10 - 1, None),
        (1, UNZIPPED * 9 // 10, f"{UNZIPPED:,}"),
        (ZIPPED * 9 // 10 - 1, 1, None),
        (ZIPPED * 9 // 10, 1, "direct uploads"),
        (ZIPPED, 1, "direct uploads"),
        (ZIPPED + 1, 1, "S3"),
        (ZIPPED + 1, UNZIPPED, "S3"),
    ],
)
def test_warnings(size: int, unzipped: int, words: str | None) -> None:
    """From nine tenths of a limit on there is a warning; beyond a direct upload, one about S3."""
    warning = limits.warning(variant(), written(size, unzipped))
    assert (warning is None) == (words is None)
    assert words is None or words in str(warning)
