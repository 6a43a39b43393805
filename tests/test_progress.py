"""The output of a run on a real terminal, on a pipe and in CI, and its end."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import HANDLER, Index, Repository

TERMINAL = {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
DODO = "import time\nfrom buildlib.tasks import *\n"


def on_terminal(
    repository: Repository,
    *arguments: str,
    when: Callable[[str], bool] = lambda _: False,
    code: int = 0,
    **environment: str,
) -> str:
    """Run doit on a pseudo-terminal and return its output; press Ctrl-C once `when` is true."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        repository.command(*arguments),
        cwd=repository.root,
        env=repository.environment | TERMINAL | environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    output, deadline, typed = b"", time.monotonic() + 120, False
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.2)[0]:
            try:
                chunk = os.read(master, 1 << 16)
            except OSError:  # Linux, once the other end is closed
                break
            if not chunk:
                break
            output += chunk
        if not typed and when(output.decode(errors="replace")):
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            typed = True
    os.close(master)
    assert process.wait(timeout=30) == code, output.decode()
    text = output.decode().replace("\r\n", "\n")
    assert "Traceback" not in text, text
    return text


def plain(text: str) -> str:
    """Return a terminal's output without control codes."""
    return CONTROL.sub("", text)


@pytest.fixture
def slow(dependent: Repository, index: Index) -> Repository:
    """Give a repository with a slow index, so that live lines appear."""
    answer = index.answer

    def late(request: object) -> None:
        time.sleep(0.4)
        answer(request)  # type: ignore[arg-type] # the server's own value

    index.answer = late  # type: ignore[method-assign] # of this one index
    return dependent


PARALLEL = [("-n", "0"), ("-n", "2", "-P", "process"), ("-n", "2", "-P", "thread")]


@pytest.mark.parametrize("options", PARALLEL)
def test_on_a_terminal(slow: Repository, options: tuple[str, ...]) -> None:
    """Live lines show running steps, then a table and totals follow, and no live line remains."""
    output = on_terminal(slow, *options)
    assert re.search(r"api +(lock|venv) +\d+ s", plain(output)), output
    end = plain(output)[plain(output).rindex("variant ") :]
    lines = end.strip().splitlines()
    assert lines[0].split() == ["variant", "done", "why", "zipped", "unzipped", "time", "sha256"]
    assert sorted(line.split()[0] for line in lines[1:-1]) == [
        "api", "jobs-py3.12-x86_64", "jobs-py3.13-x86_64",
    ]  # fmt: skip
    sha256 = slow.sha256()["api"][:12]
    assert re.search(rf"^api +built +first build here .* {sha256}\s*$", end, re.MULTILINE)
    assert re.fullmatch(r"3 built in \d+\.\d s", lines[-1])
    assert ".  " not in plain(output)
    assert output.count("\x1b[?25l") == output.count("\x1b[?25h")  # the cursor is visible again
    assert not (slow.root / "build/activity").exists()


@pytest.mark.parametrize("options", PARALLEL)
def test_an_unchanged_run_on_a_terminal(repository: Repository, options: tuple[str, ...]) -> None:
    """A run without work prints one line, and does not even import rich."""
    repository.doit()
    repository.write({"dodo.py": "from buildlib.tasks import *\nimport atexit, sys\n"
                      "atexit.register(lambda: print('rich' in sys.modules))\n"})  # fmt: skip
    lines = on_terminal(repository, *options).splitlines()
    assert {*lines} == {"1 unchanged", "False"}
    assert lines[0] == "1 unchanged"


def test_what_changed(repository: Repository) -> None:
    """The table gives the reason for each build, and the change in size."""
    repository.doit()
    repository.write({"lambdas/api/app.py": HANDLER + "#" * 50})
    output = plain(on_terminal(repository))
    row = next(line for line in output.splitlines() if line.startswith("api "))
    assert re.search(r"api +built +app.py changed +\d+ B \(\+\d+ B\) +\d+ B \(\+50 B\)", row)
    repository.write({"lambdas/api/app.py": HANDLER})
    output = plain(on_terminal(repository))
    assert re.search(r"^api +from the cache +app.py changed", output, re.MULTILINE)
    assert output.rstrip().splitlines()[-1].startswith("1 from the cache in ")


def test_no_color(repository: Repository) -> None:
    """With NO_COLOR there are no colours, even on a terminal; without it there are."""
    assert COLOUR.search(on_terminal(repository))
    repository.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    coloured = COLOUR.findall(on_terminal(repository, NO_COLOR="1"))
    assert not [code for code in coloured if re.search(r"[34]\d", code)], coloured


