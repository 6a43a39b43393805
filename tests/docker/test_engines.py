"""Several engines and architectures, and no engine."""

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

from docker import APIClient

import buildlib
from tests.conftest import Index, Repository
from tests.docker.conftest import IMAGES, SECOND, containers, manifest, start, wait_for_log
from tests.test_archive import GOLDEN_DEFLATED, GOLDEN_STORED, TREE

NOWHERE = "unix:///nowhere/docker.sock"

PLAIN = "  plain:\n    handler: app.handler\n    source: lambdas/plain\n"


def test_no_engine_leaves_out_what_needs_one(contained: Repository, pythons: list[str]) -> None:
    """Without an engine, all else is built, one message lists the rest; the exit code is 0."""
    text = (
        manifest(pythons[0])
        + PLAIN
        + manifest(pythons[0])
        .split("lambdas:\n")[1]
        .replace("  api:", "  jobs:\n    source: lambdas/api")
    )
    contained.write({
        "lambdas.yaml": text,
        "lambdas/plain/app.py": "def handler(event, context): pass\n",
    })  # fmt: skip
    result = contained.doit(DOCKER_HOST=NOWHERE)
    assert contained.sha256().keys() == {"plain"}
    assert result.message.count("Cannot connect to the Docker engine at") == 1
    assert f"{NOWHERE} (DOCKER_HOST): no such file or directory" in result.message
    assert "warning: not built: api, jobs. " in result.message
    parallel = contained.doit("-n", "2", DOCKER_HOST=NOWHERE)
    assert parallel.message.count("Cannot connect to the Docker engine at") == 1


def test_no_engine_fails_what_is_asked_for(contained: Repository) -> None:
    """Without an engine, a function that needs it fails by name, with one message."""
    contained.doit("lock:api", "--upgrade")
    result = contained.fails("zip:api", DOCKER_HOST=NOWHERE)
    assert result.message.count("Cannot connect to the Docker engine at") == 1
    assert "Is it running? Start it" in result.message


def test_up_to_date_asks_no_engine(contained: Repository) -> None:
    """A built variant, or one that only needs staging, needs no engine."""
    contained.doit()
    assert [n for n in contained.doit(DOCKER_HOST=NOWHERE).ran if n.endswith("api")] == []
    contained.write({"lambdas/api/app.py": "def handler(event, context):\n    return 2\n"})
    result = contained.doit(DOCKER_HOST=NOWHERE)
    assert result.ran == ["stage:api", "touch:api", "zip:api"]
    assert "Cannot connect" not in result.output


def test_context(contained: Repository, tmp_path: Path) -> None:
    """Without DOCKER_HOST, docker's current context names the engine."""
    folder = Path(contained.environment["HOME"]) / ".docker"
    name = hashlib.sha256(b"elsewhere").hexdigest()
    meta = folder / "contexts/meta" / name / "meta.json"
    meta.parent.mkdir(parents=True, exist_ok=True)
    endpoint = {"Host": f"unix://{tmp_path}/x.sock", "SkipTLSVerify": False}
    text = {"Name": "elsewhere", "Metadata": {}, "Endpoints": {"docker": endpoint}}
    meta.write_text(json.dumps(text))
    (folder / "config.json").write_text(json.dumps({"currentContext": "elsewhere"}))
    try:
        contained.environment.pop("DOCKER_HOST", None)
        result = contained.fails("zip:api")
        engine = f"the Docker engine at unix://{tmp_path}/x.sock (docker's context 'elsewhere')"
        assert f"Cannot connect to {engine}" in result.message
    finally:
        shutil.rmtree(folder)


def test_engine_per_architecture(
    contained: Repository, engine: APIClient, second: APIClient, pythons: list[str]
) -> None:
    """`engine` selects the engine of an architecture, whatever DOCKER_HOST is."""
    mapping = {"engine": {"x86_64": SECOND, "arm64": NOWHERE}, "setup": ["sleep 1"]}
    contained.write({"lambdas.yaml": manifest(pythons[0], mapping)})
    contained.doit("lock:api", "--upgrade", DOCKER_HOST=NOWHERE)
    process = start(contained, "zip:api")
    wait_for_log(contained, "$ sleep 1")
    assert (len(containers(engine)), len(containers(second))) == (0, 1)
    process.communicate()
    assert process.returncode == 0
    assert containers(second) == []
    variants = manifest(pythons[0], mapping, architecture=["x86_64", "arm64"])
    contained.write({"lambdas.yaml": variants})
    result = contained.fails("lock:api", "--upgrade")
    expected = f"the Docker engine at {NOWHERE} ('engine' for arm64 in lambdas.yaml)"
    assert f"Cannot connect to {expected}" in result.message


