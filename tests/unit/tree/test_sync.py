"""A staged tree holds the files that it should, with their content, and nothing else."""

import os
import stat
from pathlib import Path

import pytest

from buildlib.errors import StageError
from buildlib.model import Origin
from buildlib.tree import metadata, sync
from buildlib.tree.contents import Contents
from tests.unit.conftest import origin, write

APP = "def handler(event, context): ...\n"


class Stage:
    """A staged tree: `own` and `dependencies` are the contents that it should have."""

    def __init__(self, root: Path) -> None:
        self.root, self.tree, self.environment = root / "root", root / "tree", root / "env"
        self.own: dict[str, str] = {}
        self.dependencies: dict[str, str] = {}
        self.rewritten: dict[str, bytes] = {}
        self._previous: dict[str, str] = {}

    def origins(self) -> list[Origin]:
        found = [origin(path, content) for path, content in self.own.items()]
        for path, content in self.dependencies.items():
            found.append(origin(path, self.rewritten.get(path, content), dependency=True))
        return found

    def intact(self) -> bool:
        return sync.intact(self.tree, self.origins(), self.environment)

    def sync(self) -> None:
        write(self.root, dict(self.own))
        for path, content in self.dependencies.items():
            if not (self.environment / path).exists():
                write(self.environment, {path: content})
        self.sync_only()

    def sync_only(self) -> None:
        made = sync.sync(
            self.origins(),
            self.rewritten,
            self.tree,
            previous=self._previous,
            contents=Contents(self.root),
            root=self.root,
            environment=self.environment,
        )
        self._previous = {found.file.path: found.file.sha256 for found in self.origins()}
        metadata.touch(self.tree, made)

    def contents(self) -> dict[str, str]:
        return {
            path.relative_to(self.tree).as_posix(): path.read_text()
            for path in self.tree.rglob("*")
            if not path.is_dir() or path.is_symlink() or not any(path.iterdir())
        }

    def check(self) -> None:
        """Check that the tree holds exactly what it should, and that it says so itself."""
        expected = self.own | self.dependencies
        expected |= {path: data.decode() for path, data in self.rewritten.items()}
        assert self.contents() == expected
        assert self.intact()


@pytest.fixture
def staged(tmp_path: Path) -> Stage:
    """Give a tree of some own files and some of a dependency, as staged and touched."""
    staged = Stage(tmp_path)
    staged.own = {"app.py": APP, "pkg/a.py": "a", "pkg/sub/b.py": "b"}
    staged.dependencies = {"dep/__init__.py": "dep", "dep/data": "data"}
    staged.sync()
    staged.check()
    return staged


def test_sync_twice(staged: Stage) -> None:
    """A second sync of the same touches nothing."""
    before = {path: os.stat(staged.tree / path).st_ctime_ns for path in staged.contents()}
    staged.sync()
    staged.check()
    assert before == {path: os.stat(staged.tree / path).st_ctime_ns for path in before}


def test_sync_changes(staged: Stage) -> None:
    """Added, removed, renamed and changed files are followed; empty folders go."""
    staged.own = {"app.py": "other", "new/x.py": "x", "pkg/c.py": "a"}
    staged.dependencies = {"dep/__init__.py": "dep"}
    staged.sync()
    staged.check()
    assert not (staged.tree / "pkg/sub").exists()


def test_sync_same_size(staged: Stage) -> None:
    """A change of the same size is followed, though the staged mtime never changes."""
    staged.own["pkg/a.py"] = "z"
    staged.sync()
    staged.check()


def test_sync_only_what_changed(staged: Stage) -> None:
    """An edit copies the one file anew, and leaves every other as it is."""
    paths = [path for path in staged.contents() if path != "app.py"]
    before = {path: os.stat(staged.tree / path).st_ino for path in paths}
    staged.own["app.py"] += "# edited\n"
    staged.sync()
    staged.check()
    assert before == {path: os.stat(staged.tree / path).st_ino for path in paths}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"x": "1"}, {"x/y": "1"}),
        ({"x/y": "1"}, {"x": "1"}),
        ({"x/y/z": "1", "x/a": "2"}, {"x": "1"}),
        ({"x": "1"}, {"x/y/z": "1", "x/a": "2"}),
        ({"x/y": "1"}, {"x/y/z": "1"}),
        ({"x/y/z": "1"}, {"x/y": "1"}),
    ],
)
@pytest.mark.parametrize("kind", ["own", "dependencies"])
def test_file_becomes_folder(
    staged: Stage, before: dict[str, str], after: dict[str, str], kind: str
) -> None:
    """A file may become a folder of the same name, and a folder a file."""
    setattr(staged, kind, before)
    staged.sync()
    staged.check()
    for folder in (staged.root, staged.environment):
        sync.sync(
            [], {}, folder, previous={}, contents=Contents(folder), root=folder, environment=folder
        )
    staged.own, staged.dependencies = {}, {}
    setattr(staged, kind, after)
    staged.sync()
    staged.check()