@pytest.mark.parametrize("environment", [{"CI": "true"}, {"TERM": "dumb"}])
def test_a_terminal_without_live_lines(repository: Repository, environment: dict[str, Any]) -> None:
    """In CI, and on a terminal without a cursor, the output is plain lines."""
    output = on_terminal(repository, **environment)
    assert "\x1b" not in output
    assert ".  zip:api\n" in output


@pytest.mark.parametrize("options", PARALLEL)
def test_on_a_pipe(dependent: Repository, options: tuple[str, ...]) -> None:
    """Without a terminal, the output is doit's plain lines, a line for each variant, and totals."""
    result = dependent.doit(*options)
    assert "\x1b" not in result.output
    assert {"zip:api", "lock:api"} <= set(result.ran)
    lines = result.output.splitlines()
    assert re.fullmatch(r"3 built in \d+\.\d s", lines[-1])
    sha256 = dependent.sha256()["api"][:12]
    shown = next(line for line in lines if line.startswith("api: "))
    assert re.fullmatch(
        r"api: built \(first build here\): [\d.]+ kB \(new\), "
        r"[\d.]+ kB unzipped \(new\), "
        rf"\d+\.\d s, sha256 {sha256}",
        shown,
    )
    assert dependent.doit(*options).output == "3 unchanged\n"


def test_github_actions(dependent: Repository) -> None:
    """In GitHub Actions, each variant's lines are a group, and an error names file and line."""
    dependent.write({"lambdas/api/requirements.txt": "beta\n./local\n"})
    environment: dict[str, Any] = {"GITHUB_ACTIONS": "true"}
    output = dependent.doit("-c", code=None, **environment).output
    assert (
        "::error file=lambdas/api/requirements.txt,line=2,title=lock%3Aapi::'./local' is" in output
    )
    groups = re.findall(r"^::group::(\S+)\n((?:\.  \S+\n)+)::endgroup::\n", output, re.MULTILINE)
    assert dict(groups)["jobs-py3.12-x86_64"].splitlines() == [
        f".  {step}:jobs-py3.12-x86_64" for step in ("venv", "stage", "touch", "zip")
    ]
    assert re.search(r"^2 built, 1 failed in", output, re.MULTILINE)
    dependent.write({"lambdas/api/requirements.txt": "beta\n"})
    dependent.doit()
    assert dependent.doit(**environment).output == "3 unchanged\n"
    dependent.write({"lambdas.yaml": "version: 1\nlambdas:\n  api: {hander: app.handler}\n"})
    output = dependent.doit(code=3, **environment).output
    assert "::error file=lambdas.yaml,line=3,col=9,title=lambdas.yaml::lambda 'api': " in output


@pytest.mark.parametrize("options", PARALLEL)
def test_a_failure_is_said_once(repository: Repository, options: tuple[str, ...]) -> None:
    """A failure's message appears once, without doit's frame, on a terminal and on a pipe."""
    repository.write({"lambdas/api/app.py": "nothing = 1\n"})
    for output in (
        repository.doit(*options, code=1).output,
        plain(on_terminal(repository, *options, code=1)),
    ):
        assert output.count("does not define 'handler'") == 1
        assert "stage:api failed\n" in output
        assert "####" not in output
        assert "TaskFailed" not in output
        assert output.rstrip().splitlines()[-1].startswith("1 failed in ")


def test_what_only_depends_on_a_failure(dependent: Repository) -> None:
    """With `-c`, a failed lock counts for its variants, and dependent tasks add no failures."""
    dependent.write({"lambdas/jobs/requirements.txt": "./local\n"})
    output = dependent.doit("-c", code=None).output
    assert output.count("failed\n") == 1
    assert re.search(r"^1 built, 2 failed in", output, re.MULTILINE)
    assert "UnmetDependency" not in output


@pytest.mark.parametrize("reporter", ["console", "json", "zero", "executed-only", "error-only"])
def test_other_reporters(repository: Repository, reporter: str) -> None:
    """The reporters of doit still work on request."""
    output = repository.doit("-r", reporter).output
    assert "1 built" not in output
    if reporter == "json":
        tasks = json.loads(output)["tasks"]
        assert "zip:api" in {task["name"] for task in tasks if task["result"] == "success"}
    if reporter == "console":
        assert ".  zip:api\n" in output


