"""The tasks, as dictionaries."""

import gc
import itertools
from pathlib import Path

import pytest
from doit.exceptions import InvalidDodoFile
from doit.task import Task, dict_to_task

from buildlib.plugin import tasks
from buildlib.plugin.selection import Request

MANIFEST = """\
version: 1
defaults: {handler: app.handler}
lambdas:
  api: {}
  twin: {source: lambdas/api}
  jobs: {python: ["3.12", "3.13"]}
"""


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a repository of three functions; two of them share a folder and its requirements."""
    for path, text in {
        "lambdas.yaml": MANIFEST,
        "lambdas/api/app.py": "def handler(event, context): ...\n",
        "lambdas/api/requirements.txt": "six\n",
        "lambdas/jobs/app.py": "def handler(event, context): ...\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(request: Request) -> dict[str, tasks.Task]:
    found = {}
    for task in tasks.load(request):
        assert type(task) is dict
        name = task["basename"] + (f":{task['name']}" if task.get("name") else "")
        assert name not in found
        found[name] = task
    return found


def test_plain_dictionaries() -> None:
    """Every task is a dictionary of fields that doit declares."""
    for name, task in loaded(Request()).items():
        assert task.keys() <= Task.valid_attr.keys()
        fields = {key: value for key, value in task.items() if key != "basename"}
        dict_to_task({"actions": None} | fields | {"name": name})


def test_each_step_depends_on_the_one_before() -> None:
    """The steps of a variant are one chain; if there are requirements, the lock is its first."""
    found = loaded(Request(("hash:api",), runs=True))
    chain = ["lock:api", "venv:api", "stage:api", "touch:api", "zip:api", "hash:api"]
    for before, name in itertools.pairwise(chain):
        assert found[name]["task_dep"] == [before]
    assert loaded(Request())["venv:jobs-py3.12-x86_64"]["task_dep"] == []


def test_a_shared_lock() -> None:
    """Functions that share a lock make it once: the second waits for the first."""
    found = loaded(Request(("hash:twin",), runs=True))
    assert found["lock:twin"]["task_dep"] == ["lock:api"]
    assert found["lock:twin"]["actions"] is None
    assert "zip:api" not in found


def test_a_group_of_variants() -> None:
    """A function of several variants has a task of each step for all of them."""
    found = loaded(Request(("zip:jobs",), runs=True))
    ids = ["jobs-py3.12-x86_64", "jobs-py3.13-x86_64"]
    for step in ("venv", "zip", "hash"):
        assert found[f"{step}:jobs"]["task_dep"] == [f"{step}:{name}" for name in ids]
    assert "zip:api" not in found
    assert "index" not in found


def test_only_a_run_goes_without_texts() -> None:
    """Each task has a text and undoes its work, but in a run, which shows and undoes nothing."""
    shown, run = loaded(Request(("zip:api",))), loaded(Request(("zip:api",), runs=True))
    assert shown["zip:api"]["doc"] == "zip of api, Python 3.13, x86_64"
    assert shown["zip:api"]["clean"]
    assert all("doc" in task for task in shown.values())
    assert not {"doc", "clean"} & run["zip:api"].keys()


def test_mistakes_of_the_manifest(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake of the manifest is one message, without a traceback."""
    (repository / "lambdas.yaml").write_text("version: 1\nlambdas: {api: {nothing: 1}}\n")
    with pytest.raises(InvalidDodoFile, match="unknown key 'nothing'"):
        loaded(Request())
    assert not capsys.readouterr().out


def test_garbage_is_collected_again() -> None:
    """The collector of garbage is as it was, also after a mistake."""
    loaded(Request())
    assert gc.isenabled()
    with pytest.raises(InvalidDodoFile):
        loaded(Request(("zip:elsewhere",), runs=True))
    assert gc.isenabled()


def test_targets() -> None:
    """The last step has the ZIP and its checksum as targets; `zip` has none."""
    found = loaded(Request(("zip:api",), runs=True))
    assert found["hash:api"]["targets"] == ["dist/api.zip", "dist/api.zip.sha256"]
    assert "targets" not in found["zip:api"]