def test_arm64(public: Repository, pythons: list[str]) -> None:
    """A function is built for arm64 in a container of that platform, from an sdist and a wheel."""
    mapping = {"image": f"{IMAGES}:py{pythons[0]}-arm64"}
    public.write({
        "lambdas.yaml": manifest(pythons[0], mapping, architecture="arm64"),
        "lambdas/api/requirements.txt": "markupsafe\n",
    })  # fmt: skip
    public.doit("zip:api")
    members = public.members("api")
    names = [name for name in members if name.endswith(".so")]
    assert names
    assert all(members[name][18:20] == b"\xb7\x00" for name in names), "EM_AARCH64"
    first = public.sha256()["api"]
    text = manifest(pythons[0], architecture="arm64", install="wheels").splitlines()
    public.write({"lambdas.yaml": "\n".join(text[:-1]) + "\n"})
    public.doit("zip:api")
    assert public.sha256()["api"] == first


def test_no_emulator(contained: Repository, pythons: list[str]) -> None:
    """If an engine cannot run the architecture, the message says so, with the remedy."""
    mapping = {"image": f"{IMAGES}:py{pythons[0]}-arm64"}
    contained.write({"lambdas.yaml": manifest(pythons[0], mapping, architecture="arm64")})
    switch = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
    switch.write_text("0")
    try:
        result = contained.fails("zip:api")
    finally:
        switch.write_text("1")
    assert "cannot run the image for linux/arm64" in result.message


GOLDEN = """
import hashlib, json, sys
from pathlib import Path
from buildlib.archive import compress, members, writer
import platform

tree = {name: bytes.fromhex(text) for name, text in json.load(open("/golden/tree.json")).items()}
folder = Path("/tmp/golden")
contents = {}
for name, data in tree.items():
    path = folder / "tree" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    contents[name] = compress.Content(str(path), hashlib.sha256(data).hexdigest(), len(data))
with members.of_own(contents.values(), folder / "locks", folder) as (found, own):
    pairs = [(name, found[content.sha256]) for name, content in contents.items()]
    deflated = writer.write(folder / "a.zip", pairs, own=own)
stored = writer.write(folder / "b.zip", [(n, compress.stored(c)) for n, c in contents.items()])
print(platform.machine(), deflated.sha256, stored.sha256)
"""


def test_golden_bytes_on_arm64(
    public: Repository, bridge_index: Index, engine: APIClient, pythons: list[str]
) -> None:
    """The archive writer gives the golden bytes on arm64 too.

    doit itself installs the test's dependencies for arm64, from wheels.
    """
    del bridge_index
    public.write({
        "lambdas.yaml": (
            "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"
            f"    python: '{pythons[0]}'\n    architecture: arm64\n"
        ),
        "lambdas/api/requirements.txt": "deflate==0.9.0\nfilelock\n",
    })  # fmt: skip
    public.doit("zip:api")
    package = Path(buildlib.__file__).parent
    modules = {f"buildlib/{p.relative_to(package)}": p for p in package.rglob("*.py")}
    files = {
        "golden/run.py": GOLDEN.encode(),
        "golden/tree.json": json.dumps({n: d.hex() for n, d in TREE.items()}).encode(),
        **{f"golden/{name}": path.read_bytes() for name, path in modules.items()},
        **{f"golden/{name}": data for name, data in public.members("api").items()},
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            archive.addfile(info, io.BytesIO(data))
    container = engine.create_container(
        f"{IMAGES}:py{pythons[0]}-arm64",
        ["python3", "/golden/run.py"],
        environment={"PYTHONPATH": "/golden"},
        platform="linux/arm64",
    )
    try:
        engine.put_archive(container["Id"], "/", stream.getvalue())
        engine.start(container["Id"])
        engine.wait(container["Id"])
        output = engine.logs(container["Id"]).decode()
    finally:
        engine.remove_container(container["Id"], force=True)
    assert output.split() == ["aarch64", GOLDEN_DEFLATED, GOLDEN_STORED], output
