"""`doit invoke:<id>`: the environment that a function sees on this machine, and the output."""

import contextlib
import json
import os
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Repository

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(sys.platform != "linux", reason="AWS's emulator is a program for Linux"),
]

MACHINE = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), "x86_64")
OTHER = {"x86_64": "arm64", "arm64": "x86_64"}[MACHINE]
PYTHON = "{}.{}".format(*sys.version_info[:2])

# The event holds the code to run: an expression or a statement.
PROBE = """
import os, sys, time
START = "initialised"
print("at init")
def handler(event, context):
    names = {"os": os, "sys": sys, "time": time, "context": context, "event": event}
    if "do" in event:
        exec(event["do"], names)
    return eval(event.get("get", "None"), names)
"""


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with AWS's client and emulator, installed once for all tests."""
    return tmp_path_factory.mktemp("invoke")


@pytest.fixture
def probe(repository: Repository, tools: Path) -> Repository:
    """Give a repository whose function runs the event's code, for this machine's Python."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV", "CI"))}
    nowhere = "unix:///there/is/no/engine.sock"
    repository.environment = environment | {"DOCKER_HOST": nowhere, "SECRET_OF_THE_HOST": "x"}
    repository.write({
        "lambdas.yaml": manifest(),
        "lambdas/api/app.py": PROBE,
    })  # fmt: skip
    (repository.root / "build").mkdir()
    (repository.root / "build/invoke").symlink_to(tools)
    return repository


def manifest(python: str = PYTHON, architecture: str = MACHINE) -> str:
    """Return the manifest of the function."""
    return (
        "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"
        f"    python: '{python}'\n    architecture: {architecture}\n"
    )


def invoke(
    repository: Repository, event: object, *options: str, code: int = 0
) -> tuple[Any, str, str]:
    """Return the response, stdout and stderr."""
    text = event if isinstance(event, str) else json.dumps(event)
    done = subprocess.run(
        # As a separate word, doit would take an event with a "=" for one of its variables.
        repository.command("invoke:api", f"--event={text}", *options),
        cwd=repository.root,
        env=repository.environment,
        input='{"get": "6 * 7"}',
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout
    lines = done.stdout.splitlines()
    at = lines.index(".  invoke:api")
    answer = lines[at + 1 : at + 2]
    try:
        response = json.loads(answer[0])
    except (IndexError, ValueError):
        response = None
    return response, done.stdout, done.stderr


def get(repository: Repository, expression: str, *options: str) -> Any:  # noqa: ANN401 - any JSON
    """Evaluate an expression in the function."""
    return invoke(repository, {"get": expression}, *options)[0]


def test_it_is_built_first(probe: Repository) -> None:
    """A first invocation builds the ZIP, and shows response, logs and both durations."""
    response, output, errors = invoke(probe, {"get": "event", "do": "print('within')"})
    assert ".  zip:api" in output
    assert response == {"get": "event", "do": "print('within')"}
    assert "  | at init\n  | within\n" in errors
    assert "init " in errors
    assert "ms, invoke " in errors
    output = invoke(probe, {})[1]
    assert ".  zip:api" not in output
    assert "1 unchanged" in output
    probe.sha256()


@pytest.mark.parametrize("sources", ["true", "false"])
def test_bytecode_is_used(probe: Repository, sources: str) -> None:
    """The emulator's runtime imports the bytecode of the ZIP, with and without its source."""
    version = platform.python_version()
    more = f"    bytecode: true\n    sources: {sources}\n    compiler: '{version}'\n"
    probe.write({"lambdas.yaml": manifest() + more})
    loader, file, path = get(
        probe,
        "(type(__import__('app').__loader__).__name__, __import__('app').__cached__,"
        " __import__('app').handler.__code__.co_filename)",
    )
    if sources == "true":
        assert (loader, path.rpartition("/")[2]) == ("SourceFileLoader", "app.py")
        assert f"__pycache__/app.{sys.implementation.cache_tag}.pyc" in file
    else:
        assert (loader, path) == ("SourcelessFileLoader", "/var/task/app.py")


