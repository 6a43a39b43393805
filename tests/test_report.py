"""`doit report`: one page about dist/, written on demand."""

import re
import shutil
from pathlib import Path

import pytest

from buildlib.layout import Layout
from buildlib.steps import times
from tests.conftest import HANDLER, Index, Repository
from tests.test_evidence import with_metadata

NOTHING = "\N{EN DASH}"
DOCKER = "    install: docker\n    docker: {setup: ['true']}\n"


def page(repository: Repository) -> str:
    """Return the report, with each run of white space as one space."""
    return re.sub(r"\s+", " ", (repository.root / "dist/report.html").read_text())


def seconds(repository: Repository) -> dict[str, float]:
    """Return the recorded times, by step and variant."""
    known = times.read(Layout(repository.root)).known
    return {"/".join(who): seconds for who, (_, seconds) in known.items()}


def test_on_demand(dependent: Repository) -> None:
    """The task writes the page, prints its path, and is up to date until something changes."""
    dependent.doit()
    assert not (dependent.root / "dist/report.html").exists()
    made = dependent.doit("report")
    assert made.ran == ["report"]
    first = page(dependent)
    again = dependent.doit("report")
    assert again.ran == []
    assert [one.message.splitlines()[-1] for one in (made, again)] == ["dist/report.html"] * 2
    dependent.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    dependent.doit("report")
    assert "<li>app.py changed</li>" in page(dependent)
    assert page(dependent) != first


def test_it_builds_first(dependent: Repository) -> None:
    """Without a build, the task builds first and reports on that build."""
    dependent.doit("-n", "2", "report")
    for name, entry in dependent.index().items():
        assert f'<a href="#v-{name}">' in page(dependent)
        assert entry["sha256"] in page(dependent)


def test_damage_is_mended(repository: Repository) -> None:
    """A modified or missing page is written again, with the same bytes."""
    repository.doit("report")
    path = repository.root / "dist/report.html"
    before = path.read_bytes()
    path.write_bytes(b"edited")
    repository.doit("report")
    assert path.read_bytes() == before
    path.unlink()
    repository.doit("report")
    assert path.read_bytes() == before


def test_what_is_remembered_decides_nothing(dependent: Repository) -> None:
    """The remembered contents of ZIPs may be lost, damaged or of another ZIP: the page is right."""
    dependent.doit("report")
    path, before = dependent.root / "dist/report.html", page(dependent)
    remembered = sorted((dependent.root / "build/report").iterdir())
    assert [one.stem for one in remembered] == [
        *("api", "jobs-py3.12-x86_64", "jobs-py3.13-x86_64"),
    ]
    content = remembered[1].read_bytes()
    for other in (b"{}", b"", content):
        remembered[0].write_bytes(other)
        path.unlink()
        dependent.doit("report")
        assert page(dependent) == before
    shutil.rmtree(remembered[0].parent)
    path.unlink()
    dependent.doit("report")
    assert page(dependent) == before


def test_clean(repository: Repository) -> None:
    """`doit clean` removes the page alone, or together with dist/."""
    repository.doit("report")
    repository.doit("clean", "report")
    assert {path.name for path in (repository.root / "dist").iterdir()} == {
        "api.zip", "api.zip.sha256", "lambdas.json",
    }  # fmt: skip
    repository.doit("report")
    repository.doit("clean")
    assert not (repository.root / "dist").exists()


def test_dist_goes_on_beside_it(dependent: Repository) -> None:
    """The page does not disturb pruning, checks or descriptions in dist/."""
    dependent.doit("report")
    manifest = dependent.root / "lambdas.yaml"
    manifest.write_text(manifest.read_text().partition("  jobs:")[0])
    dependent.doit()
    assert dependent.sha256().keys() == {"api"}
    assert "jobs-py3.12-x86_64" in page(dependent)  # as of the last `doit report`
    dependent.doit("report")
    assert "jobs" not in page(dependent)


def test_dependencies(dependent: Repository, index: Index) -> None:
    """Versions come from the lock, licences from the metadata in the ZIP."""
    for name, content in index.files.items():
        licence = "License-Expression: MIT" if name.startswith("alpha") else "License: <b>BSD</b>"
        index.files[name] = with_metadata(content, f"{licence}\n")
    dependent.doit("report")
    row = r"<tr> <th scope=.row.>([^<]*)</th> <td>([^<]*)</td> <td>([^<]*)</td> </tr>"
    assert set(re.findall(row, page(dependent))) == {
        ("alpha", "1.0", "MIT"),
        ("beta", "1.0", "&lt;b&gt;BSD&lt;/b&gt;"),
    }


