"""Installed trees become canonical: nothing of the installer, of the host or of the clock."""

import base64
import hashlib
import os
import shutil
from importlib.metadata import distributions
from pathlib import Path

import pytest

from buildlib.environment import canonical
from tests.unit.conftest import file, write
from tests.unit.environment.conftest import WANTED, install, rows


def present(tree: Path) -> list[str]:
    """Return the names of all files in a tree, sorted."""
    paths = [path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()]
    return sorted(paths)


def test_what_is_left(tree: Path) -> None:
    """Scripts, bytecode, and the records of the installer go; metadata and licences stay."""
    listing = canonical.canonicalise(tree).files
    assert present(tree) == WANTED
    assert [found.path for found in listing] == WANTED


def test_listing(tree: Path) -> None:
    """The listing tells the digest and the size of each file as it is, RECORD included."""
    for found in canonical.canonicalise(tree).files:
        assert found == file(found.path, (tree / found.path).read_bytes())


def test_record(tree: Path) -> None:
    """RECORD is sorted, lists just the files that are there, and each row of it is true."""
    canonical.canonicalise(tree)
    content = (tree / "alpha-1.0.dist-info/RECORD").read_bytes()
    assert b"\r" not in content
    found = rows(content)
    assert [name for name, _, _ in found] == WANTED
    for name, value, size in found:
        if name.endswith("RECORD"):
            assert (value, size) == ("", "")
            continue
        data = (tree / name).read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        assert (value, size) == (f"sha256={digest}", str(len(data)))


def test_metadata_can_be_read(tree: Path) -> None:
    """`importlib.metadata` finds the distribution, its version, entry points and files."""
    canonical.canonicalise(tree)
    (found,) = distributions(path=[str(tree)])
    assert (found.metadata["Name"], found.version) == ("alpha", "1.0")
    assert [point.value for point in found.entry_points] == ["alpha:main"]
    assert found.files
    assert all(path.locate().is_file() for path in found.files)  # type: ignore[attr-defined]


def test_same_from_either_installer(tree: Path, tmp_path: Path) -> None:
    """The order of RECORD, the way it writes names, and leftovers do not reach the result."""
    other = tmp_path / "other"
    install(other, "alpha", {"alpha/data/x.bin": "x" * 99, "alpha/__init__.py": "A = 1\n"})
    record = other / "alpha-1.0.dist-info/RECORD"
    lines = record.read_text().splitlines(keepends=True)
    record.write_bytes("".join(sorted(lines)).replace("alpha/data", "./alpha/x/../data").encode())
    found = canonical.canonicalise(tree)
    assert found.damaged == {"alpha/gone.py": "alpha"}
    assert canonical.canonicalise(other) == found._replace(damaged={})


