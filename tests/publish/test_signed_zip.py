"""A signed ZIP has the files of the built one for every reader of ZIPs."""

import io
import zipfile
from pathlib import Path

import pytest

from buildlib.commands.publish import signed_zip
from buildlib.errors import PublishError

SIGNATURE = "META_INF/aws_signer_signature_v1.0.SF"


def zipped(path: Path, files: dict[str, str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write a ZIP."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


FILES = {"app.py": "A = 1\n" * 100, "empty.py": ""}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Give a built ZIP."""
    return zipped(tmp_path / "built.zip", FILES)


def problems(built: Path, path: Path) -> str:
    """Return the differences of a signed ZIP from the built one."""
    with pytest.raises(PublishError) as caught:
        signed_zip.check(built, path, "the job")
    return str(caught.value)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_same_files(built: Path, tmp_path: Path, method: int) -> None:
    """Compression, data descriptors and order do not matter; the signature may have a folder."""
    output = io.BytesIO()
    output.seekable = lambda: False  # type: ignore[method-assign]
    with zipfile.ZipFile(output, "w", method) as archive:
        for name, content in {"META_INF/": "", SIGNATURE: "x", **FILES}.items():
            archive.writestr(name, content)
    path = tmp_path / "signed.zip"
    path.write_bytes(output.getvalue())
    signed_zip.check(built, path, "the job")


@pytest.mark.parametrize(
    "name",
    ["META_INF/../app.py", "META_INF/./app.py", "META_INF//app.py", "META_INF", "meta_inf/x",
     "META_INF/\\..\\app.py", "/META_INF/x", "../META_INF/x", "app.py/"],
)  # fmt: skip
def test_names_beside_the_signature(built: Path, tmp_path: Path, name: str) -> None:
    """Only the folder of the signature may have new files, and no name may leave it."""
    path = zipped(tmp_path / "signed.zip", {**FILES, SIGNATURE: "x", name: "import os"})
    assert f"{name} was added" in problems(built, path)


def test_files_that_only_streams_find(built: Path, tmp_path: Path) -> None:
    """A file without an entry of the central directory, and one with two names, are found."""
    path = zipped(tmp_path / "signed.zip", {**FILES, SIGNATURE: "x"})
    content = path.read_bytes()
    evil = zipped(tmp_path / "evil.zip", {"evil.py": "import os"}, zipfile.ZIP_STORED)
    hidden = evil.read_bytes().partition(b"PK\1\2")[0]
    with zipfile.ZipFile(io.BytesIO(hidden + content)) as archive:
        assert "evil.py" not in archive.namelist()
    at = content.index(b"app.py")
    renamed = content[:at] + b"ape.py" + content[at + 6 :]
    path.write_bytes(renamed)
    assert "app.py has another name in its local header" in problems(built, path)
    output = io.BytesIO(content)
    with zipfile.ZipFile(output, "a") as archive:  # over the central directory, then removed
        archive.writestr("evil.py", "import os")
        archive.filelist.remove(archive.getinfo("evil.py"))
    path.write_bytes(output.getvalue())
    assert "it has files that its central directory does not list" in problems(built, path)