def test_left_out(repository: Repository) -> None:
    """A variant left out for lack of an engine is named with that reason."""
    manifest = repository.root / "lambdas.yaml"
    text = manifest.read_text() + "  native:\n    handler: app.handler\n" + DOCKER
    repository.write({
        "lambdas.yaml": text,
        "lambdas/native/app.py": HANDLER,
        "lambdas/native/requirements.txt": "alpha\n",
    })  # fmt: skip
    repository.doit("report", DOCKER_HOST="unix:///there/is/no/engine.sock")
    text = page(repository)
    assert "1 of 2 variants are up to date in dist/" in text
    assert "<strong>Not built: native.</strong> dist/ has no ZIP of it." in text
    assert "Its dependencies need a container" in text


@pytest.mark.parametrize(
    "options", [("-n", "0"), ("-n", "2", "-P", "process"), ("-n", "2", "-P", "thread")]
)
def test_times(dependent: Repository, options: tuple[str, ...]) -> None:
    """Every executed step is timed, also in processes and threads; timing changes nothing else."""
    ran = {task.replace(":", "/") for task in dependent.doit(*options).ran}
    found = seconds(dependent)
    assert found.keys() == {name for name in ran if name != "index"}
    assert all(0 <= taken < 60 for taken in found.values())
    assert dependent.doit(*options).ran == []
    assert seconds(dependent) == found


def test_times_are_of_this_build(dependent: Repository) -> None:
    """A step that was up to date for the present ZIP has no time, even if it had one before."""
    dependent.doit("report")
    row = (
        r'Build times by step.*?<tr> <th scope="row">api</th>'
        + r' <td class="number" data-value="[\d.]+">(.*?)</td>' * 5
    )
    assert NOTHING not in re.search(row, page(dependent)).groups()[:4]  # type: ignore[union-attr]
    dependent.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    dependent.doit("report")
    venv, stage, _, made, _ = re.search(row, page(dependent)).groups()  # type: ignore[union-attr]
    assert venv == NOTHING
    assert NOTHING not in {stage, made}
    dependent.write({"lambdas/api/app.py": HANDLER})
    dependent.doit("report")
    assert "from cache" in page(dependent)


def test_times_that_cannot_be_kept(repository: Repository) -> None:
    """Times that cannot be written do not fail the build."""
    repository.write({"build/times.log/folder": "a folder, where a file should be"})
    repository.doit("report")
    assert "Nothing was built on this machine." in page(repository)


def test_names_are_normalised(repository: Repository, index: Index) -> None:
    """A package has one name, whatever its metadata calls it: that of the lockfile."""
    index.add("python_dateutil", "2.9")
    repository.write({"lambdas/api/requirements.txt": "Python_DateUtil\n"})
    repository.doit("report", UV_INDEX_URL=index.url)
    assert "python-dateutil 2.9" in page(repository)
    assert "python_dateutil 2.9" not in page(repository)


def test_nothing_else_changes(dependent: Repository) -> None:
    """The page alone has the commit: every other file of dist/ is as without it."""
    dependent.doit()
    before = contents(dependent.root / "dist")
    dependent.doit("report", GITHUB_SHA="f" * 40, GITHUB_REF_NAME="topic")
    after = contents(dependent.root / "dist")
    assert 'Commit <code title="ffff' in after.pop("report.html").decode()
    assert after == before
    assert "ffffffff" not in str(after)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_new_commit_is_a_new_page(repository: Repository) -> None:
    """The page is out of date after a commit, and only then."""
    repository.doit("report", CI_COMMIT_SHA="a" * 40)
    assert repository.doit("report", CI_COMMIT_SHA="a" * 40).ran == []
    assert repository.doit("report", CI_COMMIT_SHA="b" * 40).ran == ["report"]
    assert 'Commit <code title="bbbb' in page(repository)


BROKEN = "def other(event, context): ...\n"


