"""What a build tells CI services, in runs of doit and of lambdas."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.conftest import HANDLER, Index, Repository

Build = Callable[..., str]


@pytest.fixture(params=["doit", "lambdas"])
def build(request: pytest.FixtureRequest, dependent: Repository) -> Build:
    """Give a function that builds by either command, and returns the output."""

    def run(*names: str, code: int = 0, **environment: str) -> str:
        if request.param == "doit":
            tasks = [f"hash:{name}" for name in names]
            return dependent.doit(*tasks, code=code, **environment).output
        done = dependent.lambdas("build", *names, code=code, **environment)
        return done.output + done.errors

    return run


# -- GitHub ----------------------------------------------------------------------------------------


def test_the_summary_of_a_job(dependent: Repository, build: Build, tmp_path: Path) -> None:
    """Each run adds a table to the file of GitHub, with changes against an earlier index."""
    file = tmp_path / "summary.md"
    summary = {"GITHUB_STEP_SUMMARY": str(file)}
    build(**summary)
    text = file.read_text()
    assert text.startswith("### Lambda ZIPs: 3 built in ")
    assert "| <code>jobs-py3\\.12-x86\\_64</code> |".replace("\\.", ".") in text
    (dependent.root / "dist/lambdas.json").rename(dependent.root / "base.json")
    dependent.write({"lambdas/api/app.py": f"{HANDLER}# edited\n"})
    file.unlink()
    output = build(LAMBDA_ZIP_AGAINST="base.json", **summary)
    assert "\nagainst base.json: 1 changed, 2 same\n" in output
    text = file.read_text()
    assert "Changes are against <code>base.json</code>." in text
    assert re.search(
        r"<code>api</code> \| built\\: app.py changed \| .* \| changed, \+\d+ B \|", text
    )
    assert build("api", GITHUB_BASE_REF="main", **summary) == "1 unchanged\n"
    assert file.read_text().count("Changes are against") == 1  # nothing is guessed


def test_a_failure_in_the_summary(dependent: Repository, build: Build, tmp_path: Path) -> None:
    """The summary has the message of a failure, and its exit code stays."""
    dependent.write({"lambdas/api/app.py": "def other(event, context): ...\n"})
    file = tmp_path / "summary.md"
    build(code=1, GITHUB_STEP_SUMMARY=str(file))
    text = file.read_text()
    assert "<code>api</code> | failed\\: at stage |" in text
    assert "<pre>lambda &#x27;api&#x27;: handler &#x27;app.handler&#x27;: app.py does not" in text


def test_a_summary_that_cannot_be_written(build: Build, tmp_path: Path) -> None:
    """A build does not fail for its summary."""
    output = build("api", GITHUB_STEP_SUMMARY=str(tmp_path))
    assert "warning: the job summary was not written: " in output


def test_other_tasks_have_no_summary(dependent: Repository, tmp_path: Path) -> None:
    """A run that builds nothing, such as of locks, adds none."""
    file = tmp_path / "summary.md"
    dependent.lambdas("lock", GITHUB_STEP_SUMMARY=str(file))
    dependent.doit("why", GITHUB_STEP_SUMMARY=str(file))
    assert not file.exists() or not file.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names of files")
def test_hostile_names_in_the_summary(repository: Repository, tmp_path: Path) -> None:
    """A file's name that is a reason for a build adds neither HTML nor a cell."""
    repository.doit()
    repository.write({"lambdas/api/a|b<img src=x>`\n# c.txt": "x"})
    file = tmp_path / "summary.md"
    repository.doit(GITHUB_STEP_SUMMARY=str(file))
    text = file.read_text()
    assert "built\\: " in text
    assert "img src" in text
    assert not re.search(r"(?<!\\)<img|^#+ c|a\|b", text, re.MULTILINE)


