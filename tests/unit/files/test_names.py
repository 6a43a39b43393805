"""File names are safe on every system, and paths stay inside the repository."""

import os
import sys
from pathlib import Path

import pytest

from buildlib.errors import BuildError, StageError
from buildlib.files.names import check_names, relative_inside


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("readme", "README"),
        ("pkg/A.py", "pkg/a.py"),
        ("z\u00fc", "zu\u0308"),
        ("\u00dc", "u\u0308"),
        ("stra\u00dfe", "STRASSE"),
        ("\u212a", "k"),
    ],
)
def test_names_that_collide(one: str, other: str) -> None:
    """Names that differ only by case or by Unicode form are refused, both named."""
    with pytest.raises(StageError) as error:
        check_names([one, "other", other], "here")
    assert str(error.value) == (
        f"here: '{one}' and '{other}' are one file on macOS and Windows; rename or exclude one"
    )


@pytest.mark.parametrize(
    ("paths", "file"), [(["a", "a/b"], "a"), (["x/A", "x/a/b/c"], "x/A"), (["a/b", "a"], "a")]
)
def test_file_and_folder_of_one_name(paths: list[str], file: str) -> None:
    """A name that is a file and a folder cannot be unpacked."""
    with pytest.raises(StageError) as error:
        check_names(paths, "here")
    assert str(error.value).startswith(f"here: '{file}' is a file, and also the folder of ")


def test_names_that_do_not_collide() -> None:
    """Ordinary names pass."""
    check_names(["a", "b/a", "b/c", "ab", "\u00fc", "u"], "here")


def test_backslash() -> None:
    """A backslash is a separator on Windows."""
    with pytest.raises(StageError, match=r"^here: the file name 'a\\b' has a backslash; rename it"):
        check_names(["a\\b"], "here")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name")
def test_not_utf8(tmp_path: Path) -> None:
    """A name that is not UTF-8 is refused, shown by its bytes; all bad names are told at once."""
    for name in (b"\xff", b"a\\b"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"")
    with pytest.raises(StageError) as error:
        check_names(os.listdir(tmp_path), "here")
    assert sorted(str(error.value).split("\n")) == [
        "here: the file name '\\xff' is not UTF-8; rename it",
        "here: the file name 'a\\b' has a backslash; rename it",
    ]


@pytest.mark.parametrize(
    ("text", "normal"),
    [("a", "a"), ("a/", "a"), ("./a//b/../c", "a/c"), (".", "."), ("a/..b", "a/..b")],
)
def test_inside(tmp_path: Path, text: str, normal: str) -> None:
    """A path inside the repository comes back in one form."""
    assert relative_inside(tmp_path, text, "x") == normal


@pytest.mark.parametrize("text", ["..", "../a", "a/../../b", "/a", "C:\\a", "c:/a", "a\\b"])
def test_outside(tmp_path: Path, text: str) -> None:
    """A path that leaves the repository, or means something else on Windows, is refused."""
    with pytest.raises(BuildError, match=r"^x '"):
        relative_inside(tmp_path, text, "x")
