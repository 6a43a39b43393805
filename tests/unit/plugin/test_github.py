"""Workflow commands of GitHub Actions."""

from pathlib import Path

import pytest

from buildlib.plugin.github import annotations, group


def test_each_place_is_annotated() -> None:
    """Each line of a message that names a place in a file is an annotation there."""
    message = "two mistakes\nlambdas.yaml:3:5: one, two\nlambdas/api/app.py:7: 50% of it"
    assert list(annotations("zip:api", message)) == [
        "::error file=lambdas.yaml,line=3,col=5,title=zip%3Aapi::one, two",
        "::error file=lambdas/api/app.py,line=7,title=zip%3Aapi::50%25 of it",
    ]


def test_without_a_place() -> None:
    """A message without a place is one annotation, of the file that it begins with, if any."""
    assert list(annotations("zip:api", "no\nreally")) == ["::error title=zip%3Aapi::no%0Areally"]
    assert list(annotations("x", "a/b.txt: no")) == ["::error file=a/b.txt,title=x::a/b.txt: no"]


def test_the_place_of_a_lambda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message about a function is annotated where the manifest declares it."""
    monkeypatch.chdir(tmp_path)
    Path("lambdas.yaml").write_text("version: 1\nlambdas:\n  other: {}\n  'api': {}\n")
    found = next(annotations("x", "lambda 'api': no"))
    assert found.startswith("::error file=lambdas.yaml,line=4,title=x::")


def test_group() -> None:
    """Lines are folded under a title, which stays one line."""
    assert list(group("a\nb", ["one", "two"])) == ["::group::a%0Ab", "one", "two", "::endgroup::"]
