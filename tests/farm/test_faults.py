"""Workers that end, hang, lie or have other versions are survived, and named."""

import json
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import HANDLER, Repository, Streams
from tests.farm.clusters import Cluster, Process, until

# A worker that leaves a mark when it begins to write a ZIP, and then sleeps.
SLEEPY = """
import pathlib, time
from buildlib.steps import zip
def write(*arguments):
    pathlib.Path(MARK).touch()
    time.sleep(600)
zip.write = write
"""

# A worker that changes its answers, or answers with a failure.
LYING = """
from buildlib.commands.farm import worker
if not hasattr(worker, "honest"):  # Dask loads this twice
    worker.honest = worker._answer
def answer(project, variant):
    found = worker.honest(project, variant)
    change(found, variant)
    return found
worker._answer = answer
"""

DAMAGED = LYING + "def change(found, _): found['zip'] = found['zip'][:-1] + b'x'\n"

FAILING = LYING + "def change(*_): 1 / 0\n"

FOREIGN = LYING + "def change(found, _): found['key'] = '0' * 64\n"

# The ZIP is whole, and has another app.py.
POISONED = (
    LYING
    + """
import hashlib, io, zipfile
def change(found, variant):
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return 'poison'")
    found["zip"] = output.getvalue()
    found["sha256"] = hashlib.sha256(found["zip"]).hexdigest()
"""
)

# The content is right, and is compressed in another way.
OTHERWISE = """
import deflate
if not hasattr(deflate, "honest"):
    deflate.honest = deflate.deflate_compress
deflate.deflate_compress = lambda data, level: deflate.honest(data, 1)
"""


def build(repository: Repository, cluster: Cluster, *more: str, code: int | None = 0) -> Streams:
    """Build on a cluster; return all output as one text."""
    done = repository.lambdas("build", "--farm", cluster.address, *more, code=code)
    return Streams(done.code, done.output + done.errors)


def local(repository: Repository) -> dict[str, bytes]:
    """Return dist/ of a local build, in another clone."""
    other = Repository(repository.root.with_name("local"), repository.environment)
    shutil.copytree(repository.root, other.root, ignore=shutil.ignore_patterns("dist", "build"))
    other.lambdas("build")
    return published(other)


def published(repository: Repository) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (repository.root / "dist").iterdir()}


def sleepy(own: Cluster) -> tuple[Process, Path]:
    """Start a worker that never ends a ZIP; return it with its mark."""
    mark = own.folder / "began"
    return own.worker(preload=f"MARK = {str(mark)!r}\n{SLEEPY}"), mark


