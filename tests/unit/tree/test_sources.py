"""A function's own files, and the shared files that it includes, become one listing."""

import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from buildlib.cache.digests import Digests
from buildlib.errors import StageError
from buildlib.files import left_out
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


def examples(row: left_out.Row) -> list[str]:
    """Return a path for each pattern of a row: a file, in the folder if it is one."""
    paths = [pattern.replace("*", "x") for pattern in row.patterns]
    return [f"{path}deep/x.py" if path.endswith("/") else path for path in paths]


@pytest.mark.parametrize("row", left_out.ROWS, ids=lambda row: str(row.what))
def test_left_out_by_default(tmp_path: Path, digests: Digests, row: left_out.Row) -> None:
    """Files of other tools stay out, at the top of the source and of each included folder."""
    paths = examples(row)
    for top in ("lambdas/api", "shared/common"):
        write(tmp_path, {f"{top}/{path}": "" for path in [*paths, "app.py"]})
    found = names(tmp_path, digests, include=("shared/common",))
    kept = [f"common/{path}" for path in paths] + paths if row.root else []
    assert found == sorted(["app.py", "common/app.py", *kept])
    deeper = {f"lambdas/api/data/{path}": "" for path in paths}
    write(tmp_path, deeper)
    found = [] if row.anywhere else [f"data/{path}" for path in paths]
    found += paths if row.root else []
    assert names(tmp_path, digests) == sorted(["app.py", *found])


@pytest.mark.parametrize("row", left_out.ROWS, ids=lambda row: str(row.what))
def test_a_pattern_gets_it_back(tmp_path: Path, digests: Digests, row: left_out.Row) -> None:
    """A `!` pattern in `exclude` names a file that is left out, and it is in the ZIP again."""
    paths = examples(row)
    paths = [path for path in paths if f"lambdas/api/{path}" not in NOT_CODE]
    write(tmp_path, {f"lambdas/api/{path}": "" for path in [*paths, "app.py"]})
    exclude = tuple(f"!/{pattern}" for pattern in row.patterns)
    assert names(tmp_path, digests, exclude=exclude) == sorted(["app.py", *paths])
    assert names(tmp_path, digests, exclude=(*exclude, "*")) == []


def test_an_included_file_is_named(tmp_path: Path, digests: Digests) -> None:
    """A file that `include` names is in the ZIP, whatever its name is."""
    write(tmp_path, {"lambdas/api/app.py": "", "config/pyproject.toml": ""})
    found = names(tmp_path, digests, include=("config/pyproject.toml",))
    assert found == ["app.py", "pyproject.toml"]


def test_a_virtual_environment_is_left_out(tmp_path: Path, digests: Digests) -> None:
    """A folder with pyvenv.cfg is a virtual environment under any name; others are code."""
    write(tmp_path, {"lambdas/api/venv/pyvenv.cfg": "", "lambdas/api/venv/lib/x.py": ""})
    write(tmp_path, {"lambdas/api/env/x.py": "", "lambdas/api/app.py": ""})
    assert names(tmp_path, digests) == ["app.py", "env/x.py"]
    assert names(tmp_path, digests, exclude=("!/venv/",))[2:] == [
        "venv/lib/x.py",
        "venv/pyvenv.cfg",
    ]


@pytest.mark.parametrize(
    ("name", "text", "is_kept"),
    [
        ("template.yaml", "AWSTemplateFormatVersion: '2010-09-09'\n", False),
        ("template.yml", "Transform: AWS::Serverless-2016-10-31\n", False),
        ("template.yaml", "subject: Welcome, {name}\n", True),
        ("setup.py", "from setuptools import setup\nsetup()\n", False),
        ("setup.py", "TABLE = 'orders'\n", True),
    ],
)
def test_files_that_are_known_by_their_content(
    tmp_path: Path, digests: Digests, name: str, text: str, *, is_kept: bool
) -> None:
    """A template of CloudFormation or a setup.py is left out; another file of that name is not."""
    write(tmp_path, {"lambdas/api/app.py": "", f"lambdas/api/{name}": text})
    assert (name in names(tmp_path, digests)) is is_kept


@pytest.mark.parametrize(("member", "is_kept"), [("app.py", False), ("data.csv", True)])
def test_an_earlier_package_is_left_out(
    tmp_path: Path, digests: Digests, member: str, *, is_kept: bool
) -> None:
    """A ZIP that has the handler's module is an earlier package; another one is data."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr(member, "")
    write(tmp_path, {"lambdas/api/app.py": "", "lambdas/api/x.zip": output.getvalue()})
    assert ("x.zip" in names(tmp_path, digests)) is is_kept
    write(tmp_path, {"lambdas/api/x.zip": b"no ZIP at all"})
    assert "x.zip" in names(tmp_path, digests)


@pytest.mark.skipif(os.name == "nt", reason="links are POSIX's")
def test_links_of_what_never_ships(tmp_path: Path, digests: Digests) -> None:
    """Requirements and files that are left out may be links to anywhere."""
    write(tmp_path, {"lambdas/api/app.py": ""})
    for name in ("requirements.txt", "requirements.lock", "Makefile", "node_modules"):
        (tmp_path / "lambdas/api" / name).symlink_to("/somewhere/else")
    assert names(tmp_path, digests) == ["app.py"]


@pytest.mark.skipif(os.name == "nt", reason="links are POSIX's")
def test_links_into_the_repository(tmp_path: Path, digests: Digests) -> None:
    """Links to files and folders of the repository are their content, also inside `include`."""
    write(tmp_path, {"lambdas/api/app.py": "", "common/one.py": "1", "data/x/y.txt": "y"})
    (tmp_path / "lambdas/api/one.py").symlink_to("../../common/one.py")
    (tmp_path / "common/data").symlink_to("../data/x")
    found = sources.sources(tmp_path, function(include=("common",)), digests, NOT_CODE)
    assert [o.file for o in found] == [
        file("app.py"),
        file("common/data/y.txt", "y"),
        file("common/one.py", "1"),
        file("one.py", "1"),
    ]


def git(root: Path, *arguments: str) -> None:
    """Run git in a repository, without the user's configuration."""
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(root)}
    environment = os.environ | settings
    subprocess.run(["git", *arguments], cwd=root, env=environment, check=True, capture_output=True)


@pytest.mark.skipif(os.name == "nt", reason="links are POSIX's")
def test_a_link_that_git_made_text(tmp_path: Path, digests: Digests) -> None:
    """A checkout without links, as git makes it on Windows, is refused until they are links."""
    write(tmp_path, {"lambdas/api/app.py": "", "common/one.py": "1 = 1", "lambdas/api/x": "app.py"})
    link = tmp_path / "lambdas/api/one.py"
    link.symlink_to("../../common/one.py")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "config", "core.symlinks", "false")
    link.unlink()
    git(tmp_path, "checkout", "--", "lambdas/api/one.py")
    assert link.read_text() == "../../common/one.py"
    with pytest.raises(StageError) as error:
        names(tmp_path, digests)
    (line,) = str(error.value).split("\n")
    assert line.startswith("lambdas/api/one.py: this is a link in git, checked out as a text file")
    git(tmp_path, "config", "core.symlinks", "true")
    link.unlink()
    git(tmp_path, "checkout", "--", "lambdas/api/one.py")
    found = sources.sources(tmp_path, function(), digests, NOT_CODE)
    assert {o.file.path: o.file for o in found}["one.py"] == file("one.py", "1 = 1")
