"""Which file has the dependencies of a function, and where its lockfile is."""

from pathlib import Path

import pytest

from buildlib.manifest import locations
from buildlib.model import Requires
from tests.unit.conftest import write

PROJECT = '[project]\nname = "x"\ndependencies = ["a"]\n'
WORKSPACE = 'version = 1\n[[package]]\nname = "x"\nsource = { virtual = "fn" }\n'


@pytest.mark.parametrize(
    ("files", "unread", "found"),
    [
        ({}, (), []),
        ({"requirements.txt": "", "uv.lock": ""}, (), ["requirements.txt"]),
        ({"uv.lock": "", "pyproject.toml": PROJECT}, (), ["uv.lock"]),
        ({"uv.lock": "", "pyproject.toml": PROJECT}, ("fn/pyproject.toml",), []),
        ({"uv.lock": "", "poetry.lock": ""}, (), ["uv.lock", "poetry.lock"]),
        ({"uv.lock": "", "poetry.lock": ""}, ("fn/uv.lock",), ["poetry.lock"]),
        ({"Pipfile.lock": "", "Pipfile": "[packages]\na = '*'\n"}, (), ["Pipfile.lock"]),
        ({"Pipfile": "[packages]\na = '*'\n"}, (), ["Pipfile"]),
        ({"Pipfile": "[packages]\n[dev-packages]\na = '*'\n"}, (), []),
        ({"pyproject.toml": PROJECT}, (), ["pyproject.toml"]),
        ({"pyproject.toml": PROJECT}, ("fn/pyproject.toml",), []),
        ({"pyproject.toml": "[tool.hatch.envs.x]\ndependencies = ['pytest']\n"}, (), []),
        ({"pyproject.toml": "[dependency-groups]\ndev = ['pytest']\n"}, (), []),
        ({"pyproject.toml": "[project]\ndynamic = ['dependencies']\n"}, (), ["pyproject.toml"]),
        ({"pyproject.toml": "[tool.poetry.dependencies]\npython = '^3.12'\n"}, (), []),
        ({"pyproject.toml": "[tool.poetry.dependencies]\na = '*'\n"}, (), ["pyproject.toml"]),
        ({"pyproject.toml": "tool = 'poetry'\n"}, (), ["pyproject.toml"]),
        ({"pyproject.toml": "dependencies = [\n"}, (), ["pyproject.toml"]),
        ({"pyproject.toml": PROJECT, "../uv.lock": WORKSPACE}, (), ["../uv.lock"]),
        ({"pyproject.toml": PROJECT, "../uv.lock": "version = 1\n"}, (), ["pyproject.toml"]),
    ],
)  # fmt: skip
def test_default(
    tmp_path: Path, files: dict[str, str], unread: tuple[str, ...], found: list[str]
) -> None:
    """Requirements come before locks, locks before declarations; what declares nothing is none."""
    write(tmp_path / "fn", files)
    wanted = [f"fn/{name}".replace("fn/../", "") for name in found]
    assert locations.default(tmp_path, "fn", unread) == wanted


@pytest.mark.parametrize(
    ("paths", "groups", "lock"),
    [
        (("fn/requirements.txt",), (), "fn/requirements.lock"),
        (("fn/prod.txt",), (), "fn/prod.lock"),
        (("requirements.txt",), (), "requirements.lock"),
        (("base.txt", "fn/more.in"), (), "base+more.lock"),
        (("fn/pyproject.toml",), (), "fn/pyproject.requirements.lock"),
        (("fn/pyproject.toml",), ("Extra_Group",), "fn/pyproject.requirements+extra-group.lock"),
        (("Pipfile",), (), "pipfile.requirements.lock"),
        (("fn/uv.lock",), (), None),
        (("pylock.prod.toml",), (), None),
    ],
)
def test_lockfile(
    tmp_path: Path, paths: tuple[str, ...], groups: tuple[str, ...], lock: str | None
) -> None:
    """A lockfile has the folder and the name of its requirements."""
    assert locations.lockfile(tmp_path, Requires(paths, "", groups), "fn") == lock
