"""A function's own files, and the shared files that it includes, become one listing."""

from pathlib import Path

import pytest

from buildlib.cache.digests import Digests
from buildlib.model import Origin
from buildlib.tree import sources
from tests.unit.conftest import file, function, write
from tests.unit.tree.conftest import NOT_CODE, refused
from tests.unit.tree.conftest import own_names as names

APP = "def handler(event, context): ...\n"


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
