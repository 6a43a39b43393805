"""Files of other tools are read, never run, and give lines for a requirements file."""

from pathlib import Path

import pytest

from buildlib.errors import LockError
from buildlib.lock import declared, poetry, unread
from tests.unit.conftest import write


@pytest.mark.parametrize(
    ("constraint", "line"),
    [
        ("^1.2.3", "x>=1.2.3,<2"),
        ("^0.2.3", "x>=0.2.3,<0.3"),
        ("^0.0.3", "x>=0.0.3,<0.0.4"),
        ("^0.0", "x>=0.0,<0.1"),
        ("^0", "x>=0,<1"),
        ("~1.2.3", "x>=1.2.3,<1.3"),
        ("~1", "x>=1,<2"),
        ("~=1.2", "x~=1.2"),
        ("1.2.3", "x==1.2.3"),
        ("1.2.*", "x==1.2.*"),
        ("*", "x"),
        (">=1.0,<2.0", "x>=1.0,<2.0"),
        (">= 1.0 , != 1.5", "x>=1.0,!=1.5"),
        ("^1.0 || ^2.0", "x"),
        ({"version": "^1.0", "extras": ["a", "b"]}, "x[a,b]>=1.0,<2"),
        (
            {"version": "1.0", "markers": "sys_platform == 'linux'"},
            "x==1.0 ; sys_platform == 'linux'",
        ),
        ({"version": "*", "python": ">=3.12"}, "x ; python_version >= '3.12'"),
        ({"git": "https://h/x.git", "tag": "v1"}, "x @ git+https://h/x.git@v1"),
        ({"url": "https://h/x.whl"}, "x @ https://h/x.whl"),
        ({"path": "../x"}, "x @ file:../x"),
    ],
)
def test_poetry(constraint: object, line: str) -> None:
    """Poetry's notation becomes PEP 508, with the meaning that Poetry's documents give it."""
    table = {"dependencies": {"python": "^3.12", "x": constraint}}
    assert poetry.dependencies(table) == ([line], [])


def test_poetry_groups() -> None:
    """Groups and optional dependencies of Poetry are not for production."""
    table = {
        "dependencies": {"a": "*", "b": {"version": "*", "optional": True}},
        "dev-dependencies": {"c": "*"},
        "group": {"test": {"dependencies": {"d": "*"}}},
    }
    assert poetry.dependencies(table) == (["a"], ["b", "c", "d"])


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("setup.py", "setup(install_requires=open('r.txt').readlines())", ((), True)),
        ("setup.py", "setup(install_requires='a\\nb>1')", (("a", "b>1"), False)),
        (
            "setup.py",
            "import setuptools\nsetuptools.setup(install_requires=['a'])",
            (("a",), False),
        ),
        ("setup.py", "n = []\nn += ['a']\nsetup(install_requires=n)", ((), True)),
        ("setup.py", "n = []\nn.append('a')\nsetup(install_requires=n)", ((), True)),
        ("setup.py", "n = []\nn = read()\nsetup(install_requires=n)", ((), True)),
        ("setup.py", "n = ['a']\nsetup(install_requires=n)", (("a",), False)),
        ("setup.py", "setup(install_requires=missing)", ((), True)),
        ("setup.py", "print 'old'", ((), True)),
        ("setup.cfg", "[options]\ninstall_requires = file: r.txt", ((), True)),
        ("pyproject.toml", '[project]\nname = "x"\ndynamic = ["dependencies"]', ((), True)),
        ("pyproject.toml", "[project]\ndependencies = 1", ((), True)),
        ("environment.yml", "- a list\n", ((), False)),
        ("environment.yml", "a: [", ((), False)),
        ("requirements.in", "-r base.txt\n--no-index\n a # why\n", (("-r base.txt", "a"), False)),
        ("Pipfile", '[packages]\na = {version = "==1", extras = ["x"]}', (("a[x]==1",), False)),
    ],
)
def test_read(tmp_path: Path, name: str, text: str, expected: tuple[object, bool]) -> None:
    """What a file lists is told, and that there is more which only a build would know."""
    write(tmp_path, {name: text})
    found = declared.read(tmp_path, name)
    assert (found.lines, found.computed) == expected


@pytest.mark.parametrize("name", ["pyproject.toml", "Pipfile", "Pipfile.lock", "setup.cfg"])
def test_a_mistake(tmp_path: Path, name: str) -> None:
    """A file with a wrong syntax is an error that names it."""
    write(tmp_path, {name: "[[["})
    with pytest.raises(LockError, match=rf"^{name}: cannot be read: "):
        declared.read(tmp_path, name)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("requirements.in", True),
        ("requirements-prod.txt", True),
        ("requirements_lambda.txt", True),
        ("prod-requirements.txt", True),
        ("requirements-dev.txt", False),
        ("requirements_test.txt", False),
        ("dev_requirements.in", False),
        ("requirements-device.txt", True),
        ("pylock.toml", True),
        ("pylock.prod.toml", True),
        ("environment.yaml", True),
        ("environment.json", False),
        ("uv.toml", False),
        ("requirements.lock", False),
    ],
)
def test_names(tmp_path: Path, name: str, *, counts: bool) -> None:
    """A file counts by its name; requirements for development do not."""
    write(tmp_path, {name: "", f"folder/{name}": "", f"{name}x": ""})
    assert unread.names(tmp_path) == ([name] if counts else [])


def test_a_lock_beside_its_project(tmp_path: Path) -> None:
    """A lock counts only without the file that says which of its packages are for production."""
    lock = '[[package]]\nname = "pytest"\nversion = "1"\n'
    write(tmp_path, {"poetry.lock": lock, "pyproject.toml": "[tool.poetry]\nname = 'x'\n"})
    assert unread.find(tmp_path, "", unread.names(tmp_path)) == []
    (tmp_path / "pyproject.toml").unlink()
    (found,) = unread.find(tmp_path, "", unread.names(tmp_path))
    assert (found.path, found.lines) == ("poetry.lock", ("pytest==1",))
