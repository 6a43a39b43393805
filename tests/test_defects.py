"""A defect of this package gives a message and a report, wherever it strikes."""

import shutil
from pathlib import Path

import pytest

from buildlib import error_kinds
from buildlib.cli import main as command
from tests.conftest import Repository, Result

BROKEN = """\
from buildlib.tasks import *
import buildlib.{module} as module

def broken(*arguments, **options):
    raise {error}

module.{name} = broken
"""

# Where an exception passes another boundary: an action, a check, the loader.
PLACES = {
    "an action": ("steps.zip", "write", ()),
    "an action in a worker": ("steps.zip", "write", ("-n", "2", "-P", "process")),
    "a check": ("steps.pending", "reason", ()),
    "the loader": ("plugin.tasks", "select", ()),
    "the manifest": ("manifest.variants", "expand", ()),
    "a task for all": ("steps.tidy", "undeclared", ()),
    "the size": ("commands.size", "lines", ("size",)),
    "the reason": ("commands.why", "explain", ("why:api",)),
    "a call": ("commands.invoke.run", "invoke", ("invoke:api",)),
    "a rebuild": ("commands.verify", "verify", ("verify:api",)),
    "the report": ("commands.report.command", "make", ("report",)),
}


def broken(repository: Repository, module: str, name: str, error: str, *arguments: str) -> Result:
    """Run doit with a function that raises an exception."""
    text = BROKEN.format(module=module, name=name, error=error)
    repository.write({"dodo.py": text})
    return repository.doit(*arguments, code=None)


def reports(repository: Repository) -> list[Path]:
    """Return the reports."""
    return sorted((repository.root / "build/defects").glob("*.txt"))


@pytest.mark.parametrize("place", PLACES)
def test_a_defect(repository: Repository, place: str) -> None:
    """The output has no traceback, the report has one; the artifact stays, the next run builds."""
    repository.doit()
    before = repository.sha256()
    repository.write({"lambdas/api/app.py": "def handler(event, context): return 2\n"})
    module, name, arguments = PLACES[place]
    result = broken(repository, module, name, "KeyError('surprise')", *arguments)
    assert result.code, result.output
    assert "Traceback" not in result.output
    assert "internal error in doit-lambda-zip, not in your project: KeyError: 'surprise'" in (
        result.output
    )
    report = reports(repository)[-1]
    assert str(report) in result.output
    text = report.read_text()
    assert "Traceback (most recent call last)" in text
    assert "Python 3." in text
    assert repository.root.joinpath("dist/api.zip").exists()
    repository.write({"dodo.py": "from buildlib.tasks import *\n"})
    repository.doit()
    assert repository.sha256() != before


def test_credentials_are_hidden(repository: Repository) -> None:
    """Neither the message nor the report has the password of an address."""
    error = "KeyError('https://user:hunter2secret@example.com/simple')"
    result = broken(repository, "steps.zip", "write", error)
    assert "hunter2secret" not in result.output
    assert "hunter2secret" not in reports(repository)[-1].read_text()


def test_memory(repository: Repository) -> None:
    """Too little memory is no defect; the message gives the remedy."""
    result = broken(repository, "steps.zip", "write", "MemoryError")
    assert "there is not enough memory: run fewer tasks at once" in result.output
    assert not reports(repository)


def test_a_report_that_cannot_be_written_there(repository: Repository) -> None:
    """If build/ cannot hold the report, the folder for temporary files does."""
    (repository.root / "build").mkdir()
    (repository.root / "build/defects").write_text("a file\n")
    other = repository.root.parent / "temporary"
    other.mkdir()
    text = BROKEN.format(module="steps.zip", name="write", error="KeyError(1)")
    repository.write({"dodo.py": text})
    result = repository.doit(code=None, TMPDIR=str(other))
    [report] = other.glob("defect-*.txt")
    assert str(report) in result.output
    shutil.rmtree(other)


def test_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m buildlib` has the same boundary."""

    def page() -> None:
        msg = "surprise"
        raise KeyError(msg)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(error_kinds, "page", page)
    assert command.main(["errors"]) == 2
    said = capsys.readouterr().err
    assert "internal error in doit-lambda-zip, not in your project: KeyError: 'surprise'" in said
    assert len(list((tmp_path / "build/defects").iterdir())) == 1