def test_metadata_is_left_alone(tree: Path) -> None:
    """Files may be links into the installer's cache: their modes and times stay as they are."""
    path = tree / "alpha/__init__.py"
    os.chmod(path, 0o600)
    os.utime(path, (1, 1))
    os.link(path, tree.parent / "cached")
    before = path.stat()
    canonical.canonicalise(tree)
    after = path.stat()
    assert (after.st_mode, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_mode,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


def test_a_linked_record_is_replaced(tree: Path) -> None:
    """RECORD is written anew as another file; what it was a link to stays as it was."""
    cached = tree.parent / "cached"
    os.link(tree / "alpha-1.0.dist-info/RECORD", cached)
    before = cached.read_bytes()
    canonical.canonicalise(tree)
    assert cached.read_bytes() == before
    assert (tree / "alpha-1.0.dist-info/RECORD").read_bytes() != before


def test_damaged_files_are_named(tree: Path) -> None:
    """A file that is not what its wheel's RECORD says is named: the cache may be damaged."""
    assert canonical.canonicalise(tree).damaged == {"alpha/gone.py": "alpha"}
    other = tree.parent / "other"
    install(other, "alpha", {"alpha/__init__.py": "A = 1\n", "alpha/data/x.bin": "x" * 99})
    (other / "alpha/data/x.bin").write_text("y" * 99)
    assert canonical.canonicalise(other).damaged == {"alpha/data/x.bin": "alpha"}


@pytest.mark.skipif(os.name == "nt", reason="no two names for one file")
def test_links_are_believed(tree: Path) -> None:
    """Of links, RECORD is believed where it gives the right size; copies are read."""
    for path in list(tree.rglob("*.*")):
        if path.is_file():
            os.link(path, tree.parent / f"cached-{path.name}")
    expected = canonical.canonicalise(shutil.copytree(tree, tree.parent / "copy"))
    assert canonical.canonicalise(tree, trust_record=True) == expected


@pytest.mark.parametrize(
    ("content", "linked", "damaged"),
    [("y" * 99, True, []), ("y" * 98, True, ["a.bin"]), ("y" * 99, False, ["a.bin"])],
)
def test_what_is_believed(tmp_path: Path, content: str, linked: bool, damaged: list[str]) -> None:
    """Who believes still sees another size, and reads what is no link."""
    tree = tmp_path / "tree"
    install(tree, "alpha", {"a.bin": "x" * 99})
    (tree / "a.bin").write_text(content)
    if linked:
        os.link(tree / "a.bin", tmp_path / "cached")
    assert canonical.canonicalise(tree, trust_record=True).damaged.keys() == set(damaged)


def test_two_owners(tree: Path) -> None:
    """A path at which two distributions install different files is noted with their names."""
    install(tree, "beta", {"alpha/data/x.bin": "B = 2\n"})
    found = canonical.canonicalise(tree)
    assert found.overlaps == {"alpha/data/x.bin": ["alpha 1.0", "beta 1.0"]}
    assert found.damaged == {"alpha/gone.py": "alpha"}


@pytest.mark.parametrize("order", [("alpha", "Beta"), ("Beta", "alpha")])
def test_two_owners_of_a_namespace(tmp_path: Path, order: tuple[str, str]) -> None:
    """The declaration of a namespace is that of the first name, whichever came last."""
    declaration = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    contents = {"alpha": f"# alpha\n{declaration}", "Beta": f"# beta\n{declaration}"}
    tree = tmp_path / "tree"
    for name in order:
        install(tree, name, {"corp/__init__.py": contents[name], f"corp/{name}.py": ""})

    def content_of(folder: str, path: str) -> bytes:
        assert path == "corp/__init__.py"
        return contents[folder.partition("-")[0]].encode()

    found = canonical.canonicalise(tree, content_of=content_of)
    assert found.overlaps == {}
    assert found.damaged == {}
    assert (tree / "corp/__init__.py").read_text() == contents["alpha"]
    assert file("corp/__init__.py", contents["alpha"]) in found.files
    records = {(tree / f"{name}-1.0.dist-info/RECORD").read_bytes() for name in order}
    digests = {r[1] for c in records for r in rows(c) if r[0] == "corp/__init__.py"}
    assert len(digests) == 1


def test_two_owners_of_the_same(tree: Path) -> None:
    """Two distributions may bring the same file; both then list it."""
    install(tree, "beta", {"alpha/__init__.py": "A = 1\n"})
    canonical.canonicalise(tree)
    for name in ("alpha", "beta"):
        record = (tree / f"{name}-1.0.dist-info/RECORD").read_bytes()
        assert "alpha/__init__.py" in [path for path, _, _ in rows(record)]


def test_two_owners_of_what_goes(tree: Path) -> None:
    """Scripts and bytecode go anyway: two distributions may differ about them."""
    install(tree, "beta", {"bin/alpha": "other", "alpha/stray.pyc": "other"})
    install(tree, "gamma", {"bin/alpha": "third", "alpha/stray.pyc": "third"})
    canonical.canonicalise(tree)


def test_blank_lines_in_a_record(tree: Path) -> None:
    """A RECORD with a blank line, or one of unusual columns, is read."""
    path = tree / "alpha-1.0.dist-info/RECORD"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\nalpha/gone2.py\r\n")
    canonical.canonicalise(tree)
    assert [name for name, _, _ in rows(path.read_bytes())] == WANTED


def test_names_that_collide(tree: Path) -> None:
    """Files of a dependency that differ only by case may be excluded, so both are listed."""
    write(tree, {"alpha/Readme": "", "alpha/README": ""})
    if len(list((tree / "alpha").glob("[Rr]*"))) == 1:
        pytest.skip("a file system that ignores case")
    found = canonical.canonicalise(tree)
    assert {"alpha/Readme", "alpha/README"} <= {one.path for one in found.files}
    assert found.overlaps == {}


def test_names_that_collided(tmp_path: Path) -> None:
    """Where the file system ignores case, one of two files is lost: both are noted."""
    tree = tmp_path / "tree"
    install(tree, "alpha", {"alpha/Readme": "1", "alpha/README": "2"})
    (tree / "alpha/README").unlink(missing_ok=True)
    pair = ["alpha/README", "alpha/Readme"]
    assert canonical.canonicalise(tree).overlaps == dict.fromkeys(pair, pair)


def test_nothing_installed(tmp_path: Path) -> None:
    """An empty tree is canonical."""
    assert canonical.canonicalise(tmp_path).files == []
