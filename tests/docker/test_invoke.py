"""`doit invoke:<id>` in an image with the parts of AWS's: entry point, client and emulator.

AWS's own image is not pulled. Client and emulator are AWS's; Debian's Python is at the path of
AWS's, and the entry point imitates AWS's.
"""

import base64
import io
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from typing import Any

import pytest
from docker import APIClient

from buildlib.commands.invoke import tools
from buildlib.commands.invoke.tools import Interpreter
from buildlib.layout import Layout
from tests.conftest import Repository
from tests.docker.conftest import IMAGES, containers, manifest, wait_until_gone
from tests.docker.test_sdist import EXAMPLE
from tests.test_invoke import PROBE, invoke

IMAGE = "doit-lambda-zip/invoke:test"
DOCKERFILE = f"""
FROM {IMAGES}:py%s
COPY runtime /var/runtime
COPY aws-lambda-rie bootstrap lambda-entrypoint.sh /parts/
RUN mkdir -p /var/lang/bin /var/task && ln -s "$(command -v python3)" /var/lang/bin/python3 \\
 && mv /parts/aws-lambda-rie /usr/local/bin/ && mv /parts/bootstrap /var/runtime/ \\
 && mv /parts/lambda-entrypoint.sh /
ENV PATH=/var/lang/bin:/usr/local/bin:/usr/bin:/bin LAMBDA_RUNTIME_DIR=/var/runtime \\
    LD_LIBRARY_PATH=/var/lang/lib:/var/task:/var/task/lib:/opt/lib
WORKDIR /var/task
"""
ENTRY = """#!/bin/sh
export _HANDLER="$1"
if [ -z "$AWS_LAMBDA_RUNTIME_API" ]; then
  exec /usr/local/bin/aws-lambda-rie /var/runtime/bootstrap
else
  exec /var/runtime/bootstrap
fi
"""
BOOTSTRAP = """#!/bin/sh
export PYTHONPATH=/var/runtime
exec /var/lang/bin/python3 -S -B -m awslambdaric "$_HANDLER"
"""


