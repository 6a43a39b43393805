"""Safe names, atomic writes, and walks that refuse what cannot be archived."""

import errno
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from buildlib import errors
from buildlib.errors import BuildError, StageError
from buildlib.files import atomic, locks, walk
from buildlib.files.names import check_names, relative_inside
from tests.unit.conftest import write

needs_links = pytest.mark.skipif(os.name == "nt", reason="links and FIFOs are POSIX's")


def names(top: Path, keep: Callable[[str], bool] | None = None) -> list[str]:
    """Return the names that a walk gives, sorted."""
    return sorted(name for name, _ in walk.walk(top, keep=keep, where="top"))


def refused(top: Path, keep: Callable[[str], bool] | None = None) -> str:
    """Return the message of a walk that fails."""
    with pytest.raises(StageError) as error:
        names(top, keep)
    return str(error.value)


# -- writing ---------------------------------------------------------------------------------------


def test_replacing(tmp_path: Path) -> None:
    """The new content takes the place of the old one, in a folder made for it, leaving no rest."""
    path = tmp_path / "new/file"
    for content in (b"1", b"2"):
        atomic.write(path, content)
        assert path.read_bytes() == content
        assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_replacing_fails(tmp_path: Path, error: type[BaseException]) -> None:
    """The old content stays, and no temporary file, whatever ends the writing."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail() -> None:
        with atomic.replacing(path) as temporary:
            temporary.write_bytes(b"half")
            assert path.read_bytes() == b"old"
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_replacing_without_writing(tmp_path: Path) -> None:
    """A writer that wrote nothing leaves the old content, and says so."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(FileNotFoundError), atomic.replacing(path):
        pass
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"a": 1}x'])
def test_read_damaged_json(tmp_path: Path, content: bytes) -> None:
    """What a crash left behind counts as not there."""
    path = tmp_path / "file"
    path.write_bytes(content)
    assert atomic.read_json(path) is None


def test_read_json(tmp_path: Path) -> None:
    """JSON comes back as it was written; where no file can be, there is none."""
    path = tmp_path / "file"
    atomic.write_json(path, {"a": ["\u00fc", None]})
    assert atomic.read_json(path) == {"a": ["\u00fc", None]}
    assert atomic.read_json(tmp_path / "other") is None
    assert atomic.read_json(path / "below") is None


def test_remove(tmp_path: Path) -> None:
    """Files, folders and nothing can be removed; a link goes, what it points to stays."""
    write(tmp_path, {"folder/a/b": "", "file": ""})
    if os.name != "nt":
        (tmp_path / "link").symlink_to("folder")
        atomic.remove(tmp_path / "link")
        assert (tmp_path / "folder/a/b").exists()
    for name in ("folder", "file", "nothing"):
        atomic.remove(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_locked(tmp_path: Path) -> None:
    """A lock is held inside, and free again afterwards."""
    path = tmp_path / "locks/x.lock"
    for _ in range(2):
        with locks.locked(path):
            assert path.exists()


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "free some space, then run doit again; "),
        (errno.EROFS, "make it writable, or build in another checkout; "),
        (errno.EACCES, "check its owner and permissions; "),
        (errno.EEXIST, "a file is where a folder should be; remove it, then run doit again; "),
        (errno.EIO, ""),
    ],
)
def test_explain(code: int, remedy: str) -> None:
    """An error of the system says where, what, and what to do."""
    what = os.strerror(code).lower()
    expected = f"dist/x: {what}; {remedy}earlier artifacts are untouched"
    assert errors.explain_os_error(OSError(code, os.strerror(code), "dist/x")) == expected


# -- walking ---------------------------------------------------------------------------------------


def test_walk(tmp_path: Path) -> None:
    """Every regular file is found, by its POSIX name, also with spaces, dots and umlauts."""
    contents = {"a.py": "", "b/c/d.txt": "", "b/.hidden": "", "\u00fc b.txt": ""}
    assert names(write(tmp_path, dict(contents))) == sorted(contents)


def test_walk_leaves_junk_out(tmp_path: Path) -> None:
    """Bytecode and what tools leave behind is not part of a function."""
    write(tmp_path, {f"{name}/x.py": "" for name in walk.JUNK_FOLDERS})
    write(tmp_path, {f"sub/{name}": "" for name in (*walk.JUNK_FILES, "a.pyc", "a.pyo")})
    write(tmp_path, {"sub/git": "", "sub/a.pyi": ""})
    assert names(tmp_path) == ["sub/a.pyi", "sub/git"]