@pytest.mark.parametrize("options", PARALLEL)
def test_interrupted(slow: Repository, options: tuple[str, ...]) -> None:
    """Ctrl-C ends the run with one line, and with a shell's exit code for SIGINT."""
    slow.doit("lock")
    output = on_terminal(
        slow,
        *options,
        when=lambda text: "venv" in text,
        code=130,
        UV_CACHE_DIR=str(slow.root / "build/fresh"),
    )
    last = plain(output).rstrip().splitlines()[-1]
    assert last == "Interrupted. Finished work is kept; run the build again to resume."
    assert re.search(r"^\S+ +interrupted +at venv ", plain(output), re.MULTILINE)
    totals = plain(output).rstrip().splitlines()[-2]
    assert re.fullmatch(r"[12] interrupted in \d+\.\d s", totals)
    slow.doit()
    slow.sha256()


def test_what_was_not_looked_at_is_not_unchanged(slow: Repository) -> None:
    """After Ctrl-C in `zip`, the variant is not unchanged, though earlier steps are up to date."""
    slow.doit("touch")
    slow.write({"dodo.py": DODO + (
        "from buildlib.steps import run\n"
        "run._Work.zip = lambda *_, **__: time.sleep(20)\n"
    )})  # fmt: skip
    output = plain(on_terminal(slow, when=lambda text: "zip" in text, code=130))
    assert re.search(r"^\S+ +interrupted +at zip ", output, re.MULTILINE)
    assert "unchanged" not in output[output.rindex("variant ") :]


@pytest.mark.parametrize("name", ["verify:api", "watch"])
def test_a_failure_that_builds_nothing(repository: Repository, name: str) -> None:
    """A failed task outside the summary is reported in the same words, and annotated."""
    arguments = [name, "nix"] if name == "watch" else [name]
    output = repository.doit(*arguments, code=1, GITHUB_ACTIONS="true").output
    assert f"{name} failed\n" in output
    assert f"title={name.replace(':', '%3A')}::" in output
    assert "TaskFailed" not in output


def test_what_needs_a_failure(repository: Repository) -> None:
    """A user's task that needs a failed one is reported as not run."""
    repository.write({
        "dodo.py": DODO + "def task_go():\n    return {'actions': ['true'], 'task_dep': ['zip']}\n",
        "lambdas/api/app.py": "nothing = 1\n",
    })  # fmt: skip
    output = repository.doit("go", code=1).output
    assert "go was skipped because it needs zip" in output
    assert "UnmetDependency" not in output


def test_annotations_without_a_line(dependent: Repository) -> None:
    """An error about a whole file names the file; one about a handler names its line."""
    environment = {"GITHUB_ACTIONS": "true"}
    dependent.write({
        "lambdas/api/requirements.txt": "nowhere\n",
        "lambdas/jobs/app.py": "nothing = 1\n",
    })  # fmt: skip
    output = dependent.doit(code=1, **environment).output
    assert "::error file=lambdas/api/requirements.txt,title=lock%3Aapi::lambdas/api" in output
    # Which of two equal failures comes first is chance; the other one is named at the end.
    place = r"file=lambdas\.yaml,line=6,title=stage%3Ajobs-py3\.1[23]-x86_64"
    assert len(re.findall(f"::error {place}::lambda 'jobs': handler", output)) == 1


def test_tasks_of_others(repository: Repository) -> None:
    """A user's task has the terminal to itself while it runs."""
    repository.write({"dodo.py": DODO + (
        "def say():\n    for n in range(8):\n        print('mine', n)\n        time.sleep(0.1)\n"
        "def task_other():\n    return {'actions': [say], 'task_dep': ['zip:api']}\n"
    )})  # fmt: skip
    output = on_terminal(repository, "other")
    assert ".  other\n" in output
    assert "".join(f"mine {n}\n" for n in range(8)) in output


def test_warnings_are_shown_once(dependent: Repository, index: Index) -> None:
    """Warnings of a step appear above the live lines, whichever process logs them."""
    dependent.doit("lock")
    dependent.doit("venv:api")
    cache = dependent.environment["UV_CACHE_DIR"]
    for path in subprocess.check_output(
        ["find", cache, "-name", "data.txt", "-links", "+1"], text=True
    ).split():
        with open(path, "a") as stream:
            stream.write("changed")
    subprocess.run(["rm", "-rf", "build"], cwd=dependent.root, check=True)
    output = plain(on_terminal(dependent, "-n", "2", "zip:api"))
    assert output.count("cache is damaged (alpha/data.txt)") == 1
    assert index.requests