def test_sync_after_a_kill(staged: Stage) -> None:
    """Empty folders, half files and foreign files that a killed run left do no harm."""
    staged.own["half"] = "whole"
    staged.own["was-folder"] = "file"
    (staged.tree / "was-folder/deeper").mkdir(parents=True)
    staged.sync()
    staged.check()
    write(staged.tree, {"half": "who", "foreign/x": "", ".tmp": ""})
    (staged.tree / "empty/deeper").mkdir(parents=True)
    staged.sync()
    staged.check()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_in_the_tree(staged: Stage, tmp_path: Path) -> None:
    """A link that someone put into the tree is replaced, and what it points to stays."""
    write(tmp_path, {"outside/a.py": "mine"})
    (staged.tree / "app.py").unlink()
    (staged.tree / "app.py").symlink_to(tmp_path / "outside/a.py")
    (staged.tree / "folder").symlink_to(tmp_path / "outside")
    assert not staged.intact()
    staged.sync()
    staged.check()
    assert (tmp_path / "outside/a.py").read_text() == "mine"


def test_edit_in_the_tree(staged: Stage) -> None:
    """A staged file that someone edited is seen, and made again from its source."""
    for edit in ("longer than before", APP.replace("e", "x")):
        (staged.tree / "app.py").write_text(edit)
        assert not staged.intact()
        staged.sync()
        staged.check()


def test_edit_of_a_linked_file(staged: Stage) -> None:
    """A staged file of a dependency that was replaced is made again from the environment."""
    path = staged.tree / "dep/data"
    path.unlink()
    path.write_text("mine")
    staged.sync()
    staged.check()


def test_links_are_left_alone(staged: Stage) -> None:
    """What is linked from the environment keeps its mode and mtime: it may be someone's cache."""
    before = (staged.environment / "dep/data").stat()
    staged.own["app.py"] = APP + "# edited"
    staged.sync()
    after = (staged.tree / "dep/data").stat()
    assert (after.st_ino, after.st_mode, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mode,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


def test_edit_through_a_link(staged: Stage) -> None:
    """An edit that went through the hard link into the environment is seen by its size.

    One of the same size is seen when the content is read, see tests/test_incremental.py.
    """
    (staged.tree / "dep/data").write_text("my own")
    assert (staged.environment / "dep/data").read_text() == "my own"
    assert not staged.intact()


@pytest.mark.parametrize("path", ["app.py", "dep/data"])
def test_deleted_in_the_tree(staged: Stage, path: str) -> None:
    """A staged file that someone deleted is seen, and comes back."""
    (staged.tree / path).unlink()
    assert not staged.intact()
    staged.sync()
    staged.check()


def test_added_to_the_tree(staged: Stage) -> None:
    """A file that someone put into the tree is seen, and goes."""
    write(staged.tree, {"pkg/extra.py": ""})
    assert not staged.intact()
    staged.sync()
    staged.check()


def test_intact_of_nothing(tmp_path: Path) -> None:
    """A tree that is not there is no tree."""
    assert not sync.intact(tmp_path / "tree", [origin("app.py", "")], tmp_path)


def test_rewritten(staged: Stage) -> None:
    """A file with a content of its own gets that one; the environment keeps its own."""
    staged.rewritten = {"dep/data": b"short"}
    staged.sync()
    staged.check()
    assert (staged.environment / "dep/data").read_text() == "data"
    staged.rewritten = {}
    staged.sync()
    staged.check()


def test_source_changes_after_hashing(staged: Stage) -> None:
    """A source that is no longer what was hashed is an error, and its copy does not stay."""
    staged.own["app.py"] = "hashed"
    write(staged.root, {"app.py": "edited"})
    with pytest.raises(
        StageError, match=r"^app\.py: changed while it was read; run the build again$"
    ):
        staged.sync_only()
    assert not (staged.tree / "app.py").exists()
    staged.sync()
    staged.check()


def test_source_disappears(staged: Stage) -> None:
    """A source that is gone is an error of the system, with its name."""
    staged.own["gone.py"] = ""
    with pytest.raises(FileNotFoundError, match=r"gone\.py"):
        staged.sync_only()


def test_touched_sources(staged: Stage) -> None:
    """Neither the mtime nor the mode of a source reaches the tree, nor does the umask."""
    os.chmod(staged.root / "app.py", 0o400)
    os.utime(staged.root / "app.py", (1, 1))
    (staged.tree / "app.py").unlink()
    before = os.umask(0o077)
    try:
        staged.sync_only()
    finally:
        os.umask(before)
    staged.check()
    assert stat.S_IMODE((staged.tree / "app.py").stat().st_mode) == 0o755
    assert (staged.root / "app.py").stat().st_mtime == 1


def test_other_file_system(staged: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files cannot be linked, they are copied."""

    def link(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)
    (staged.tree / "dep/data").unlink()
    staged.sync()
    staged.check()
    assert (staged.tree / "dep/data").stat().st_nlink == 1
