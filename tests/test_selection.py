"""Named tasks: only what they can need is made of a large manifest, and nothing is missing."""

import json
import re
import shutil
import time
from collections.abc import Callable

import pytest

from buildlib.plugin import tasks
from buildlib.plugin.selection import Request
from tests.conftest import HANDLER, Repository, Result

OWN = "def task_deploy():\n    return {'actions': ['echo deployed'], 'task_dep': ['hash:jobs']}\n"
MANIFEST = """\
version: 1
defaults: {handler: app.handler}
lambdas:
  api: {}
  jobs: {python: ["3.12", "3.13"]}
"""


@pytest.fixture
def several(repository: Repository) -> Repository:
    """Give a repository with a function of one variant and one of two."""
    repository.write({"lambdas.yaml": MANIFEST, "lambdas/jobs/app.py": HANDLER})
    return repository


@pytest.mark.parametrize(
    ("named", "made"),
    [
        (["hash:api"], {"api"}),
        (["hash:jobs"], {"jobs-py3.12-x86_64", "jobs-py3.13-x86_64"}),
        (["hash:jobs-py3.12-x86_64"], {"jobs-py3.12-x86_64"}),
        (["hash:api", "zip:jobs-py3.13-x86_64"], {"api", "jobs-py3.13-x86_64"}),
        (["hash:*-py3.12-*"], {"jobs-py3.12-x86_64"}),
        (["run", "hash:api"], {"api"}),
        (["-n", "2", "hash:api"], {"api"}),
        (["hash:api", "index"], {"api", "jobs-py3.12-x86_64", "jobs-py3.13-x86_64"}),
        (["dist/api.zip"], {"api"}),
        (["zip"], {"api", "jobs-py3.12-x86_64", "jobs-py3.13-x86_64"}),
    ],
)
def test_named(several: Repository, named: list[str], made: set[str]) -> None:
    """Just what was named is built, however it was named."""
    several.doit(*named)
    assert several.sha256().keys() == made


@pytest.mark.parametrize(
    ("named", "hint"),
    [
        ("hash:apo", "did you mean 'hash:api'?"),
        ("why:job", "did you mean 'why:jobs'?"),
        ("hash:jobs-py3.11-x86_64", "did you mean 'hash:jobs-py3.13-x86_64'?"),
        ("zip:elsewhere", "run 'lambdas list' to see the names"),
    ],
)
def test_mistyped_name(several: Repository, named: str, hint: str) -> None:
    """A function that is not declared is said to be that, also beside one that is."""
    for names in ([named], ["hash:api", named], ["clean", named]):
        result = several.doit(*names, code=3)
        assert f"{named}: lambdas.yaml declares no '{named.partition(':')[2]}'" in result.output
        assert hint in result.output


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["zap:api"], "zap:api: no step 'zap'; did you mean 'zip:api'?"),
        (
            ["hash:api", "build:api"],
            "build:api: no step 'build'; there are drift, hash, invoke, ",
        ),
        (["lock:api"], "lock:api: lambda 'api' has no requirements, so there is nothing to lock"),
        (["api"], "api: this is a function, not a task; did you mean 'zip:api'?"),
    ],
)
def test_a_function_without_its_step(several: Repository, names: list[str], hint: str) -> None:
    """A function is named alone, or with a step that there is not: the message has the right."""
    assert hint in several.doit(*names, code=3).output


def test_a_function_with_the_name_of_a_task(repository: Repository) -> None:
    """A function may be called as a task or a command of doit is."""
    repository.write({
        "lambdas.yaml": "version: 1\nlambdas:\n"
        + "".join(f"  {name}: {{source: lambdas/api, handler: app.handler}}\n"
                  for name in ("list", "size")),
    })  # fmt: skip
    assert "watch" in repository.doit("list").output
    assert "Not built: list, size" in repository.doit("size").output
    repository.doit("zip:list")


@pytest.mark.parametrize("named", ["zipp", "dist/apo.zip"])
def test_mistyped_task(several: Repository, named: str) -> None:
    """What is no task of ours is doit's usual error."""
    for names in ([named], ["hash:api", named]):
        result = several.doit(*names, code=3)
        assert f'Invalid parameter: "{named}"' in result.output


def test_own_tasks(several: Repository) -> None:
    """Tasks of the repository's own may depend on any of ours, whatever is named."""
    several.write({"dodo.py": f"from buildlib.tasks import *\n\n{OWN}"})
    several.doit("hash:api")
    assert several.sha256().keys() == {"api"}
    assert "deployed" in several.doit("deploy").output
    assert len(several.sha256()) == 3


def made(request: Request) -> set[str]:
    """Return the ids of the variants for which a request makes the task `hash`."""
    found = (task for task in tasks.load(request) if task["basename"] == "hash" and task["name"])
    return {str(task["name"]) for task in found if task.get("uptodate")}


