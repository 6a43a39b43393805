"""Faults in the middle of an installation in a container: none ships, none stays."""

import base64
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import APIClient

from tests.conftest import Index, Repository
from tests.docker.conftest import (
    IMAGES,
    SECOND,
    VOLUME,
    containers,
    forget_downloads,
    manifest,
    start,
    wait_until_gone,
)
from tests.docker.test_lifecycle import kill_second

SETUP_ENGINES = os.path.join(os.path.dirname(__file__), "../../.ci/docker-engine")


def heals(repository: Repository, right: str) -> None:
    """Check that the next run has the right bytes, and one more has nothing to do."""
    repository.doit("zip:api")
    assert repository.sha256()["api"] == right
    assert repository.doit("zip:api").ran == []


@pytest.fixture
def right(contained: Repository, bridge_index: Index) -> str:
    """Give the hash of the function when nothing goes wrong, with two packages of some size."""
    big = {f"big/m{number}.bin": random.Random(number).randbytes(4_000_000) for number in range(5)}  # noqa: S311 - the same bytes each time
    bridge_index.add("big", files={"big/__init__.py": "", **big})
    contained.write({"lambdas/api/requirements.txt": "alpha\nbig\n"})
    contained.doit("zip:api")
    return contained.sha256()["api"]


def forget(repository: Repository) -> None:
    """Remove build/ and dist/; locks and pip's downloads stay."""
    for name in ("build", "dist"):
        shutil.rmtree(repository.root / name, ignore_errors=True)


def in_volume(engine: APIClient, image: str, command: str) -> str:
    """Run a command with pip's downloads in the folder /volume."""
    created = engine.create_container(
        image,
        ["/bin/sh", "-ec", command],
        volumes=["/volume"],
        host_config=engine.create_host_config(binds=[f"{VOLUME}:/volume"]),
    )
    engine.start(created["Id"])
    code = engine.wait(created["Id"])["StatusCode"]
    output = engine.logs(created["Id"]).decode()
    engine.remove_container(created["Id"], force=True)
    assert code == 0, output
    return output


@pytest.mark.parametrize(
    "damage",
    [
        'truncate -s 100 "$f"',
        'printf broken | dd of="$f" bs=1 seek=50 conv=notrunc 2>/dev/null',
        'rm "$f"; mkdir "$f"',
        'chmod 0 "$f"; chown 0:0 "$f"',
    ],
)
def test_damaged_downloads(
    contained: Repository, engine: APIClient, right: str, pythons: list[str], damage: str
) -> None:
    """A damaged file in pip's cache of downloads is downloaded again."""
    image = f"{IMAGES}:py{pythons[0]}"
    found = in_volume(engine, image, "find /volume -type f | wc -l")
    assert int(found) > 1
    in_volume(engine, image, f"find /volume -type f | while read -r f; do {damage}; done")
    try:
        forget(contained)
        heals(contained, right)
        forget(contained)
        heals(contained, right)
    finally:
        forget_downloads(engine)


def test_connection_drops(
    contained: Repository, bridge_index: Index, engine: APIClient, right: str
) -> None:
    """A download that ends half-way fails the build with its reason; the next run builds."""
    forget_downloads(engine)
    forget(contained)
    bridge_index.cut = 1_000_000
    result = contained.fails("zip:api")
    # Before version 25.1, pip takes a part of a file for the whole.
    assert "The connection was cut" in result.message or "can reach" in result.message
    assert "Traceback" not in result.message
    bridge_index.cut = None
    heals(contained, right)


# Of the image's Python: something happens to a file once pip has ended, the first time or always.
_TRAP = """\
import atexit, os, sys
path = "/doit-lambda-zip/tree/big/m3.bin"
once = "/doit-lambda-zip/cache/http-v2/once"

def lose():
    if os.path.exists(path) and not ({once} and os.path.exists(once)):
        {what}
        open(once, "w").close()

if "install" in sys.argv:
    atexit.register(lose)
"""


def trapped(python: str, what: str, *, once: bool) -> str:
    """Return a manifest whose image does something to a file after pip."""
    encoded = base64.b64encode(_TRAP.format(what=what, once=once).encode()).decode()
    folder = "$(python3 -c \"import sysconfig; print(sysconfig.get_path('purelib'))\")"
    write = f"mkdir -p {folder}; echo {encoded} | base64 -d > {folder}/trap.py"
    return manifest(python, {"setup": [write, f"echo 'import trap' > {folder}/trap.pth"]})


@pytest.mark.parametrize(
    "what", ["os.unlink(path)", "os.truncate(path, 7)", "os.rename(path, path + 'x')"]
)
def test_an_installer_that_stops_half_way(
    contained: Repository, engine: APIClient, right: str, pythons: list[str], what: str
) -> None:
    """Files that pip says it installed, and did not, are installed again."""
    forget_downloads(engine)
    forget(contained)
    contained.write({"lambdas.yaml": trapped(pythons[0], what, once=True)})
    result = contained.doit("zip:api")
    assert "or changed them (big/m3.bin)" in result.output
    assert contained.sha256()["api"] == right
    forget_downloads(engine)