def test_walk_in_a_submodule(tmp_path: Path) -> None:
    """The `.git` of a submodule or a worktree is a file; it holds a path of this machine."""
    assert names(write(tmp_path, {"a.py": "", ".git": "gitdir: /home/me"})) == ["a.py"]


def test_walk_keeps(tmp_path: Path) -> None:
    """`keep` sees files by name and folders with a slash; an unwanted folder is not entered."""
    write(tmp_path, {"a/b/c": "", "a/d": "", "e": ""})
    seen = []

    def keep(name: str) -> bool:
        seen.append(name)
        return name not in {"a/b/", "e"}

    assert names(tmp_path, keep) == ["a/d"]
    assert sorted(seen) == ["a/", "a/b/", "a/d", "e"]


def test_walk_after_a_kill(tmp_path: Path) -> None:
    """What an interrupted `replacing` left in a source folder is not part of the function."""
    write(tmp_path, {"a.tmp": "", ".a.tmp": ""})
    with atomic.replacing(tmp_path / "requirements.lock") as temporary:
        temporary.write_bytes(b"")
        assert names(tmp_path) == [".a.tmp", "a.tmp"]


@needs_links
def test_links_inside(tmp_path: Path) -> None:
    """A link to a file or a folder below the top is walked as its content."""
    write(tmp_path, {"real/a": "content"})
    (tmp_path / "file").symlink_to("real/a")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    found = {name: Path(entry.path) for name, entry in walk.walk(tmp_path)}
    assert found.keys() == {"real/a", "file", "folder/a"}
    assert {path.read_text() for path in found.values()} == {"content"}


@needs_links
def test_top_is_a_link(tmp_path: Path) -> None:
    """A walk may start at a link; its own links stay inside what that points to."""
    write(tmp_path, {"real/a": ""})
    (tmp_path / "real/b").symlink_to("a")
    (tmp_path / "top").symlink_to("real")
    assert names(tmp_path / "top") == ["a", "b"]


@needs_links
@pytest.mark.parametrize("target", ["../outside/a", "../outside", "/etc/hostname", "../top2/a"])
def test_link_that_leaves(tmp_path: Path, target: str) -> None:
    """A link that leaves the folder is refused, also to a folder whose name starts alike."""
    write(tmp_path, {"outside/a": "", "top2/a": "", "top/x": ""})
    (tmp_path / "top/link").symlink_to(target)
    assert refused(tmp_path / "top") == (
        "top/link: this link leaves the folder, so its content would depend on the machine; "
        "copy the file, or add its folder to 'include'"
    )


@needs_links
@pytest.mark.parametrize("target", ["nothing", "link"])
def test_link_to_nothing(tmp_path: Path, target: str) -> None:
    """A link to nothing, or to itself, is refused."""
    (tmp_path / "link").symlink_to(target)
    assert refused(tmp_path) == "top/link: this link is dangling or points to itself; remove it"


@needs_links
def test_links_in_a_circle(tmp_path: Path) -> None:
    """Folders that link to each other, or to the one that holds them, end in an error."""
    write(tmp_path, {"a/x": "", "b/x": ""})
    (tmp_path / "a/b").symlink_to("../b")
    assert names(tmp_path) == ["a/b/x", "a/x", "b/x"]
    (tmp_path / "b/a").symlink_to("../a")
    assert refused(tmp_path).endswith(
        "a folder that contains it; remove it, or add it to 'exclude'"
    )
    (tmp_path / "b/a").unlink()
    (tmp_path / "a/up").symlink_to("..")
    assert refused(tmp_path).startswith("top/a/up: this link points to a folder that contains it;")


@needs_links
@pytest.mark.parametrize("target", ["/", "nothing", "link"])
def test_unwanted_links(tmp_path: Path, target: str) -> None:
    """A link that is excluded, or bears the name of junk, may point anywhere."""
    write(tmp_path, {"a": ""})
    (tmp_path / "link").symlink_to(target)
    (tmp_path / ".venv").symlink_to(target)
    assert names(tmp_path, lambda name: name not in {"link", "link/"}) == ["a"]


@needs_links
def test_fifo_and_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A FIFO or socket is refused by its kind, without being opened, unless it is excluded."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    advice = "cannot be part of a function; remove it, or add it to 'exclude'"
    assert refused(tmp_path) == f"top/pipe: a FIFO {advice}"
    assert names(tmp_path, lambda name: name != "pipe") == []
    os.unlink("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert refused(tmp_path) == f"top/socket: a socket {advice}"


# -- names -----------------------------------------------------------------------------------------


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
        f"here: '{one}' and '{other}' are one file on macOS and Windows; rename one"
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
        check_names(names(tmp_path), "here")
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
