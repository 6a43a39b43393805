"""No container remains, whatever happens."""

import os
import re
import signal
import subprocess
import time

import pytest
from docker import APIClient

from tests.conftest import Index, Repository
from tests.docker.conftest import (
    LABEL,
    SECOND,
    containers,
    manifest,
    sdist,
    start,
    stop,
    wait_for_log,
    wait_until_gone,
)

WAIT = "sleep 31"


def waiting(repository: Repository, python: str, **docker: object) -> "subprocess.Popen[str]":
    """Start a build and wait until its container is in the middle of `setup`."""
    repository.write({"lambdas.yaml": manifest(python, {"setup": [WAIT], **docker})})
    repository.doit("lock:api", "--upgrade")
    process = start(repository, "zip:api")
    wait_for_log(repository, f"$ {WAIT}")
    return process


def test_success_and_failure_leave_nothing(
    contained: Repository, engine: APIClient, pythons: list[str]
) -> None:
    """A container is removed after a build, and after a failed one."""
    contained.doit("zip:api")
    assert containers(engine) == []
    contained.write({"lambdas.yaml": manifest(pythons[0], {"setup": ["exit 7"]})})
    contained.fails("zip:api")
    assert containers(engine) == []


@pytest.mark.parametrize("arguments", [("-n", "0"), ("-n", "2", "-P", "process")])
def test_interrupt_leaves_nothing(
    contained: Repository, engine: APIClient, pythons: list[str], arguments: tuple[str, ...]
) -> None:
    """Ctrl-C in the middle of an installation removes its container."""
    contained.write({"lambdas.yaml": manifest(pythons[0], {"setup": [WAIT]})})
    contained.doit("lock:api", "--upgrade")
    process = start(contained, *arguments, "zip:api")
    wait_for_log(contained, f"$ {WAIT}")
    assert len(containers(engine)) == 1
    stop(process, signal.SIGINT)
    wait_until_gone(engine)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_kill_leaves_nothing(
    contained: Repository, engine: APIClient, pythons: list[str], number: signal.Signals
) -> None:
    """A container ends with its process even after `kill -9`, and the next run builds."""
    process = waiting(contained, pythons[0])
    stop(process, number)
    wait_until_gone(engine)
    contained.write({"lambdas.yaml": manifest(pythons[0])})
    contained.doit("zip:api")
    assert "api" in contained.sha256()


def test_next_run_removes_what_a_dead_process_left(
    contained: Repository, engine: APIClient, pythons: list[str]
) -> None:
    """Only the next run of the same checkout removes a container whose process is dead."""
    process = waiting(contained, pythons[0])
    [living] = containers(engine)
    left = [
        engine.create_container(living["Image"], ["sleep", "600"], labels=living["Labels"] | more)
        for more in ({LABEL: "dead"}, {LABEL: "other", "doit-lambda-zip.checkout": "other"})
    ]
    for container in left:
        engine.start(container["Id"])
    stop(process, signal.SIGKILL)
    contained.write({"lambdas.yaml": manifest(pythons[0])})
    contained.doit("zip:api")
    assert [container["Id"] for container in containers(engine)] == [left[1]["Id"]]
    engine.remove_container(left[1]["Id"], force=True)


def test_container_of_a_living_process_is_left_alone(
    contained: Repository, engine: APIClient, pythons: list[str]
) -> None:
    """A run does not remove the container of a parallel run."""
    process = waiting(contained, pythons[0])
    try:
        living = [container["Id"] for container in containers(engine)]
        contained.write({"lambdas.yaml": manifest(pythons[0])})
        contained.doit("zip:api")
        assert [container["Id"] for container in containers(engine)] == living
    finally:
        stop(process, signal.SIGINT)
        wait_until_gone(engine)


def test_unprivileged(contained: Repository, bridge_index: Index, pythons: list[str]) -> None:
    """`setup` runs as root; pip and package builds do not, and cannot become root."""
    bridge_index.files["beta-1.0.tar.gz"] = sdist(
        "beta", "import os\nprint('I am', os.getuid(), os.access('/etc', os.W_OK))\n"
    )
    contained.write({
        "lambdas.yaml": manifest(pythons[0], {"setup": "echo setup is $(id -u)"}),
        "lambdas/api/requirements.txt": "beta\n",
    })  # fmt: skip
    contained.doit("zip:api")
    log = (contained.root / "build/logs/venv-api.log").read_text()
    assert "setup is 0" in log
    assert "I am 10001 False" in contained.members("api")["beta.py"].decode()