def test_the_environment_is_lambdas(probe: Repository) -> None:
    """The function sees the variables that Lambda documents, and none of this machine's."""
    seen = get(probe, "dict(os.environ)")
    task = seen["LAMBDA_TASK_ROOT"]
    expected = {
        "_HANDLER": "app.handler",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{PYTHON}",
        "AWS_LAMBDA_FUNCTION_NAME": "api",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/api",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "LD_LIBRARY_PATH": f"{task}:{task}/lib",
        "PYTHONPATH": seen["LAMBDA_RUNTIME_DIR"],
    }
    assert {name: seen[name] for name in expected} == expected
    assert seen["AWS_LAMBDA_RUNTIME_API"]
    assert "SECRET_OF_THE_HOST" not in seen
    assert "HOME" not in seen
    root = "os.environ['LAMBDA_TASK_ROOT']"
    assert get(probe, f"[os.getcwd() == {root}, sys.path[0] == {root}]") == [True, True]


def test_the_packages_are_lambdas(probe: Repository) -> None:
    """The function can import the runtime's boto3, and no packages of this machine or of doit."""
    assert get(probe, "__import__('boto3').__version__")
    found = "[__import__('importlib.util').util.find_spec(n) for n in ('doit', 'pytest', 'pip')]"
    assert get(probe, found) == [None, None, None]


def test_the_code_cannot_be_changed(probe: Repository) -> None:
    """Code files and folders are read-only and cannot be made writable; /tmp is writable."""
    tried = """
def attempt(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
here = os.environ["LAMBDA_TASK_ROOT"]
event["found"] = [
    attempt(lambda: open(here + "/new", "w")),
    attempt(lambda: open(here + "/app.py", "a")),
    attempt(lambda: os.unlink(here + "/app.py")),
    attempt(lambda: __import__("tempfile").TemporaryFile(dir="/tmp")),
]
if event["root"]:
    event["found"] += [attempt(lambda: os.chmod(here, 0o777)), attempt(lambda: os.setuid(1234))]
"""
    root = os.getuid() == 0
    found, _, _ = invoke(probe, {"do": tried, "get": "event['found']", "root": root})
    refused = "PermissionError"
    assert found == [refused] * 3 + [None] + [refused] * 2 * root


@pytest.fixture(params=[True, False], ids=["apart", "together"])
def apart(request: pytest.FixtureRequest, probe: Repository, tmp_path: Path) -> bool:
    """Invoke in namespaces, and as where the system lets nobody have any."""
    if not request.param:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/unshare").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "bin/unshare").chmod(0o755)
        probe.environment["PATH"] = f"{tmp_path}/bin:{probe.environment['PATH']}"
    return bool(request.param)


def commands() -> list[bytes]:
    """Return the command line of each process of this machine."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.append((folder / "cmdline").read_bytes())
    return found


def test_nothing_is_left(probe: Repository, tmp_path: Path, apart: bool) -> None:
    """Afterwards the unpacked folder and all processes are gone, even hanging ones."""
    probe.environment["TMPDIR"] = str(tmp_path / "temporary")
    (tmp_path / "temporary").mkdir()
    child = "import subprocess; event['pid'] = subprocess.Popen(['sleep', '300.4321']).pid"
    _, _, errors = invoke(probe, {"do": child, "get": "event['pid']"})
    assert ("apart from other processes" in errors) == apart
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not [command for command in commands() if b"300.4321" in command]


def test_other_processes_are_out_of_sight(probe: Repository, apart: bool) -> None:
    """In namespaces, a function sees no process but those of its invocation."""
    own = str(os.getpid())
    assert get(probe, f"os.path.exists('/proc/{own}/stat') and os.getpid() > 100") == (not apart)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"get": "1 / 0"}, "ZeroDivisionError: division by zero"),
        ({"do": "os._exit(3)"}, "Runtime.ExitError"),
        ({"get": "object()"}, "Runtime.MarshalError"),
        ({"do": "raise SystemExit(0)"}, "Runtime.ExitError"),
    ],
)
def test_a_handler_that_fails(probe: Repository, event: object, said: str) -> None:
    """A failing handler gives exit code 1, the error response, and the error in one line."""
    response, output, _ = invoke(probe, event, code=1)
    assert said in output
    assert "errorType" in response


def test_a_traceback_is_in_the_logs(probe: Repository) -> None:
    """Each line of a traceback is a line of the output."""
    errors = invoke(probe, {"get": "1 / 0"}, code=1)[2]
    assert "  | [ERROR] ZeroDivisionError: division by zero\n  | Traceback (most" in errors


def test_a_function_that_takes_too_long(probe: Repository) -> None:
    """The option sets the timeout, and the function can query the remaining time."""
    _, output, _ = invoke(probe, {"do": "time.sleep(30)"}, "--timeout", "1", code=1)
    assert "Task timed out after 1.00 seconds" in output
    left = get(probe, "context.get_remaining_time_in_millis()", "--timeout", "100")
    assert 60_000 < left <= 100_000


LEAVES = """
for number in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            if number == 1:
                for descriptor in range(3):
                    os.close(descriptor)
            os.execvp("sleep", ["sleep", "{seconds}"])
        os._exit(0)
