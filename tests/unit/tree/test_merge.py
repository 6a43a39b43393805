"""Dependencies and own files become one tree without collisions."""

from pathlib import Path

import pytest

from buildlib.errors import StageError
from buildlib.tree import merge
from tests.unit.conftest import file, function, origin, write


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