def test_an_unchanged_variant_has_no_tasks(
    several: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build makes tasks only for variants that have something to do, and counts the others. It
    makes all if they all have to run, if one was forgotten, or if a task is named.
    """
    monkeypatch.chdir(several.root)
    every = {"api", "jobs-py3.12-x86_64", "jobs-py3.13-x86_64"}
    build = Request(("index",), runs=True)
    assert made(build) == every
    several.doit()
    time.sleep(2.1)  # from then on, the status of the files is enough
    several.doit()
    assert made(build) == set()
    assert several.lambdas("build").output == "3 unchanged\n"
    assert made(Request(("index",), runs=True, always=True)) == every
    assert made(Request(("hash",), runs=True)) == every
    assert made(Request(("index",), runs=False)) == every
    several.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    assert made(build) == {"api"}
    assert "\n1 built, 2 unchanged in " in several.lambdas("build").output


def test_a_forgotten_task_runs(several: Repository) -> None:
    """A forgotten task of any step runs in the next build."""
    several.doit()
    time.sleep(2.1)
    several.doit()
    several.doit("forget", "zip:api")
    assert several.doit().ran == ["zip:api"]
    assert several.doit().ran == []


def test_damage_is_noticed_without_tasks(several: Repository) -> None:
    """A variant has tasks again as soon as anything of it changes, in dist/ too."""
    several.doit()
    time.sleep(2.1)
    several.doit()
    path = several.root / "dist/lambdas.json"
    entries = json.loads(path.read_text())
    entries["api"]["sha256"] = "0" * 64
    path.write_text(json.dumps(entries))
    assert several.doit().ran == ["hash:api"]
    (several.root / "dist/api.zip.sha256").unlink()
    assert several.doit().ran == ["hash:api"]
    (several.root / "dist/jobs-py3.12-x86_64.zip").unlink()
    assert several.doit().ran == ["hash:jobs-py3.12-x86_64"]
    several.sha256()


def test_forget_and_clean(several: Repository) -> None:
    """Commands about a task find it."""
    several.doit()
    several.doit("forget", "zip:api")
    assert several.doit("hash:api").ran == ["zip:api"]
    several.doit("clean", "hash:api")
    assert "api" not in several.index()
    assert "hash:api" in several.doit("info", "hash:api", code=1).output


PROGRAM = """\
import os, json, sys
from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from buildlib import tasks
from buildlib.plugin.loader import Loader

if __name__ == "__main__":
    loader = Loader() if sys.argv[2] == "loader" else ModuleTaskLoader(tasks)
    sys.exit(DoitMain(loader).run(json.loads(os.environ["ARGUMENTS"])))
"""

Doit = Callable[..., Result]


@pytest.fixture(params=["shell", "loader", "module"])
def by(request: pytest.FixtureRequest) -> str:
    """Give the name of a way to doit."""
    return str(request.param)


@pytest.fixture
def doit(by: str, several: Repository) -> Doit:
    """Give doit from the shell, and from a program with other arguments, by two of its loaders."""
    if by == "shell":
        return several.doit
    several.write({"program.py": PROGRAM})
    program = [several.python, "program.py", "zip:elsewhere", by]
    several.command = lambda *_: program  # type: ignore[method-assign] # of this one

    def run(*arguments: str, code: int = 0) -> Result:
        return several.doit(code=code, ARGUMENTS=json.dumps(arguments))

    return run


PAIR = {"jobs-py3.12-x86_64", "jobs-py3.13-x86_64"}


def test_builds_what_is_asked(doit: Doit, several: Repository) -> None:
    """A run builds the tasks that it is asked for, from the shell and through its API."""
    doit("hash:jobs-py3.12-x86_64")
    assert several.sha256().keys() == {"jobs-py3.12-x86_64"}
    doit("-n", "2", "zip:jobs", "stage=prod")
    assert several.sha256().keys() == PAIR
    doit("run", "-c", "--", "zip:*")
    assert several.sha256().keys() == {"api", *PAIR}
    assert doit().output.endswith("3 unchanged\n")
    several.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    assert doit("-s", "hash:api").ran == ["hash:api"]
    assert several.sha256().keys() == {"api", *PAIR}


def test_tasks_on_demand(doit: Doit) -> None:
    """Tasks that exist only where they are asked for are there, with their options."""
    output = doit("invoke:api", "--event", "zip:apo", "--timeout", "0", code=1).output
    assert "--timeout: expected 1 to 1800 seconds, found 0" in output
    output = doit("invoke:api", "--where", "host", "--image", "mine", code=1).output
    assert "--image does not go together with --where host; leave one of them out" in output
    assert "api" in doit("why:api").output
    assert "api" in doit("size").output


def test_a_hint_by_any_road(doit: Doit, by: str) -> None:
    """A mistyped name has the same hint, from the shell and through doit's API."""
    for arguments in (["zip:apo"], ["-n", "2", "index", "zip:apo"], ["forget", "zip:apo"]):
        output = doit(*arguments, code=3).output
        # A loader of the program's own hands no arguments on.
        hint = "zip:apo: lambdas.yaml declares no 'apo'; did you mean 'zip:api'?"
        assert hint in output or by == "module"
        assert "elsewhere" not in output


def test_commands_that_run_nothing(doit: Doit, several: Repository) -> None:
    """All tasks are listed and explained; one that is cleaned or forgotten is that one alone."""
    doit()
    groups = {line.split()[0] for line in doit("list").output.splitlines()}
    steps = {"lock", "venv", "stage", "touch", "zip", "hash"}
    others = {"drift", "index", "invoke", "record", "report", "size", "verify", "watch", "why"}
    assert groups == steps | others
    listed = doit("list", "--all").output
    assert re.search(r"^zip:api +zip of api, Python 3.13, x86_64$", listed, re.MULTILINE)
    assert re.search(r"^zip:jobs +all variants of jobs$", listed, re.MULTILINE)
    assert {"why:api", "verify:jobs", "invoke:api"} <= set(listed.split())
    assert "zip:api  zip of api, Python 3.13, x86_64" in doit("help", "zip:api").output
    assert "--event" in doit("help", "invoke:api").output
    doit("forget", "zip:api")
    assert doit("hash:api").ran == ["zip:api"]
    doit("clean", "hash:api")
    assert several.index().keys() == PAIR


@pytest.mark.parametrize("name", ["lock:api", "venv:api", "zip:api", "hash:api", "index", "report"])
def test_no_objects_are_shown(several: Repository, name: str) -> None:
    """`doit info` and `doit clean` show names and paths, never an object of ours."""
    several.write({"lambdas/api/requirements.txt": "# none\n"})
    for command in ("info", "clean"):
        output = several.doit(command, name, code=None).output
        assert "ERROR" not in output
        assert not re.search(
            r"0x|<(?!class '(bool|int|list)'>)|Project|Variant|Path\(|Function\(", output
        ), output


def test_replaced_tasks(several: Repository) -> None:
    """A task of the repository's own may have the name of one of ours that is made on demand."""
    own = "def task_size():\n    return {'actions': ['echo mine']}\n"
    several.write({"dodo.py": f"from buildlib.tasks import *\n\n{own}"})
    assert "mine" in several.doit("size").output
    assert "why:api" in several.doit("list", "--all").output


def test_default_tasks_of_the_repository(several: Repository) -> None:
    """A dodo.py may have other default tasks, and be called otherwise."""
    dodo = "from buildlib.tasks import *\nDOIT_CONFIG = DOIT_CONFIG | {'default_tasks': ['%s']}\n"
    several.write({"build.py": dodo % "hash:api"})
    several.doit("-f", "build.py")
    assert several.sha256().keys() == {"api"}
    several.write({"build.py": dodo % "size"})
    assert "jobs" in several.doit("-f", "build.py").output


def test_a_sparse_checkout(several: Repository) -> None:
    """A named function needs its own files only; all of them, or a missing one, need theirs."""
    several.doit()
    before = several.sha256()["api"]
    shutil.rmtree(several.root / "lambdas/jobs")
    shutil.rmtree(several.root / "dist")
    several.doit("hash:api")
    assert several.sha256() == {"api": before}
    several.lambdas("build", "api")
    for names in ([], ["index"], ["hash:jobs"], ["hash:api", "hash:jobs"]):
        output = several.doit(*names, code=3).output
        assert "lambda 'jobs'" in output
        assert "lambdas/jobs" in output
    assert "lambdas/jobs" in several.lambdas("build", "jobs", code=3).errors


READS = """
def task_upload():
    def upload():
        import json, pathlib
        index = json.loads(pathlib.Path("dist/lambdas.json").read_text())
        print(sorted(name for name, entry in index.items() if entry["sha256"]))

    return {"actions": [upload], "task_dep": ["hash:api", "hash:jobs"], "verbosity": 2}
"""


@pytest.mark.parametrize("options", [(), ("-n", "0"), ("-n", "2", "-P", "process")])
def test_own_tasks_read_a_whole_index(several: Repository, options: tuple[str, ...]) -> None:
    """A task of the repository's own finds every ZIP that it depends on in the index."""
    rarely = "from buildlib.artifacts import listing\n\nlisting._PART = 1_000_000\n"
    several.write({"dodo.py": f"from buildlib.tasks import *\n{rarely}{READS}"})
    built = ["api", "jobs-py3.12-x86_64", "jobs-py3.13-x86_64"]
    assert str(built) in several.doit(*options, "upload").output


def test_no_task_has_a_teardown(several: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """With processes, doit writes each teardown into a pipe that nobody reads, and hangs."""
    monkeypatch.chdir(several.root)
    assert not [task for task in tasks.load(Request(("index",), runs=True)) if task.get("teardown")]
