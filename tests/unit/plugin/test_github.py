"""Workflow commands of GitHub Actions."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from buildlib.lock import lockfile
from buildlib.lock.requirements import Requirements
from buildlib.plugin.github import Annotation, Annotator, errors, group, warning

MANIFEST = """\
version: 1
lambdas:
  other: {handler: other.handler}
  'api':
    # handler: old.handler
    python: '3.13'
# a comment at the margin
    handler: app.handler
  jobs:
    source: jobs
"""


@pytest.fixture(autouse=True)
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a manifest in the current directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "lambdas.yaml"
    path.write_text(MANIFEST)
    return path


def commands(title: str, message: str) -> list[str]:
    return [*map(str, errors(title, message))]


def test_each_place_is_annotated() -> None:
    """Each line of a message that names a place in a file is an annotation there."""
    message = "two mistakes\nlambdas.yaml:3:5: one, two\nlambdas/api/app.py:7: 50% of it"
    assert commands("zip:api", message) == [
        "::error file=lambdas.yaml,line=3,col=5,title=zip%3Aapi::one, two",
        "::error file=lambdas/api/app.py,line=7,title=zip%3Aapi::50%25 of it",
    ]


def test_without_a_place() -> None:
    """A message without a place is one annotation, of the file that it begins with, if any."""
    assert commands("zip:api", "no\nreally") == ["::error title=zip%3Aapi::no%0Areally"]
    assert commands("x", "a/b.txt: no") == ["::error file=a/b.txt,title=x::a/b.txt: no"]


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("lambda 'api': handler 'app.no': app.py does not define 'no'", 8),
        ("lambda 'api': no", 4),
        ("lambda 'jobs': handler 'app.no': there is no app.py", 9),
        ("lambda 'other': handler 'app.no': there is no app.py", 3),
        ("layer 'jobs': no", 9),
    ],
)
def test_the_place_of_a_lambda(message: str, line: int) -> None:
    """A message about a function is at the key that it names, or where the function is declared."""
    (found,) = commands("x", message)
    assert found.startswith(f"::error file=lambdas.yaml,line={line},title=x::")


def test_no_manifest(manifest: Path) -> None:
    """Without a manifest, or without the function in it, there is no place."""
    assert commands("x", "lambda 'nowhere': no") == ["::error title=x::lambda 'nowhere': no"]
    manifest.unlink()
    assert commands("x", "lambda 'api': no") == ["::error title=x::lambda 'api': no"]


def test_a_stale_lock(tmp_path: Path) -> None:
    """A lockfile that does not fit its requirements is an error of the requirements file."""
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"# requirements-sha256: {'0' * 64}\n# python: 3.12\n")
    requirements = Requirements("lambdas/api/requirements.txt", "1" * 64, (), frozenset())
    problem = lockfile.state(lock, requirements, ())
    message = f"lambdas/api/requirements.lock {problem}. CI is set. Run 'lambdas lock api'"
    (found,) = commands("lock:api", message)
    assert found.startswith("::error file=lambdas/api/requirements.txt,title=lock%3Aapi::lambdas/")
    (found,) = commands("x", "requirements.lock is out of date with pyproject.toml. CI is set")
    assert found.startswith("::error file=pyproject.toml,title=")


def test_a_missing_lock() -> None:
    """Another problem of a lockfile is an error of its function."""
    message = "lambdas/api/requirements.lock is missing. Run 'lambdas lock api' and commit the file"
    (found,) = commands("x", message)
    assert found.startswith("::error file=lambdas.yaml,line=4,title=x::")


@pytest.mark.parametrize(
    ("text", "places", "place"),
    [
        ("odd", ["lambdas/api/app.py:7"], "file=lambdas/api/app.py,line=7,"),
        ("odd", ["lambdas/api/app.py:7:2", "b.py:1"], "file=lambdas/api/app.py,line=7,"),
        ("odd", ["lambdas/api/app.py"], "file=lambdas/api/app.py,"),
        ("odd", ["api"], "file=lambdas.yaml,line=4,"),
        ("odd", ["api-py3.12-arm64"], "file=lambdas.yaml,line=4,"),
        ("setup.py: not read", ["api"], "file=setup.py,"),
        ("requirements.txt:3: '--pre': odd", ["api"], "file=requirements.txt,line=3,"),
        ("odd", ["nowhere", "also"], ""),
        ("odd", [], ""),
    ],
)
def test_the_place_of_a_warning(text: str, places: list[str], place: str) -> None:
    """A warning is where it or its first place says, or else where its function is declared."""
    assert str(warning(text, places)) == f"::warning {place}title=lambdas::{text}"


def numbered(kind: str, count: int) -> Iterator[Annotation]:
    return (Annotation(kind, "", "x", str(number)) for number in range(count))


@pytest.mark.parametrize("count", [0, 1, 9, 10])
def test_up_to_ten_annotations(count: int) -> None:
    """As many as GitHub shows are written, in their order."""
    annotator = Annotator()
    shown = [*annotator.add(numbered("error", count)), *annotator.end()]
    assert shown == [*map(str, numbered("error", count))]


def test_more_annotations() -> None:
    """The tenth of a kind gives way to the count of the rest; the kinds count apart."""
    annotator = Annotator()
    shown = [
        *annotator.add(numbered("error", 6)),
        *annotator.add(numbered("warning", 2)),
        *annotator.add(numbered("error", 6)),
        *annotator.end(),
    ]
    assert len(shown) == 12
    assert shown[-1] == "::error title=lambdas::3 more errors; the log has all of them"
    assert sum(text.startswith("::error") for text in shown) == 10


def test_group() -> None:
    """Lines are folded under a title, which stays one line."""
    assert list(group("a\nb", ["one", "two"])) == ["::group::a%0Ab", "one", "two", "::endgroup::"]
