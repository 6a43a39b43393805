"""`doit report`: one page about dist/, written on demand."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import HANDLER, Index, Repository
from tests.test_evidence import with_metadata

NOTHING = "\N{EN DASH}"
DOCKER = "    install: docker\n    docker: {setup: ['true']}\n"


def page(repository: Repository) -> str:
    """Return the report, with each run of white space as one space."""
    return re.sub(r"\s+", " ", (repository.root / "dist/report.html").read_text())


def seconds(repository: Repository) -> dict[str, float]:
    """Return the recorded times, by step and variant."""
    top = repository.root / "build/times"
    return {
        path.relative_to(top).with_suffix("").as_posix(): json.loads(path.read_text())["record"][
            "seconds"
        ]
        for path in top.rglob("*.json")
    }


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
    assert "1 of 2 variants are in dist/" in page(repository)
    assert "Not in dist/: <strong>native</strong>. Its dependencies need a container" in page(
        repository
    )


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
        r'<tr> <th scope="row">api</th>' + r' <td class="number" data-value="[\d.]+">(.*?)</td>' * 5
    )
    assert NOTHING not in re.search(row, page(dependent)).groups()[:4]  # type: ignore[union-attr]
    dependent.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    dependent.doit("report")
    venv, stage, _, made, _ = re.search(row, page(dependent)).groups()  # type: ignore[union-attr]
    assert venv == NOTHING
    assert NOTHING not in {stage, made}
    dependent.write({"lambdas/api/app.py": HANDLER})
    dependent.doit("report")
    assert "from store" in page(dependent)


def test_times_that_cannot_be_kept(repository: Repository) -> None:
    """Times that cannot be written do not fail the build."""
    repository.write({"build/times": "a file, where a folder should be"})
    repository.doit("report")
    assert "Nothing was built on this machine." in page(repository)


@pytest.mark.parametrize("name", ["vl_convert", "jinja2"])
def test_without_the_extra(repository: Repository, tmp_path: Path, name: str) -> None:
    """Without the extra, the message says what to install, and everything else works."""
    (tmp_path / f"{name}.py").write_text("raise ImportError\n")
    environment: dict[str, Any] = {"PYTHONPATH": os.pathsep.join([str(tmp_path)])}
    repository.doit(**environment)
    result = repository.fails("report", **environment)
    assert (
        "doit report needs Vega and Jinja: pip install 'doit-lambda-zip[report]'" in result.output
    )
    assert "lambdas errors report" in result.output
    assert not (repository.root / "dist/report.html").exists()