@pytest.fixture(scope="module")
def image(
    engine: APIClient, pythons: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Give an image for this machine's Python, with AWS's client and emulator."""
    layout = Layout(tmp_path_factory.mktemp("tools"))
    version = "{}.{}".format(*sys.version_info[:2])
    assert pythons[0] == version
    here = Interpreter(sys.executable, version, platform.machine())
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        archive.add(tools.client(layout, here), "runtime")
        archive.add(tools.emulator(layout, here), "aws-lambda-rie")
        for name, text in (("lambda-entrypoint.sh", ENTRY), ("bootstrap", BOOTSTRAP)):
            add(archive, name, text)
        add(archive, "Dockerfile", DOCKERFILE % version)
    context.seek(0)
    steps = engine.build(fileobj=context, custom_context=True, tag=IMAGE, rm=True, decode=True)
    said = list(steps)
    assert not [step for step in said if "error" in step], said
    yield IMAGE
    engine.remove_image(IMAGE)


def add(archive: tarfile.TarFile, name: str, text: str) -> None:
    """Add a program to an archive."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(text.encode()), 0o755
    archive.addfile(member, io.BytesIO(text.encode()))


@pytest.fixture
def probe(repository: Repository, pythons: list[str]) -> Repository:
    """Give a repository whose function runs the event's code."""
    dropped = ("PYTHON", "COV", "CI", "DOCKER_HOST")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    repository.environment = environment | {"SECRET_OF_THE_HOST": "x"}
    repository.write({
        "lambdas.yaml": (
            "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"
            f"    python: '{pythons[0]}'\n"
        ),
        "lambdas/api/app.py": PROBE,
    })  # fmt: skip
    return repository


def test_in_the_image(probe: Repository, image: str) -> None:
    """The code is in /var/task and read-only, and the user has no privileges."""
    tried = """
def attempt(path):
    try:
        open(path, "a")
    except OSError as error:
        return type(error).__name__
event["found"] = {
    "refused": [attempt("/var/task/app.py"), attempt("/var/task/new"), attempt("/var/runtime/x")],
    "temporary": attempt("/tmp/x"),
    "user": [os.getuid(), os.getgid(), os.getgroups()],
    "variables": dict(os.environ),
    "path": sys.path[:2],
    "order": os.access("/var/doit-lambda-zip", os.R_OK),
    "capabilities": [l for l in open("/proc/self/status") if l.startswith("CapEff")],
}
"""
    event = {"do": tried, "get": "event['found']"}
    found, _, errors = invoke(probe, event, "--image", image)
    assert f"api: in the image {image}" in errors
    assert "  | at init" in errors
    assert "ms, invoke " in errors
    variables: dict[str, Any] = found.pop("variables")
    assert found == {
        "refused": ["PermissionError"] * 3,
        "temporary": None,
        "user": [993, 993, []],
        "path": ["/var/task", "/var/runtime"],
        "order": False,
        "capabilities": ["CapEff:\t0000000000000000\n"],
    }
    assert variables["LAMBDA_TASK_ROOT"] == "/var/task"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "api"
    assert "SECRET_OF_THE_HOST" not in variables


def test_cold_starts_in_the_image(probe: Repository, image: str, engine: APIClient) -> None:
    """A function starts in one container for each form, with its Python; they leave none behind."""
    code = "".join(f"def f{n}(a, b=({n}, 'x')):\n    return [a, b, {n}]\n" for n in range(6000))
    handler = "def handler(event, context):\n    raise SystemExit(9)\n"
    probe.write({"lambdas/api/app.py": code + handler})
    options = ("--image", image, "--compare", "bytecode", "-n", "3")
    done = probe.lambdas("coldstart", "api", *options, "--json")
    (found,) = json.loads(done.output)["functions"]
    assert (found["image"], found["page_cache"]) == (image, "unknown")
    assert found["python"].startswith("{}.{}.".format(*sys.version_info[:2]))
    assert len(found["starts_ms"]) == len(found["compared"]["starts_ms"]) == 3
    assert found["compared"]["clear"]
    assert found["compared"]["saved_ms"] > 0
    assert found["imports"]["name"] == "app"
    text = probe.lambdas("coldstart", "api", "--image", image, "-n", "1").output
    first = f"api: 1 cold start in the image {image}, with the engine's page cache, warm or not"
    assert text.startswith(first)
    assert "measured before, in the same surroundings" in text
    wait_until_gone(engine)
    probe.write({"lambdas/api/app.py": "raise ValueError('at import')\n" + handler})
    failed = probe.lambdas("coldstart", "api", "--image", image, code=1)
    assert "error: api: the function does not start: ValueError: at import" in failed.errors
    assert '  |   File "/var/task/app.py", line 1, in <module>' in failed.errors
    absent = probe.lambdas("coldstart", "api", "--image", "doit-lambda-zip/none:1", code=1)
    assert "the image doit-lambda-zip/none:1" in absent.errors


def test_an_error_in_the_image(probe: Repository, image: str) -> None:
    """A handler that raises gives exit code 1, as on this machine."""
    response, output, _ = invoke(probe, {"get": "1 / 0"}, "--image", image, code=1)
    assert response["errorType"] == "ZeroDivisionError"
    assert "api: ZeroDivisionError: division by zero" in output
    output = invoke(probe, {"do": "time.sleep(9)"}, "--image", image, "--timeout", "1", code=1)[1]
    assert "Task timed out after 1.00 seconds" in output


def test_another_image(probe: Repository, pythons: list[str]) -> None:
    """An image unlike AWS's, and one that exists nowhere, each give a message."""
    output = invoke(probe, {}, "--image", f"{IMAGES}:py{pythons[0]}", code=1)[1]
    assert "as AWS's images do; name another with --image" in output
    output = invoke(probe, {}, "--image", "doit-lambda-zip/none:1", code=1)[1]
    assert "the image doit-lambda-zip/none:1" in output
    assert "cannot be pulled" in output


def test_killed(probe: Repository, image: str, engine: APIClient) -> None:
    """A run killed while the function runs leaves no container behind."""
    event = json.dumps({"do": "time.sleep(60)"})
    probe.doit("zip:api")
    process = subprocess.Popen(
        probe.command("invoke:api", f"--event={event}", "--image", image),
        cwd=probe.root,
        env=probe.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    while not containers(engine):
        assert time.monotonic() < end
        time.sleep(0.1)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_until_gone(engine)


def test_the_compiled_example(public: Repository, image: str, pythons: list[str]) -> None:
    """Code compiled in a container, with a system library, runs without that system."""
    setup = [
        "apt-get update -qq",
        "DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends liblzo2-dev",
    ]
    options = {"setup": setup, "libraries": ["/usr/lib/x86_64-linux-gnu/liblzo2.so.2"]}
    public.write({"lambdas.yaml": manifest(pythons[0], options)})
    for name in ("app.py", "requirements.txt"):
        shutil.copy(EXAMPLE / name, public.root / "lambdas/api" / name)
    content = b"boot\nlink up\nlink down\n"
    # LZO1X: one run of literals, and the end marker.
    packed = bytes([17 + len(content)]) + content + b"\x11\x00\x00"
    block = b"\xf0" + len(content).to_bytes(4, "big") + packed
    event = {"body": base64.b64encode(block).decode(), "isBase64Encoded": True}
    response = invoke(public, event, "--image", image)[0]
    assert response["statusCode"] == 200
    assert json.loads(response["body"])["lines"] == 3
    event["body"] = base64.b64encode(block[:-4]).decode()
    assert invoke(public, event, "--image", image)[0]["statusCode"] == 400
