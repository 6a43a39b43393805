"""Dependencies, own code and shared code become one tree, and nothing else is in it."""

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from buildlib.cache.digests import Digests
from buildlib.errors import StageError
from buildlib.model import Origin
from buildlib.tree import merge, metadata, patterns, sources, sync
from buildlib.tree.handler import check_handler
from tests.unit.conftest import file, function, origin, variant, write

APP = "def handler(event, context): ...\n"
NOT_CODE = {"lambdas/api/requirements.txt", "lambdas/api/requirements.lock"}


def names(root: Path, digests: Digests, **fields: Any) -> list[str]:  # noqa: ANN401
    """Return the names in the ZIP of a function's own files."""
    return [o.file.path for o in sources.sources(root, function(**fields), digests, NOT_CODE)]


def refused(root: Path, digests: Digests, **fields: Any) -> list[str]:  # noqa: ANN401
    """Return the lines of the error that a function's own files give."""
    with pytest.raises(StageError) as error:
        names(root, digests, **fields)
    return str(error.value).split("\n")


# -- sources ---------------------------------------------------------------------------------------


def test_sources(tmp_path: Path, digests: Digests) -> None:
    """Own files stand at the top under their names, with their content and where they are from."""
    write(tmp_path, {"lambdas/api/b/c.txt": "c", "lambdas/api/app.py": APP})
    assert sources.sources(tmp_path, function(), digests, NOT_CODE) == [
        Origin(file("app.py", APP), "lambdas/api/app.py", dependency=False),
        Origin(file("b/c.txt", "c"), "lambdas/api/b/c.txt", dependency=False),
    ]


def test_include(tmp_path: Path, digests: Digests) -> None:
    """A folder that is included lands under its own name, a file at the top."""
    contents = {"lambdas/api/app.py": APP, "shared/common/a/b.py": "", "shared/one.json": "{}"}
    write(tmp_path, {**contents, "shared/common/__pycache__/x.pyc": "", "shared/other.py": ""})
    include = ("shared/common", "shared/one.json")
    assert names(tmp_path, digests, include=include) == ["app.py", "common/a/b.py", "one.json"]
    found = sources.sources(tmp_path, function(include=include), digests, NOT_CODE)
    assert [o.path for o in found][1:] == ["shared/common/a/b.py", "shared/one.json"]


def test_requirements_are_no_code(tmp_path: Path, digests: Digests) -> None:
    """The requirements and the lock are not shipped; files of such a name elsewhere are."""
    contents = ["requirements.txt", "requirements.lock", "sub/requirements.txt", "app.py"]
    write(tmp_path, {f"lambdas/api/{name}": "" for name in contents})
    assert names(tmp_path, digests) == ["app.py", "sub/requirements.txt"]


EXCLUDES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "nothing": (("*.nix",), ["a.md", "app.py", "common/a.md", "common/t/x", "t/a.md", "t/x"]),
    "by name": (("*.md",), ["app.py", "common/t/x", "t/x"]),
    "folder": (("t/",), ["a.md", "app.py", "common/a.md"]),
    "anchored folder": (("/t/",), ["a.md", "app.py", "common/a.md", "common/t/x"]),
    "anchored file": (("/a.md",), ["app.py", "common/a.md", "common/t/x", "t/a.md", "t/x"]),
    "in an include": (("/common/t",), ["a.md", "app.py", "common/a.md", "t/a.md", "t/x"]),
    "whole include": (("common/",), ["a.md", "app.py", "t/a.md", "t/x"]),
    "negated": (("*.md", "!/a.md"), ["a.md", "app.py", "common/t/x", "t/x"]),
    "negated too early": (("!/a.md", "*.md"), ["app.py", "common/t/x", "t/x"]),
    "below an excluded folder": (("t/", "!t/x"), ["a.md", "app.py", "common/a.md"]),
    "content of a folder": (
        ("/t/*", "!/t/x"),
        ["a.md", "app.py", "common/a.md", "common/t/x", "t/x"],
    ),
    "any depth": (("**/t/**",), ["a.md", "app.py", "common/a.md"]),
    "comment": (("# *.md", "*.py"), ["a.md", "common/a.md", "common/t/x", "t/a.md", "t/x"]),
}
TREE = ["app.py", "a.md", "t/x", "t/a.md"]