@pytest.mark.parametrize("options", [(), ("-n", "2"), ("-n", "2", "-P", "thread")])
def test_failure(dependent: Repository, options: tuple[str, ...]) -> None:
    """With a function that fails, the page is written, names it, and doit fails all the same."""
    dependent.doit()
    dependent.write({"lambdas/api/app.py": BROKEN})
    result = dependent.fails(*options, "report")
    assert result.message.splitlines()[-1] == "dist/report.html"
    text = page(dependent)
    assert "<strong>Failed: api.</strong> dist/api.zip is of earlier inputs:" in text
    assert "app.py does not define &#39;handler&#39;" in text
    assert "2 of 3 variants are up to date in dist/" in text
    assert dependent.listed()["api"]["stale"] is True


def test_failure_without_an_earlier_build(repository: Repository) -> None:
    """A function that never was built is not made up; the next good run replaces the page."""
    repository.write({"lambdas/api/app.py": BROKEN})
    repository.fails("report")
    assert "<strong>Failed: api.</strong> dist/ has no ZIP of it." in page(repository)
    repository.write({"lambdas/api/app.py": HANDLER})
    assert repository.doit("report").ran[-1] == "report"
    assert "Failed" not in page(repository)


def test_failure_of_a_lock(dependent: Repository) -> None:
    """A lock that cannot be made fails all variants of its function, each with the message."""
    dependent.write({"lambdas/jobs/requirements.txt": "there-is-none\n"})
    dependent.fails("report")
    text = page(dependent)
    assert text.count("<strong>Failed: jobs-py3.1") == 2
    assert "there-is-none" in text
    assert "1 of 3 variants are up to date" in text


def test_failure_and_a_dodo_that_stops_at_the_first(repository: Repository) -> None:
    """The page is written also if doit is told to stop at the first failure."""
    dodo = "from buildlib.tasks import *\nDOIT_CONFIG = {**DOIT_CONFIG, 'continue': False}\n"
    repository.write({"dodo.py": dodo, "lambdas/api/app.py": BROKEN})
    repository.fails("report")
    assert "<strong>Failed: api.</strong>" in page(repository)


def test_failure_of_another_task(repository: Repository) -> None:
    """A failure writes no page unless the report was asked for."""
    repository.write({"lambdas/api/app.py": BROKEN})
    repository.fails()
    assert not (repository.root / "dist/report.html").exists()


def test_absent_engine_in_ci(repository: Repository) -> None:
    """With CI set, an absent engine is a failure, and there is a page."""
    test_left_out(repository)
    (repository.root / "dist/report.html").unlink()
    engine = {"DOCKER_HOST": "unix:///there/is/no/engine.sock"}
    lock = repository.root / "lambdas/native/requirements.lock"
    assert not lock.exists()
    result = repository.doit("report", code=None, CI="true", **engine)
    assert result.code != 0
    assert "Not built: native." in page(repository)


def test_against(dependent: Repository, tmp_path: Path) -> None:
    """`--against` compares with an earlier index, and its ZIPs if they are beside it."""
    dependent.doit()
    base = tmp_path / "base"
    shutil.copytree(dependent.root / "dist", base)
    dependent.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    made = dependent.doit("report", "--against", str(base / "lambdas.json"))
    assert made.ran[-1] == "report"
    text = page(dependent)
    assert "<strong>1</strong> changed, <strong>2</strong> the same." in text
    assert "Growth by package, unzipped, in 1 of 1 variants that differ" in text
    same = dependent.doit("report", f"--against={base / 'lambdas.json'}")
    assert same.ran == []
    plain = dependent.doit("report")
    assert plain.ran == ["report"]
    assert "Compared with" not in page(dependent)


def test_against_recorded_hashes(repository: Repository) -> None:
    """`lambdas.hashes.json` says what differs."""
    repository.doit("record")
    repository.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    repository.doit("report", "--against", "lambdas.hashes.json")
    assert "<strong>1</strong> changed." in page(repository)


def test_against_nothing(repository: Repository) -> None:
    """A missing file fails the report with what to name; the builds are done."""
    result = repository.fails("report", "--against=base.json")
    assert "base.json: cannot be read: no such file or directory" in result.output
    assert "lambdas errors earlier-index" in result.output
    assert not (repository.root / "dist/report.html").exists()
    assert repository.index().keys() == {"api"}


def test_an_edited_index(repository: Repository) -> None:
    """A ZIP that the index describes wrongly is not on the page, and breaks nothing."""
    repository.doit()
    path = repository.root / "dist/lambdas.json"
    path.write_text('{"api": {"sha256": "f"}}')
    repository.write({"lambdas/api/app.py": BROKEN})
    repository.fails("report")
    assert "<strong>Failed: api.</strong> dist/ has no ZIP of it." in page(repository)
