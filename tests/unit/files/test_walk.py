"""A walk yields every regular file, and refuses everything that a ZIP cannot hold."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from buildlib.errors import StageError
from buildlib.files import atomic, walk
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


OUTSIDE = {
    "../outside/a": "a file",
    "../outside": "a folder",
    "/etc/hostname": "a file",
    "../top2/a": "a file",
    "../nothing": "a path",
}


@needs_links
@pytest.mark.parametrize("target", OUTSIDE)
def test_link_that_leaves(tmp_path: Path, target: str) -> None:
    """A link that leaves the folder is refused, also to a folder whose name starts alike."""
    write(tmp_path, {"outside/a": "", "top2/a": "", "top/x": ""})
    (tmp_path / "top/link").symlink_to(target)
    assert refused(tmp_path / "top") == (
        f"top/link: this link leads to '{target}', {OUTSIDE[target]} outside the folder, so its "
        "content would depend on the machine; copy the content into the folder, or add the link "
        "to 'exclude'"
    )


@needs_links
@pytest.mark.parametrize("target", OUTSIDE)
def test_link_in_a_repository(tmp_path: Path, target: str) -> None:
    """A link to content of the repository is followed, wherever it is; no other one is."""
    write(tmp_path, {"outside/a": "content", "top2/a": "content", "top/x": ""})
    (tmp_path / "top/link").symlink_to(target)
    walked = walk.walk(tmp_path / "top", where="top", repository=tmp_path)
    if target in {"/etc/hostname", "../nothing"}:
        with pytest.raises(StageError) as error:
            list(walked)
        what = "outside the repository" if target[0] == "/" else "which does not exist"
        assert what in str(error.value)
    else:
        found = {name: Path(entry.path).read_text() for name, entry in walked}
        assert found == {"x": "", ("link/a" if target == "../outside" else "link"): "content"}


@needs_links
@pytest.mark.parametrize("target", [".git/config", "sub/.git/config", "build/x", "dist", ".git"])
def test_link_to_what_no_commit_has(tmp_path: Path, target: str) -> None:
    """Version control and outputs are in the folder of the repository, and no content of it."""
    write(tmp_path, {".git/config": "", "sub/.git/config": "", "build/x": "", "dist/y": ""})
    (tmp_path / "top").mkdir()
    (tmp_path / "top/link").symlink_to(f"../{target}")
    with pytest.raises(StageError, match="which no commit has"):
        list(walk.walk(tmp_path / "top", where="top", repository=tmp_path))


@needs_links
def test_link_to_nothing(tmp_path: Path) -> None:
    """A link to nothing, or to itself, is refused by what it is."""
    (tmp_path / "link").symlink_to("nothing")
    advice = "correct or remove it, or add it to 'exclude'"
    assert (
        refused(tmp_path)
        == f"top/link: this link leads to 'nothing', which does not exist; {advice}"
    )
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("link")
    assert refused(tmp_path) == f"top/link: this link leads back to itself; {advice}"


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
    assert refused(tmp_path).startswith("top/a/up: this link leads to a folder that contains it;")


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