@pytest.mark.parametrize(("exclude", "expected"), EXCLUDES.values(), ids=EXCLUDES)
def test_exclude(
    tmp_path: Path, digests: Digests, exclude: tuple[str, ...], expected: list[str]
) -> None:
    """Patterns mean what they mean in a .gitignore at the top of the ZIP."""
    write(tmp_path, {f"lambdas/api/{name}": "" for name in TREE})
    write(tmp_path, {"shared/common/t/x": "", "shared/common/a.md": ""})
    found = names(tmp_path, digests, include=("shared/common",), exclude=exclude)
    assert found == expected


@pytest.mark.parametrize(("exclude", "expected"), EXCLUDES.values(), ids=EXCLUDES)
def test_exclude_from_dependencies(
    tmp_path: Path, exclude: tuple[str, ...], expected: list[str]
) -> None:
    """The same patterns mean the same for the files of dependencies."""
    listing = [file(name) for name in (*TREE, "common/t/x", "common/a.md")]
    found, _ = merge.merge(function(exclude=exclude), [], listing, tmp_path)
    assert [o.file.path for o in found] == expected


def test_include_that_is_excluded(tmp_path: Path, digests: Digests) -> None:
    """A file that is included by name can be excluded again."""
    write(tmp_path, {"lambdas/api/app.py": "", "shared/one.json": ""})
    found = names(tmp_path, digests, include=("shared/one.json",), exclude=("*.json",))
    assert found == ["app.py"]


def test_same_name_twice(tmp_path: Path, digests: Digests) -> None:
    """Two files that become one are an error that names both; all such pairs are told."""
    write(tmp_path, {"lambdas/api/common/a.py": "1", "shared/common/a.py": "1"})
    write(tmp_path, {"lambdas/api/one.py": "1", "shared/one.py": "2"})
    assert refused(tmp_path, digests, include=("shared/common", "shared/one.py")) == [
        (
            "lambda 'api': lambdas/api/common/a.py and shared/common/a.py both become "
            "'common/a.py' in the ZIP; rename or exclude one"
        ),
        (
            "lambda 'api': lambdas/api/one.py and shared/one.py both become 'one.py' in the ZIP; "
            "rename or exclude one"
        ),
    ]


@pytest.mark.parametrize("other", ["", "x = 1\n"])
def test_same_init_twice(tmp_path: Path, digests: Digests, other: str) -> None:
    """Parts of one package may all bring its `__init__.py`, as long as it is the same."""
    write(tmp_path, {"lambdas/api/common/__init__.py": "", "shared/common/__init__.py": other})
    if other:
        assert len(refused(tmp_path, digests, include=("shared/common",))) == 1
    else:
        assert names(tmp_path, digests, include=("shared/common",)) == ["common/__init__.py"]


def test_collision_by_case(tmp_path: Path, digests: Digests) -> None:
    """Own and shared files that differ only by case are an error."""
    write(tmp_path, {"lambdas/api/Common/a.py": "", "shared/common/a.py": ""})
    (line,) = refused(tmp_path, digests, include=("shared/common",))
    assert line.startswith("lambda 'api': 'Common/a.py' and 'common/a.py' are one file on macOS")


def test_file_and_folder(tmp_path: Path, digests: Digests) -> None:
    """A file that has the name of a folder that is included cannot be unpacked beside it."""
    write(tmp_path, {"lambdas/api/common": "", "shared/common/a.py": ""})
    (line,) = refused(tmp_path, digests, include=("shared/common",))
    assert line.startswith("lambda 'api': 'common' is a file, and also the folder of ")


# -- merge -----------------------------------------------------------------------------------------


def test_merge(tmp_path: Path) -> None:
    """Dependencies and own files become one list, sorted by the bytes of the names."""
    own = [origin("\u00fc.py", "1"), origin("app.py", "2")]
    found, rewritten = merge.merge(function(), own, [file("Z/a.py"), file("b.py")], tmp_path)
    assert [(o.file.path, o.dependency) for o in found] == [
        ("Z/a.py", True),
        ("app.py", False),
        ("b.py", True),
        ("\u00fc.py", False),
    ]
    assert rewritten == {}


def test_collision_with_a_dependency(tmp_path: Path) -> None:
    """A file of the function's and one of a dependency are an error naming both."""
    with pytest.raises(StageError) as error:
        merge.merge(function(), [origin("six.py", "1")], [file("six.py", "1")], tmp_path)
    assert str(error.value) == (
        "lambda 'api': the dependency's six.py and six.py both become 'six.py' in the ZIP; "
        "rename or exclude one"
    )