def test_a_file_that_differs_each_time(
    contained: Repository, right: str, pythons: list[str]
) -> None:
    """A file that two installations write differently fails the build: no build could be equal."""
    del right  # only the package of the fixture is needed
    forget(contained)
    what = "open(path, 'wb').write(os.urandom(9))"
    contained.write({"lambdas.yaml": trapped(pythons[0], what, once=False)})
    result = contained.fails("zip:api")
    assert "'big/m3.bin' differs from RECORD, and from one installation to the next" in (
        result.message
    )
    assert not (contained.root / "dist/api.zip").exists()


def test_a_file_that_differs_in_the_same_way(
    contained: Repository, right: str, pythons: list[str]
) -> None:
    """A file that always differs from RECORD ships, as with a wheel whose RECORD is wrong."""
    forget(contained)
    contained.write({"lambdas.yaml": trapped(pythons[0], "os.truncate(path, 7)", once=False)})
    result = contained.doit("zip:api")
    assert "big/m3.bin still differ from RECORD, as the first time" in result.output
    assert contained.sha256()["api"] != right


def test_engine_is_killed_at_any_moment(
    contained: Repository, second: APIClient, right: str, pythons: list[str]
) -> None:
    """Whenever the engine is killed, the run is right or fails with the reason; the next builds."""
    contained.write({"lambdas.yaml": manifest(pythons[0], {"engine": {"x86_64": SECOND}})})
    contained.doit("zip:api")
    assert contained.sha256()["api"] == right
    forget(contained)
    began = time.monotonic()
    contained.doit("zip:api")
    length = time.monotonic() - began
    chance = random.Random(1)  # noqa: S311 - the same moments each time
    for _ in range(int(os.environ.get("ENGINE_KILLS", "2"))):
        forget(contained)
        process = start(contained, "zip:api")
        time.sleep(chance.uniform(0.2, 1) * length)
        kill_second()
        output, _ = process.communicate(timeout=90)
        assert "Traceback" not in output
        if process.returncode == 0:
            assert contained.sha256()["api"] == right
        else:
            assert "Docker engine" in output
            assert not (contained.root / "dist/api.zip").exists()
        subprocess.run([SETUP_ENGINES], check=True, capture_output=True, timeout=300)
        heals(contained, right)
    assert containers(second) == []


@pytest.fixture
def small_engine(
    engine: APIClient, tmp_path: Path, pythons: list[str]
) -> Iterator[tuple[str, Path]]:
    """Give the address of an engine whose disk is in memory, and a file that nearly fills it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500m", "tmpfs", disk], check=True)
    address = f"unix://{tmp_path}/docker.sock"
    # It has no network of its own, which would need another bridge: it has the second one's.
    with (tmp_path / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(
            ["dockerd", "--host", address, "--data-root", disk / "data", "--exec-root",
             tmp_path / "exec", "--pidfile", tmp_path / "pid", "--bridge", "dlz-second"],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        end = time.monotonic() + 60
        command = ["docker", "--host", address, "version"]
        while subprocess.run(command, capture_output=True, check=False).returncode:
            assert time.monotonic() < end, (tmp_path / "dockerd.log").read_text()
            time.sleep(0.2)
        client = APIClient(base_url=address, version="auto", timeout=120)
        name = f"{IMAGES}:py{pythons[0]}"
        for _ in client.load_image(engine.get_image(name)):  # type: ignore[no-untyped-call] # of docker
            pass
        fill = disk / "fill"
        status = os.statvfs(disk)
        with fill.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, status.f_bavail * status.f_frsize - 12_000_000)
        client.close()
        yield address, fill
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        subprocess.run(["umount", "-R", "-l", disk], check=True)


def test_the_disk_of_the_engine_is_full(
    contained: Repository, small_engine: tuple[str, Path], right: str, pythons: list[str]
) -> None:
    """A full disk in the container fails the build with that reason; the next run builds."""
    address, fill = small_engine
    contained.write({"lambdas.yaml": manifest(pythons[0], {"engine": {"x86_64": address}})})
    forget(contained)
    result = contained.fails("zip:api")
    assert "no space left on device" in result.message.lower()
    assert "disk of the engine is full" in result.message
    assert "Traceback" not in result.message
    assert not (contained.root / "dist/api.zip").exists()
    fill.unlink()
    heals(contained, right)


def test_the_disk_of_this_machine_is_full(contained: Repository, right: str) -> None:
    """A disk here that fills while the tree comes out of the container fails with that reason."""
    small = contained.root / "build"
    forget(contained)
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", small], check=True)
    try:
        result = contained.fails("zip:api")
        assert "no space left on device" in result.message.lower()
        subprocess.run(["mount", "-o", "remount,size=200m", small], check=True)
        heals(contained, right)
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_stopped_container(
    contained: Repository, engine: APIClient, right: str, pythons: list[str]
) -> None:
    """A container that someone removes in the middle fails the build, and says so."""
    contained.write({"lambdas.yaml": manifest(pythons[0], {"setup": ["sleep 30"]})})
    forget(contained)
    process = start(contained, "zip:api")
    end = time.monotonic() + 30
    while not (found := containers(engine)):
        assert time.monotonic() < end
        time.sleep(0.1)
    time.sleep(1)
    engine.remove_container(found[0]["Id"], force=True)
    output, _ = process.communicate(timeout=60)
    assert process.returncode
    assert "Traceback" not in output
    assert "stopped the container" in output
    wait_until_gone(engine)
    contained.write({"lambdas.yaml": manifest(pythons[0])})
    heals(contained, right)