def test_failed_setup_says_why(contained: Repository, pythons: list[str]) -> None:
    """A failed command shows the end of its output and its exit code; the log has the rest."""
    setup = ["seq 1 100", "echo about to fail; echo because of this >&2; exit 42"]
    contained.write({"lambdas.yaml": manifest(pythons[0], {"setup": setup})})
    result = contained.fails("zip:api")
    assert "setup command 2" in result.message
    assert "exit code 42" in result.message
    assert "| because of this" in result.message
    assert "build/logs/venv-api.log" in result.message
    log = (contained.root / "build/logs/venv-api.log").read_text().splitlines()
    assert {"1", "100", "about to fail", "[exit code 42]"} <= set(log)


def test_failed_installation_says_why(contained: Repository, bridge_index: Index) -> None:
    """A hash mismatch stops the build with that reason only."""
    contained.doit("lock:api", "--upgrade")
    bridge_index.add("alpha", files={"alpha/__init__.py": "A = 'replaced'\n"})
    result = contained.fails("zip:api")
    assert "differs from the lock" in result.message
    assert not (contained.root / "dist/api.zip").exists()


def test_one_container_for_equal_environments_and_several_at_once(
    contained: Repository, bridge_index: Index, engine: APIClient, pythons: list[str]
) -> None:
    """Under -n, distinct environments are installed at the same time, equal ones once."""
    bridge_index.add("beta", files={"beta.py": "B = 1\n"})
    docker = f"    python: '{pythons[0]}'\n    install: docker\n"
    docker += (
        f"    docker: {{image: 'doit-lambda-zip/debian:py{pythons[0]}', setup: ['sleep 4']}}\n"
    )
    names = {"api": "alpha", "jobs": "beta", "more": "alpha"}
    contained.write({
        "lambdas.yaml": "version: 1\nlambdas:\n"
        + "".join(f"  {name}:\n    handler: app.handler\n{docker}" for name in names),
        **{f"lambdas/{name}/app.py": "def handler(event, context): pass\n" for name in names},
        **{f"lambdas/{name}/requirements.txt": f"{need}\n" for name, need in names.items()},
    })  # fmt: skip
    contained.doit("lock")
    process = start(contained, "-n", "3")
    most = 0
    while process.poll() is None:
        most = max(most, len(containers(engine)))
        time.sleep(0.1)
    process.communicate()
    assert process.returncode == 0
    assert most == 2
    assert len(list(contained.root.glob("build/logs/venv-*.log"))) == 2
    assert contained.sha256()["api"] == contained.sha256()["more"]


def test_engine_dies_in_the_middle(
    contained: Repository, second: APIClient, pythons: list[str]
) -> None:
    """If the engine is killed, the error says so, and the next run builds as usual."""
    process = waiting(contained, pythons[0], engine={"x86_64": SECOND})
    kill_second()
    output, _ = process.communicate(timeout=60)
    assert process.returncode in {1, 2}  # 2 if a task depended on the failed one
    assert "Traceback" not in output
    assert re.search(rf"lambda 'api': the Docker engine at {SECOND} stopped answering", output)
    assert not (contained.root / "dist/api.zip").exists()
    result = contained.fails("zip:api")
    assert f"Cannot connect to the Docker engine at {SECOND}" in result.message
    script = os.path.join(os.path.dirname(__file__), "../../.ci/docker-engine")
    subprocess.run([script], check=True, capture_output=True, timeout=300)
    text = manifest(pythons[0], {"engine": {"x86_64": SECOND}})
    contained.write({"lambdas.yaml": text})
    contained.doit("zip:api")
    assert containers(second) == []
    assert "api" in contained.sha256()


def kill_second() -> None:
    """Kill the second engine, as the kernel does when memory runs out."""
    with open("/run/doit-lambda-zip/second.pid", encoding="ascii") as stream:
        number = int(stream.read())
    os.kill(number, signal.SIGKILL)
    time.sleep(1)