def test_namespace_shared_with_a_dependency(tmp_path: Path) -> None:
    """The same `__init__.py` may come from the function and from a dependency."""
    own = [origin("corp/__init__.py"), origin("corp/a.py")]
    found, _ = merge.merge(function(), own, [file("corp/__init__.py"), file("corp/b.py")], tmp_path)
    assert [o.file.path for o in found] == ["corp/__init__.py", "corp/a.py", "corp/b.py"]


def test_collision_with_a_dependency_by_case(tmp_path: Path) -> None:
    """Collisions on macOS and Windows are found across own files and dependencies."""
    with pytest.raises(StageError, match=r"'PyYAML/a' and 'pyyaml/a' are one file on macOS"):
        merge.merge(function(), [origin("PyYAML/a")], [file("pyyaml/a")], tmp_path)


def test_record_is_shortened(tmp_path: Path) -> None:
    """What is excluded of a distribution leaves its RECORD; other RECORDs stay untouched."""
    listing = []
    for name in ("alpha", "beta"):
        paths = [f"{name}/a.py", f"{name}/tests/x.py"] if name == "alpha" else [f"{name}.py"]
        record = f"{name}-1.dist-info/RECORD"
        content = "".join(f"{path},sha256=x,0\n" for path in paths) + f"{record},,\n"
        write(tmp_path, {record: content})
        listing += [*map(file, paths), file(record, content)]
    found, rewritten = merge.merge(function(exclude=("tests/",)), [], listing, tmp_path)
    expected = b"alpha/a.py,sha256=x,0\nalpha-1.dist-info/RECORD,,\n"
    assert rewritten == {"alpha-1.dist-info/RECORD": expected}
    listed = {o.file.path: o.file for o in found}
    assert listed["alpha-1.dist-info/RECORD"] == file("alpha-1.dist-info/RECORD", expected)
    assert "alpha/tests/x.py" not in listed


# -- sync ------------------------------------------------------------------------------------------


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
        sync.sync([], {}, folder, previous={}, root=folder, environment=folder)
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
    with pytest.raises(StageError, match=r"^app\.py: changed while it was read; run doit again$"):
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


# -- handler ---------------------------------------------------------------------------------------


def check(
    tree: Path, contents: Mapping[str, str | bytes], handler: str = "app.handler", **options: str
) -> None:
    """Check a handler against a tree."""
    write(tree, dict(contents))
    origins = [origin(path, content) for path, content in contents.items()]
    check_handler(variant(options.get("python", "3.11"), handler=handler), origins, tree)


def message(tree: Path, contents: Mapping[str, str | bytes], handler: str = "app.handler") -> str:
    """Return the message that a handler gives, without where it is from."""
    with pytest.raises(StageError) as error:
        check(tree, contents, handler)
    prefix = f"lambda 'api': handler '{handler}': "
    assert str(error.value).startswith(prefix)
    return str(error.value).removeprefix(prefix)


@pytest.mark.parametrize(
    "code",
    [
        "def handler(event, context): ...",
        "async def handler(event, context): ...",
        "class handler: ...",
        "@decorated\ndef handler(): ...",
        "import handler",
        "import x as handler",
        "from x import handler",
        "from x import y as handler",
        "handler = make()",
        "handler: object = make()",
        "a = handler = make()",
        "(a, [handler, *b]) = make()",
        "if (handler := make()): ...",
        "if x:\n    def handler(): ...\nelse:\n    handler = None",
        "try:\n    from x import handler\nexcept ImportError:\n    pass",
        "with x as handler: ...",
        "for handler in x: ...",
        "from x import *",
        "if x:\n    from x import *",
        "# -*- coding: latin-1 -*-\n# \u00fc\ndef handler(): ...",
        "'\\d'\ndef handler(): ...",
    ],
)
def test_defined(tmp_path: Path, code: str) -> None:
    """Whatever binds the name at the top of the module counts, without being run."""
    check(tmp_path, {"app.py": code})


@pytest.mark.parametrize(
    "code",
    [
        "",
        "def other():\n    def handler(): ...",
        "class Other:\n    def handler(self): ...",
        "handler.x = 1",
        "handler[0] = 1",
        "print(handler)",
        "'def handler(): ...'",
        "import other.handler",
    ],
)
def test_not_defined(tmp_path: Path, code: str) -> None:
    """What only looks like the handler does not count."""
    assert message(tmp_path, {"app.py": code}).startswith("app.py does not define 'handler'; ")