def test_a_killed_worker(small: Repository, own: Cluster) -> None:
    """A worker that is killed in the middle costs no more than its variant, and is named."""
    bad, mark = sleepy(own)
    own.worker()
    expected = local(small)
    process = subprocess.Popen(
        [small.python, "-m", "buildlib", "build", "--farm", own.address],
        cwd=small.root,
        env=small.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until(mark.exists)
    bad.kill()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "4 built on the farm" in output
    assert re.search(rf"farm worker {bad.address} ended while it built variants \(\w+\)", output)
    assert published(small) == expected


def test_a_worker_that_hangs(small: Repository, own: Cluster) -> None:
    """A worker that exceeds the time for a variant is named; another one builds it."""
    bad, _ = sleepy(own)
    own.worker()
    expected = local(small)
    done = build(small, own, "--farm-timeout", "3")
    assert re.search(rf"farm worker {bad.address} did not build \w+ within 3 s", done.output)
    assert "4 built on the farm" in done.output
    assert published(small) == expected


def test_a_worker_that_stands_still(small: Repository, own: Cluster) -> None:
    """A worker whose whole process stands still does not stop a build, from the start on."""
    bad, good = own.worker(), own.worker()
    bad.send(signal.SIGSTOP)
    began = time.monotonic()
    done = build(small, own)
    assert time.monotonic() - began < 40
    assert f"farm worker {bad.address}: did not answer within 10 s" in done.output
    assert "4 built on the farm" in done.output
    assert good.address not in done.output


@pytest.mark.parametrize(
    ("preload", "why"),
    [
        (DAMAGED, "it was damaged on its way"),
        (FOREIGN, "it is for other inputs"),
        (POISONED, r"its app\.py is not lambdas/\w+/app\.py"),
    ],
    ids=["damaged", "foreign", "poisoned"],
)
def test_a_worker_that_lies(small: Repository, own: Cluster, preload: str, why: str) -> None:
    """A wrong answer reaches neither dist/ nor the cache; its worker is named, and used no more."""
    bad = own.worker(preload=preload)
    own.worker()
    expected = local(small)
    done = build(small, own)
    named = rf"farm worker {bad.address} gave a wrong ZIP for \w+: {why}"
    assert len(re.findall(named, done.output)) == 1, done.output
    assert "4 built on the farm" in done.output
    assert published(small) == expected


def test_a_worker_that_fails(small: Repository, own: Cluster) -> None:
    """A worker with a defect is named with its failure; other workers build its variants."""
    bad = own.worker(preload=FAILING)
    own.worker()
    expected = local(small)
    done = build(small, own)
    assert f"farm worker {bad.address} failed: ZeroDivisionError: division by zero (" in done.output
    assert "4 built on the farm" in done.output
    assert published(small) == expected


def test_a_worker_that_contradicts_the_record(small: Repository, own: Cluster) -> None:
    """With a record, a worker with other bytes is named, though its content is right."""
    small.write({"lambdas/api/app.py": f"NUMBERS = {[n * n for n in range(2000)]}\n{HANDLER}"})
    expected = local(small)
    small.lambdas("build")
    small.lambdas("record")
    for name in ("dist", "build"):
        shutil.rmtree(small.root / name)
    bad = own.worker(preload=OTHERWISE)
    done = build(small, own, "api")  # there is no other worker
    assert re.search(
        rf"farm worker {bad.address} gave a wrong ZIP for api: its sha256 is", done.output
    )
    assert "lambdas.hashes.json has" in done.output
    assert "no worker of the farm is left for it; built here" in done.output
    assert published(small)["api.zip"] == expected["api.zip"]


OTHER_CONTRACT = "from buildlib import contract\ncontract.CONTRACT = 99\n"
OTHER_VERSION = "import buildlib\nbuildlib.__version__ = '9.9.9'\n"


@pytest.mark.parametrize(
    ("preload", "why"),
    [
        (OTHER_CONTRACT, "the byte contract is 99 there and 1 here"),
        (OTHER_VERSION, "doit-lambda-zip is 9.9.9 there and"),
    ],
)
def test_other_versions(small: Repository, own: Cluster, preload: str, why: str) -> None:
    """A worker with other rules is refused by name, with a remedy; alone, it is an error."""
    bad = own.worker(preload=preload)
    done = build(small, own, code=None)
    assert done.code == 3
    assert f"farm worker {bad.address}: {why}" in done.output
    assert "run pip install 'doit-lambda-zip[farm]==" in done.output
    assert "has no usable worker" in done.output
    assert not (small.root / "dist").exists()
    own.worker()
    done = build(small, own)
    assert f"farm worker {bad.address}: {why}" in done.output
    assert "4 built on the farm" in done.output


def test_a_worker_without_this_package(small: Repository, own: Cluster) -> None:
    """A worker that cannot import this package is refused by name, with a remedy."""
    bad = own.worker(preload="import sys\nsys.modules['buildlib'] = None\n")
    done = build(small, own, code=None)
    assert done.code == 3
    assert f"farm worker {bad.address}: cannot run doit-lambda-zip" in done.output
    assert "run pip install" in done.output


def test_no_workers(small: Repository, own: Cluster) -> None:
    """A scheduler without workers is an error that says how to start one."""
    done = build(small, own, code=None)
    assert done.code == 3
    assert f"it has no workers; start some: dask worker {own.address}" in done.output


def test_no_scheduler(small: Repository) -> None:
    """Without a scheduler, the error comes soon, and says what to do; earlier ZIPs stay."""
    small.lambdas("build")
    before = published(small)
    small.write({"lambdas/api/app.py": "def handler(event, context): return 3\n"})
    began = time.monotonic()
    done = small.lambdas("build", "--farm", "tcp://127.0.0.1:9", code=3)
    assert time.monotonic() - began < 20
    assert "no Dask scheduler answered at tcp://127.0.0.1:9 within 5 s" in done.errors
    assert "start one with 'dask scheduler'" in done.errors
    assert published(small) == before


def test_the_scheduler_ends(small: Repository, own: Cluster) -> None:
    """If the scheduler ends in the middle, the rest is built here, and this is said."""
    _, mark = sleepy(own)
    expected = local(small)
    process = subprocess.Popen(
        [small.python, "-m", "buildlib", "build", "--farm", own.address],
        cwd=small.root,
        env=small.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until(mark.exists)
    own.started[0].kill()
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 0, output
    assert f"the farm {own.address} does not answer any more" in output
    assert "4 built in" in output
    assert published(small) == expected


def test_the_scheduler_stands_still(small: Repository, own: Cluster) -> None:
    """If the scheduler does not answer for long, the rest is built here."""
    _, mark = sleepy(own)
    process = subprocess.Popen(
        [small.python, "-m", "buildlib", "build", "--farm", own.address, "--farm-timeout", "6"],
        cwd=small.root,
        env=small.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until(mark.exists)
    own.started[0].send(signal.SIGSTOP)
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 0, output
    assert "does not answer any more (TimeoutError: no answer)" in output
    assert "4 built in" in output


def test_ctrl_c(small: Repository, own: Cluster) -> None:
    """Ctrl-C ends a build at once, cancels its tasks, and leaves the earlier artifacts."""
    small.lambdas("build")
    before = published(small)
    small.write({"lambdas/api/app.py": "def handler(event, context): return 4\n"})
    _, mark = sleepy(own)
    process = subprocess.Popen(
        [small.python, "-m", "buildlib", "build", "--farm", own.address],
        cwd=small.root,
        env=small.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until(mark.exists)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert time.monotonic() - began < 15
    assert "Traceback" not in output
    assert own.tasks() == 0
    assert published(small) == before


def test_resources(small: Repository, own: Cluster) -> None:
    """Containers go to workers with the resource `docker`, and for arm64 with `arm64`, too.

    The workers have no engine, which is what each of them then says.
    """
    absent = {"DOCKER_HOST": "tcp://127.0.0.1:9"}
    plain = own.worker(**absent)
    engine = own.worker("--resources", "docker=1", **absent)
    arm64 = own.worker("--resources", "docker=1 arm64=1", **absent)
    small.write({
        "lambdas.yaml": (
            "version: 1\nlambdas:\n  api:\n    handler: app.handler\n    install: docker\n"
            "    architecture: [x86_64, arm64]\n"
            f"    docker: {{image: 'a.example/python@sha256:{'a' * 64}'}}\n"
            "  jobs: {handler: app.handler}\n"
        )
    })  # fmt: skip
    done = small.lambdas("build", "--farm", own.address, code=None, **absent)
    said = done.output + done.errors
    for worker, name in ((engine, "api-py3.13-x86_64"), (arm64, "api-py3.13-arm64")):
        named = rf"farm worker {worker.address} could not build it: .*engine.* \({name}\)"
        assert re.search(named, said), said
    assert plain.address not in said
    assert "jobs: built on the farm" in said


def test_no_engine(small: Repository, own: Cluster) -> None:
    """Where no worker may build a container, it is built here, with the remedy; nothing waits."""
    own.worker()
    small.write({
        "lambdas.yaml": (
            "version: 1\nlambdas:\n  api:\n    handler: app.handler\n    install: docker\n"
            f"    docker: {{image: 'a.example/python@sha256:{'a' * 64}'}}\n"
            "  jobs: {handler: app.handler}\n"
        )
    })  # fmt: skip
    absent = {"DOCKER_HOST": "tcp://127.0.0.1:9"}
    done = small.lambdas("build", "--farm", own.address, code=None, **absent)
    said = done.output + done.errors
    assert "start one with --resources 'docker=1'" in said
    assert "built here (api)" in said
    assert "jobs: built on the farm" in said


def test_killed_at_random(repository: Repository, own: Cluster) -> None:
    """Workers that are killed again and again, and started again, change nothing in the result."""
    names = [f"f{number:02}" for number in range(24)]
    repository.write({
        "lambdas.yaml": "version: 1\nlambdas:\n"
        + "".join(f"  {name}: {{handler: app.handler}}\n" for name in names),
        **{f"lambdas/{name}/app.py": f"NAME = {name!r}\n{HANDLER}" for name in names},
    })  # fmt: skip
    slow = "import time\nfrom buildlib.commands.farm import worker\n"
    slow += LYING + "def change(*_): time.sleep(0.5)\n"
    workers = [own.worker(preload=slow) for _ in range(3)]
    expected = local(repository)
    process = subprocess.Popen(
        [repository.python, "-m", "buildlib", "build", "--farm", own.address],
        cwd=repository.root,
        env=repository.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    chance = random.Random(15)  # noqa: S311 - repeatable
    for _ in range(3):
        time.sleep(chance.uniform(0.5, 2))
        if process.poll() is not None:
            break
        workers.pop(chance.randrange(len(workers))).kill()
        workers.append(own.worker(preload=slow))
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert published(repository) == expected
    assert "24 built on the farm" in output
    index = json.loads((repository.root / "dist/lambdas.json").read_text())
    assert sorted(index) == names