"""


def test_a_process_that_is_left_behind(probe: Repository, tmp_path: Path, apart: bool) -> None:
    """Processes that a handler detached end with the invocation, which returns at once."""
    probe.environment["TMPDIR"] = str(tmp_path)
    seconds = f"{secrets.randbelow(1000) + 500}.{secrets.randbelow(10**6):06}"  # in its command
    began = time.monotonic()
    event = {"do": LEAVES.format(seconds=seconds), "get": "'done'"}
    response, _, errors = invoke(probe, event, "--timeout=5")
    assert response == "done"
    assert time.monotonic() - began < 15
    assert ("its processes end with it" in errors) == (not apart)
    event["get"] = "time.sleep(60)"
    began = time.monotonic()
    _, out, errors = invoke(probe, event, "--timeout=2", code=1)
    assert "timed out" in (out + errors).lower()
    assert time.monotonic() - began < 15
    assert f"sleep\0{seconds}\0".encode() not in commands()
    assert list(tmp_path.glob("doit-lambda-zip-*")) == []


def test_a_module_that_cannot_be_imported(probe: Repository) -> None:
    """An error during initialisation is an error of the invocation."""
    code = "raise ModuleNotFoundError('No module named nothing_like_it')\ndef handler(e, c): ...\n"
    probe.write({"lambdas/api/app.py": code})
    _, output, errors = invoke(probe, {}, code=1)
    assert "Runtime.ImportModuleError: Unable to import module 'app'" in output
    assert "No module named nothing_like_it" in output + errors


def test_a_response_that_looks_like_an_error(probe: Repository) -> None:
    """A returned object may look like an error; only the runtime reports failures."""
    event = {"get": "{'errorType': 'a', 'errorMessage': 'b', 'requestId': 'c', 'stackTrace': []}"}
    assert invoke(probe, event)[0]["errorType"] == "a"


def test_the_event(probe: Repository) -> None:
    """The event is a file, stdin, or JSON."""
    probe.write({"event.json": '{"get": "[1, 2]"}'})
    assert invoke(probe, "event.json")[0] == [1, 2]
    assert invoke(probe, "-")[0] == 42
    assert "event file 'evnt.json' not found" in invoke(probe, "evnt.json", code=1)[1]
    probe.write({"event.json": "{"})
    assert "event.json: not JSON" in invoke(probe, "event.json", code=1)[1]


def test_the_environment_file(probe: Repository) -> None:
    """The file's variables reach the function; reserved variables are refused, all at once."""
    probe.write(
        {".env": "# of the function\nA=1 = 'x'\nSECRET_OF_THE_HOST\nAWS_REGION=eu-west-1\n"}
    )
    names = "[os.environ[n] for n in ('A', 'SECRET_OF_THE_HOST', 'AWS_DEFAULT_REGION')]"
    assert get(probe, names, "--env-file", ".env") == ["1 = 'x'", "x", "eu-west-1"]
    probe.write({".env": "_HANDLER=x\n1=2\n"})
    output = invoke(probe, {}, "--env-file", ".env", code=1)[1]
    assert ".env:1: Lambda sets _HANDLER; remove this line" in output
    assert ".env:2: expected NAME=VALUE" in output
    assert "cannot be read" in invoke(probe, {}, "--env-file", "none", code=1)[1]