def test_what_is_defined(tmp_path: Path) -> None:
    """The message says which functions there are, the private ones only if there is no other."""
    code = "def main(): ...\nasync def run(): ...\ndef _own(): ...\nX = 1\n"
    assert message(tmp_path, {"app.py": code}) == (
        "app.py does not define 'handler'; it defines main, run. "
        "Name one of these in 'handler', in lambdas.yaml, or define it"
    )
    assert "it defines _own. " in message(tmp_path, {"app.py": "def _own(): ...\n"})
    assert "it defines no function. " in message(tmp_path, {"app.py": "X = 1\n"})


def test_no_module(tmp_path: Path) -> None:
    """The message says which modules there are."""
    contents = {"main.py": APP, "pkg/app.py": APP, "data.txt": ""}
    advice = ". Correct 'handler' or 'source' in lambdas.yaml"
    assert message(tmp_path, contents) == (
        f"there is no app.py in the ZIP; top-level modules: main.py{advice}"
    )
    assert message(tmp_path, contents, "lib.app.run") == (
        f"there is no lib/app.py in the ZIP; top-level modules: main.py{advice}"
    )
    assert message(tmp_path, {"x.txt": ""}).endswith(f"top-level modules: none{advice}")


@pytest.mark.parametrize(
    ("handler", "path"),
    [
        ("pkg.app.handler", "pkg/app.py"),
        ("pkg/app.handler", "pkg/app.py"),
        ("pkg/sub.app.handler", "pkg/sub/app.py"),
        ("pkg.handler", "pkg/__init__.py"),
        ("pkg/sub.handler", "pkg/sub/__init__.py"),
    ],
)
def test_module_in_a_package(tmp_path: Path, handler: str, path: str) -> None:
    """Modules in folders are named with dots or slashes; a package is its `__init__.py`."""
    check(tmp_path, {path: APP}, handler)


def test_package_beats_module(tmp_path: Path) -> None:
    """Of a package and a module of one name, Python imports the package."""
    check(tmp_path, {"app.py": "", "app/__init__.py": APP})
    assert message(tmp_path, {"app.py": APP, "app/__init__.py": ""}).startswith("app/__init__.py ")


@pytest.mark.parametrize(
    "path", ["app.so", "app.abi3.so", "app.cpython-313-x86_64-linux-gnu.so", "app/x.so"]
)
def test_compiled_module(tmp_path: Path, path: str) -> None:
    """A compiled module cannot be looked into: that it is there is all that is checked."""
    if "/" in path:
        assert message(tmp_path, {path: b"\x7fELF"}).startswith("there is no app.py")
    else:
        check(tmp_path, {path: b"\x7fELF"})


@pytest.mark.parametrize(
    "code",
    ["def handler(:\n", "\ndef handler():\nreturn\n", b"\xff", b"def handler(): ...\n\0"],
)
def test_syntax_error(tmp_path: Path, code: str | bytes) -> None:
    """A module that cannot be parsed is an error with its name."""
    assert message(tmp_path, {"app.py": code}).startswith("app.py:")


def test_newer_syntax(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Syntax that only the target knows may be right; the name must be there all the same."""
    newer = f"3.{sys.version_info.minor + 1}"
    check(tmp_path, {"app.py": "from the future import syntax\n" + APP}, python=newer)
    assert "app.py:1: invalid syntax in Python 3." in caplog.text
    with pytest.raises(StageError):
        check(tmp_path, {"app.py": "from the future import syntax\n"}, python=newer)


def test_nothing_is_run(tmp_path: Path) -> None:
    """The code of the function is not executed."""
    check(tmp_path, {"app.py": "import os\nos.mkdir('made')\nraise SystemExit\n" + APP})
    assert not Path("made").exists()


def test_no_patterns() -> None:
    """Without patterns everything is kept, and nothing is imported to find out."""
    assert patterns.excluder(function()) is None


@pytest.mark.parametrize("pattern", ["!", "[z-a]", "a\\"])
def test_bad_pattern(tmp_path: Path, digests: Digests, pattern: str) -> None:
    """What git would not take for a pattern is an error that names it."""
    write(tmp_path, {"lambdas/api/app.py": ""})
    assert refused(tmp_path, digests, exclude=("*.md", pattern)) == [
        (
            f"lambda 'api': exclude: '{pattern}' is not a valid gitignore pattern; "
            "see 'git help gitignore'"
        )
    ]
