"""The requests that doit gets through its API and from the command line."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from doit.doit_cmd import DoitMain

from buildlib import tasks as face
from buildlib.plugin import loader
from buildlib.plugin.loader import Loader, from_command_line
from buildlib.plugin.selection import Request

MANIFEST = """\
version: 1
defaults: {handler: app.handler}
lambdas:
  api: {}
  jobs: {python: ["3.12", "3.13"]}
"""


@pytest.fixture
def dodo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give a dodo.py that holds our tasks only, as doit leaves it in memory."""
    module = ModuleType("dodo")
    vars(module).update({name: getattr(face, name) for name in face.__all__})
    monkeypatch.setitem(sys.modules, "dodo", module)
    monkeypatch.delenv("DOIT_FILE", raising=False)
    return module


def asked(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Request:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/doit", *arguments])
    return from_command_line()


@pytest.mark.usefixtures("dodo")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["index"]),
        (["zip:api"], ["zip:api"]),
        (["run", "zip:api"], ["zip:api"]),
        (["-n", "2", "zip:api"], ["zip:api"]),
        (["-n2", "-P", "thread", "--continue", "zip:api"], ["zip:api"]),
        (["stage=prod", "zip:api", "x=y=z"], ["zip:api"]),
        (["-f", "dodo.py", "zip:api"], ["zip:api"]),
        (["--file=dodo.py", "run", "-a", "zip:api"], ["zip:api"]),
        (["--", "zip:api"], ["zip:api"]),
        (["-s", "hash:api"], ["hash:api"]),
        (["lock:api", "--upgrade"], ["lock:api", "--upgrade"]),
        (["invoke:api", "--event={'a': 'b=c'}"], ["invoke:api", "--event={'a': 'b=c'}"]),
        (["-n", "2", "list"], ["list"]),  # to doit, too, this is a task
    ],
)
def test_a_run(monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: list[str]) -> None:
    """The words are those that doit takes for names of tasks, and their options."""
    request = asked(monkeypatch, *arguments)
    assert request == Request(tuple(words), runs=True, always="-a" in arguments)


@pytest.mark.usefixtures("dodo")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list"], []),
        (["list", "--all", "-q", "zip"], ["zip"]),
        (["list", "--file=dodo.py", "--quiet", "--all", "zip"], ["zip"]),
        (["info", "zip:api"], ["zip:api"]),
        (["clean", "-c", "zip:api"], ["zip:api"]),
        (["forget", "zip:api"], ["zip:api"]),
        (["help", "zip:api"], ["zip:api"]),
        (["tabcompletion", "--hardcode-tasks"], []),
    ],
)
def test_other_commands(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: list[str]
) -> None:
    """A command that runs nothing is told apart, and its words are known."""
    assert asked(monkeypatch, *arguments) == Request(tuple(words), runs=False)


@pytest.mark.usefixtures("dodo")
@pytest.mark.parametrize("program", ["/app/server.py", "-c", "", "/usr/bin/pytest"])
def test_another_program(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """The arguments of a program that is not doit are its own: nothing is known."""
    monkeypatch.setattr(sys, "argv", [program, "zip:elsewhere"])
    assert from_command_line() == Request()


@pytest.mark.usefixtures("dodo")
@pytest.mark.parametrize("program", ["/usr/bin/doit", "C:/doit.exe", "/x/doit/__main__.py"])
def test_doit_by_any_name(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """The program doit is known as a script, on Windows, and as `python -m doit`."""
    monkeypatch.setattr(sys, "argv", [program, "zip:api"])
    assert from_command_line().words == ("zip:api",)


@pytest.mark.usefixtures("dodo")
def test_options_that_doit_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options that doit will refuse are left to doit."""
    assert asked(monkeypatch, "--no-such-option", "zip:api") == Request()


def test_tasks_of_others(monkeypatch: pytest.MonkeyPatch, dodo: ModuleType) -> None:
    """Tasks that a dodo.py adds are seen, and so is the file that defines them."""
    monkeypatch.setattr(dodo, "task_size", lambda: {"actions": []}, raising=False)
    request = asked(monkeypatch, "zip:api")
    assert not request.is_alone
    assert request.taken == {"size"}
    assert not asked(monkeypatch, "-f", "other.py", "zip:api").is_alone
    monkeypatch.setitem(sys.modules, "other", dodo)
    assert asked(monkeypatch, "-f", "sub/other.py", "zip:api").taken == {"size"}


def test_default_tasks(monkeypatch: pytest.MonkeyPatch, dodo: ModuleType) -> None:
    """Without names, the default tasks of the dodo.py are meant, or all."""
    monkeypatch.setattr(dodo, "DOIT_CONFIG", loader.DOIT_CONFIG | {"default_tasks": ["size"]})
    assert asked(monkeypatch).words == ("size",)
    assert asked(monkeypatch, "list").words == ()
    monkeypatch.setattr(dodo, "DOIT_CONFIG", {})
    assert asked(monkeypatch).words is None


class Spy(Loader):
    """A loader that keeps the names of the tasks that it gave."""

    def load_tasks(self, cmd: object, pos_args: list[str]) -> list[object]:
        self.made = super().load_tasks(cmd, pos_args)
        return list(self.made)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a repository, and a working directory inside; the program has other arguments."""
    (tmp_path / "lambdas.yaml").write_text(MANIFEST)
    for name in ("api", "jobs"):
        (tmp_path / "lambdas" / name).mkdir(parents=True)
        (tmp_path / "lambdas" / name / "app.py").write_text("def handler(event, context): ...\n")
    monkeypatch.chdir(tmp_path / "lambdas/api")
    monkeypatch.setattr(sys, "argv", ["doit", "zip:elsewhere"])
    return tmp_path


def made(*arguments: str) -> set[str]:
    spy = Spy()
    assert not DoitMain(spy).run([*arguments])
    return {task.name for task in spy.made}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["lock:*"], {"zip:api", "zip:jobs", "index"}),
        (["-s"], {"zip:api", "zip:jobs", "index"}),  # the default task alone
        (["list", "-q", "zip"], {"zip:api", "zip:jobs-py3.12-x86_64", "why:api", "invoke:api"}),
        (["-n", "2", "-s", "venv:api"], {"venv:api"}),
        (["forget", "zip:api"], {"zip:jobs", "verify:jobs"}),
    ],
)
def test_the_loader_takes_doits_arguments(
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    expected: set[str],
) -> None:
    """Through doit's API, `sys.argv` means nothing; the tasks are the needed ones."""
    names = made(*arguments)
    assert expected <= names
    assert ("zip:jobs" in names) == (arguments[-1] != "venv:api")
    assert ("why:api" in names) == (arguments[0] in {"list", "forget"})
    assert Path.cwd() == repository
    assert "elsewhere" not in "".join(capsys.readouterr())