def test_files_of_the_users_directory(probe: Repository) -> None:
    """Paths are those of the directory in which the command was typed."""
    probe.write({
        "local/event.json": '{"get": "os.environ[\'A\']"}',
        "local/own.env": "A=1\n",
        "event.json": "{}",
    })  # fmt: skip
    options = ("--event", "event.json", "--env-file", "own.env", "--where", "host")
    assert probe.lambdas("invoke", "api", *options, folder="local").output == '"1"\n'


def test_options_out_of_range(probe: Repository) -> None:
    """Each invalid option gives a message."""
    assert "expected 1 to 1800 seconds" in invoke(probe, {}, "--timeout", "1801", code=1)[1]
    output = invoke(probe, {}, "--python", "/bin/false", code=1)[1]
    assert "--python /bin/false is not a working Python" in output
    output = invoke(probe, {}, "--where", "image", code=1)[1]
    assert "Cannot connect to the Docker engine at" in output


def test_another_architecture(probe: Repository) -> None:
    """Without an engine, a ZIP for another architecture cannot run; the message says why."""
    probe.write({"lambdas.yaml": manifest(architecture=OTHER)})
    output = invoke(probe, {}, code=1)[1]
    assert f"'api' is for {OTHER} on Linux" in output
    assert "not in the image: Cannot connect to the Docker engine at" in output


def test_no_such_interpreter(probe: Repository) -> None:
    """Without the runtime's Python, the message says how to get one."""
    probe.write({"lambdas.yaml": manifest(python="3.10")})
    probe.environment |= {"PYENV_ROOT": "/nowhere", "HOME": "/nowhere", "PATH": "/bin:/usr/bin"}
    if Path("/usr/bin/python3.10").exists():
        pytest.skip("the system has this Python")
    output = invoke(probe, {}, code=1)[1]
    assert "'api' needs Python 3.10, which was not found" in output


def test_without_the_emulator(probe: Repository, tmp_path: Path) -> None:
    """If a tool cannot be installed, the message lists the alternatives; no substitute runs."""
    (probe.root / "build/invoke").unlink()
    probe.environment |= {
        "UV_CACHE_DIR": str(tmp_path / "empty"),
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0",
    }
    for name in ("UV_FIND_LINKS", "PIP_FIND_LINKS"):
        probe.environment.pop(name, None)
    output = invoke(probe, {}, code=1)[1]
    assert "failed to install AWS's runtime interface emulator" in output
    assert "LAMBDA_ZIP_EMULATOR" in output


def test_the_tasks_are_there_when_named(probe: Repository) -> None:
    """`doit list --all` shows the tasks; a plain `doit` does not run them."""
    assert "invoke:api" in probe.doit("list", "--all").output
    assert "invoke" not in probe.doit().output
    assert "name a variant" in probe.doit("invoke", code=3).output


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that every user can enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.root
def test_root_becomes_nobody(probe: Repository, open_folder: Path) -> None:
    """If root runs doit, and all users can reach the interpreter, the function runs as `nobody`."""
    system = "/usr/bin/python3"
    done = subprocess.run(
        [system, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
    )
    probe.write({"lambdas.yaml": manifest(python=done.stdout.strip())})
    (probe.root / "build/invoke").unlink()
    shutil.copytree(probe.root, open_folder / "repository")
    moved = Repository(open_folder / "repository", probe.environment)
    found, _, errors = invoke(moved, {"get": "[os.getuid(), os.getgid(), os.getgroups()]"},
                              "--python", system)  # fmt: skip
    assert found == [65534, 65534, []]
    assert "without capabilities" not in errors


def test_the_command(probe: Repository) -> None:
    """`lambdas invoke` builds first; only the response is on stdout."""
    done = probe.lambdas("invoke", "api", "--event", '{"get": "1 + 1"}', "--where", "host")
    assert json.loads(done.output) == 2
    assert "api: built" in done.errors
    assert "at init" in done.errors


def test_an_event_that_is_no_file(probe: Repository) -> None:
    """A name of a file that does not exist is said to be that."""
    done = probe.lambdas("invoke", "api", "-e", "no.json", code=1)
    assert "event file 'no.json' not found (and it is not valid JSON either)" in done.errors
