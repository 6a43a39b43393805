"""The ZIP that a module comes from, as Python's path finder and Lambda's order of layers say."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from buildlib.commands.coldstart import origins
from buildlib.project.project import Project

MANIFEST = """\
version: 1
defaults: {{python: '3.13', handler: app.handler}}
lambdas:
  api: {{layers: [one, two], bytecode: {api}, compiler: 3.13.1}}
layers:
  one: {{include: [x], bytecode: {one}, compiler: 3.13.1}}
  two: {{include: [x]}}
"""
SITE = "python/lib/python3.13/site-packages"


def project(
    root: Path,
    zips: Mapping[str, Sequence[str]],
    *,
    api: bool = False,
    one: bool = False,
) -> Project:
    """Return a project with ZIPs of these names in dist/."""
    text = MANIFEST.format(api=str(api).lower(), one=str(one).lower())
    (root / "lambdas.yaml").write_text(text)
    (root / "lambdas/api").mkdir(parents=True)
    (root / "x").mkdir()
    found = Project(root)
    for name in ("api", "one", "two"):
        path = found.layout.zip(name)
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for member in zips.get(name, ()):
                archive.writestr(member, "")
    return found


def counted(found: Project, *modules: str) -> dict[str, int]:
    """Return the number of modules that each start compiles, by the ZIP."""
    every = origins.uncompiled(found, found.variants["api"], modules)
    return {variant.id: count for variant, count in every}


@pytest.mark.parametrize(
    ("zips", "owner"),
    [
        ({"api": ["a/__init__.py", "a/b.py"], "one": ["python/a/b.py"]}, "api"),
        ({"api": ["a/c.py"], "one": ["python/a/__init__.py", "python/a/b.py"]}, "one"),
        ({"api": ["a/c.py"], "one": ["python/a/b.py"]}, "one"),  # a namespace of both
        ({"api": ["a/b.py"], "one": ["python/a/b.py"]}, "api"),
        ({"one": ["python/a/b.py"], "two": ["python/a/b.py"]}, "two"),  # the later layer
        ({"one": [f"{SITE}/a/b.py"], "two": ["python/a/b.py"]}, "one"),
        ({"api": ["a.py"], "one": ["python/a/b.py"]}, "one"),  # `a` extends its own path
        ({"api": ["a/__init__.py"], "one": ["python/a/b.py"]}, "one"),
        ({"api": ["a/b.py", "a/b.abi3.so"]}, None),
        ({"api": ["a/b.pyc"], "one": ["python/a/b.py"]}, None),
        ({"api": ["a/b.py", "a/__pycache__/b.cpython-313.pyc"]}, None),
        ({"one": ["a/b.py"]}, None),  # no folder on Python's path
        ({}, None),
    ],
)
def test_the_owner(tmp_path: Path, zips: Mapping[str, Sequence[str]], owner: str | None) -> None:
    """A module belongs to the ZIP whose file Python imports."""
    assert counted(project(tmp_path, zips), "a.b") == ({owner: 1} if owner else {})


def test_counts(tmp_path: Path) -> None:
    """Modules count for their ZIP, unless it has bytecode; those in no ZIP count for none."""
    zips = {"api": ["app.py"], "one": ["python/a.py", "python/b.py"], "two": ["python/c.py"]}
    modules = ("app", "a", "b", "c", "boto3", "boto3.session")
    assert counted(project(tmp_path, zips), *modules) == {"api": 1, "one": 2, "two": 1}


def test_without_bytecode(tmp_path: Path) -> None:
    """A layer without modules lacks no bytecode."""
    zips = {"api": ["app.py"], "one": ["python/a.py"], "two": ["data.json", "bin/tool.py"]}
    found = project(tmp_path, zips, api=True)
    lacking = origins.without_bytecode(found, found.variants["api"])
    assert [one.id for one in lacking] == ["one"]
    assert counted(found, "app", "a") == {"one": 1}
