"""Patterns mean what git means by them, for own files and dependencies alike."""

from pathlib import Path

import pytest

from buildlib.cache.digests import Digests
from buildlib.tree import merge, patterns
from tests.unit.conftest import file, function, write
from tests.unit.tree.conftest import own_names as names
from tests.unit.tree.conftest import refused

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