def test_annotations(dependent: Repository) -> None:
    """A handler is annotated at its line, a stale lock at its requirements, a warning at a file."""
    dependent.doit("lock")
    dependent.write({
        "lambdas/api/requirements.txt": "alpha\nbeta\n",
        "lambdas/jobs/app.py": "nothing = 1\n",
    })  # fmt: skip
    output = dependent.doit(code=1, GITHUB_ACTIONS="true", CI="true").output
    assert "::error file=lambdas/api/requirements.txt,title=lock%3Aapi::lambdas/api/req" in output
    assert re.search(
        r"::error file=lambdas.yaml,line=6,title=stage%3Ajobs-\S+::lambda 'jobs'", output
    )
    dependent.write({
        "lambdas/api/requirements.txt": "beta\n",
        "lambdas/jobs/app.py": HANDLER,
        "lambdas/jobs/template.py": "class {{ name }}:\n",
    })  # fmt: skip
    output = dependent.doit(GITHUB_ACTIONS="true", CI="true").output
    assert "::warning file=lambdas/jobs/template.py,line=1,title=lambdas::Python 3.1" in output


def test_many_mistakes_of_the_manifest(repository: Repository) -> None:
    """GitHub gets nine of many mistakes, and the count of the others."""
    wrong = "".join(f"  f{n}: {{hander: x}}\n" for n in range(20))
    repository.write({"lambdas.yaml": f"version: 1\nlambdas:\n{wrong}"})
    output = repository.doit(code=3, GITHUB_ACTIONS="true").output
    assert output.count("::error") == 10
    assert re.search(r"^::error title=lambdas::\d+ more errors; ", output, re.MULTILINE)


# -- GitLab ----------------------------------------------------------------------------------------


def test_sections(dependent: Repository, build: Build) -> None:
    """In GitLab CI the lines of each variant are folded, and nothing in them is a marker."""
    output = build(GITLAB_CI="true")
    sections = re.findall(
        r"\x1b\[0Ksection_start:\d+:(\S+)\[collapsed=true\][\r\n]\x1b\[0K\1\n"
        r"((?:\.  \S+\n)+)\x1b\[0Ksection_end:\d+:\1[\r\n]\x1b\[0K\n",
        output,
    )
    assert {name for name, _ in sections} == dependent.sha256().keys()
    assert output.count("section_start") == 3


def test_junit(dependent: Repository, index: Index, tmp_path: Path) -> None:
    """`--junit` writes a case for each variant, also of a build that fails or does not start."""
    del index
    dependent.write({"lambdas/api/app.py": "def other(event, context): ...\n"})
    (dependent.root / "sub").mkdir()
    dependent.lambdas("build", "--junit", "report.xml", code=1, folder="sub")
    report = read(dependent.root / "sub/report.xml")
    assert (report.get("tests"), report.get("failures")) == ("3", "1")
    failure = report.find(".//testcase[@name='api']/failure")
    assert failure is not None
    assert "does not define 'handler'" in failure.get("message", "")
    dependent.write({"lambdas.yaml": "version: 1\nlambdas:\n  api: {hander: x}\n"})
    dependent.lambdas("build", "--junit", str(tmp_path / "report.xml"), code=3)
    error = read(tmp_path / "report.xml").find(".//error")
    assert error is not None
    assert "unknown key 'hander'" in (error.text or "")


def read(path: Path) -> ET.Element:
    return ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 - our own


# -- an earlier build ------------------------------------------------------------------------------


def test_against(dependent: Repository) -> None:
    """`--against` takes an index or a record, from the folder in which it was typed."""
    dependent.lambdas("build")
    dependent.lambdas("record")
    (dependent.root / "dist/lambdas.json").rename(dependent.root / "lambdas/base.json")
    dependent.write({"lambdas/api/app.py": f"{HANDLER}# edited\n"})
    done = dependent.lambdas("build", "--against", "base.json", folder="lambdas")
    assert "\nagainst base.json: 1 changed, 2 same\n" in done.output
    done = dependent.lambdas("build", "--against", "lambdas.hashes.json")
    assert done.output == "3 unchanged\nagainst lambdas.hashes.json: 1 changed, 2 same\n"


def test_against_nothing(repository: Repository, build: Build) -> None:
    """A file that is not there stops the run before anything is built."""
    done = repository.lambdas("build", "--against", "no.json", code=3)
    assert done.errors.startswith("error: --against: no.json: cannot be read: no such file")
    output = build(code=3, LAMBDA_ZIP_AGAINST="lambdas.yaml")
    assert "LAMBDA_ZIP_AGAINST: lambdas.yaml: is not valid JSON. A comparison needs" in output
    assert not (repository.root / "dist").exists()
