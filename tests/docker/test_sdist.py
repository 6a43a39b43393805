"""Builds from source in a container are the same each time."""

import io
import re
import shutil
import tarfile
from pathlib import Path

from docker import APIClient

from tests.conftest import Repository
from tests.docker.conftest import IMAGES, forget_downloads, manifest

EXAMPLE = Path(__file__).parents[2] / "examples/docker/lambdas/lzo_archive"

# Small packages with a C extension; the lock keeps only the hash of their sdist.
SDISTS = {
    "markupsafe": ("3.0.4", "2e9ad7dd851bf45fab9f75cbff4cb493fee9979e8d8c7c9c3ee119022518edd6"),
    "simplejson": ("4.3.0", "ffe34ab51a0d37e6d1c661a5672df00d2d5e18804e38eac07abffb83fa5ec3d7"),
}


def lock_sdists(repository: Repository) -> None:
    """Lock the sdists with doit, then remove the hashes of wheels from the lock."""
    pins = "".join(f"{name}=={version}\n" for name, (version, _) in SDISTS.items())
    repository.write({"lambdas/api/requirements.txt": pins})
    repository.doit("lock:api", "--upgrade")
    path = repository.root / "lambdas/api/requirements.lock"
    kept = [digest for _, digest in SDISTS.values()]
    lines = [
        line.rstrip(" \\") if "--hash" in line else line
        for line in path.read_text().splitlines()
        if "--hash" not in line or any(digest in line for digest in kept)
    ]
    path.write_text("\n".join(lines) + "\n")


def from_nothing(repository: Repository, engine: APIClient) -> str:
    """Build in a new container, without leftovers of an earlier one."""
    for name in ("build", "dist"):
        shutil.rmtree(repository.root / name, ignore_errors=True)
    forget_downloads(engine)
    repository.doit("zip:api")
    return repository.sha256()["api"]


def test_extensions_are_reproducible(
    public: Repository, engine: APIClient, pythons: list[str]
) -> None:
    """Two real sdists with extensions in C give equal ZIPs from two fresh containers.

    A third build finds its downloads in pip's cache, and gives the same again.
    """
    public.write({"lambdas.yaml": manifest(pythons[0])})
    lock_sdists(public)
    first = from_nothing(public, engine)
    members = public.members("api")
    assert sum(name.endswith(".so") for name in members) == len(SDISTS)
    assert from_nothing(public, engine) == first
    shutil.rmtree(public.root / "build")
    public.doit("zip:api")
    assert public.sha256()["api"] == first


def test_no_path_in_extensions(public: Repository, pythons: list[str]) -> None:
    """Compilers see a mapped path, so their output does not contain the build folder."""
    public.write({"lambdas.yaml": manifest(pythons[0])})
    lock_sdists(public)
    public.doit("zip:api")
    for name, content in public.members("api").items():
        if name.endswith(".so"):
            assert b"/doit-lambda-zip" not in content, name


def test_example_from_nothing_twice(
    public: Repository, engine: APIClient, pythons: list[str]
) -> None:
    """The example with a system library is the same from two new containers, and works."""
    setup = [
        "apt-get update -qq",
        "DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends liblzo2-dev",
    ]
    library = "/usr/lib/x86_64-linux-gnu/liblzo2.so.2"
    text = manifest(pythons[0], {"setup": setup, "libraries": [library]})
    public.write({"lambdas.yaml": text})
    for path in EXAMPLE.iterdir():
        if path.is_file() and path.name != "requirements.lock":
            shutil.copy(path, public.root / "lambdas/api" / path.name)
    first = from_nothing(public, engine)
    assert "lib/liblzo2.so.2" in public.members("api")
    log = (public.root / "build/logs/venv-api.log").read_text()
    assert re.search(r"Setting up liblzo2-dev", log)
    assert from_nothing(public, engine) == first
    # It runs in an image without the library, with Lambda's LD_LIBRARY_PATH.
    assert run_handler(public, engine, pythons[0]) == "3\n"


def run_handler(repository: Repository, engine: APIClient, python: str) -> str:
    """Unpack the ZIP to /var/task in a new container, and call the handler there."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in repository.members("api").items():
            info = tarfile.TarInfo(f"var/task/{name}")
            info.size, info.mode = len(content), 0o755
            archive.addfile(info, io.BytesIO(content))
    code = (
        "import base64, json, lzo, app\n"
        "data = b'one\\ntwo\\nthree\\n'\n"
        "body = base64.b64encode(lzo.compress(data)).decode()\n"
        "answer = app.handler({'body': body, 'isBase64Encoded': True}, None)\n"
        "print(json.loads(answer['body'])['lines'])\n"
    )
    container = engine.create_container(
        f"{IMAGES}:py{python}",
        ["python3", "-c", code],
        working_dir="/var/task",
        environment={"LD_LIBRARY_PATH": "/var/task/lib", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        engine.put_archive(container["Id"], "/", stream.getvalue())
        engine.start(container["Id"])
        engine.wait(container["Id"])
        return str(engine.logs(container["Id"]).decode())
    finally:
        engine.remove_container(container["Id"], force=True)
