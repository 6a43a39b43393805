"""Images: selection, pinning and pulling, and clear errors for missing ones."""

import hashlib
import http.server
import io
import json
import random
import tarfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from docker import APIClient

from buildlib.docker import tar
from tests.conftest import Index, Repository
from tests.docker.conftest import IMAGES, manifest, sdist


class Registry:
    """A registry (OCI distribution) on the loopback interface, with one image."""

    def __init__(self, saved: dict[str, bytes]) -> None:
        image = json.loads(saved["manifest.json"])[0]
        self.blobs = {}
        for name in (image["Config"], *image["Layers"]):
            self.blobs[f"sha256:{hashlib.sha256(saved[name]).hexdigest()}"] = saved[name]
        digests = list(self.blobs)
        self.manifest = json.dumps({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "size": len(self.blobs[digests[0]]),
                "digest": digests[0],
            },
            "layers": [
                {
                    "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                    "size": len(self.blobs[digest]),
                    "digest": digest,
                }
                for digest in digests[1:]
            ],
        }).encode()  # fmt: skip
        self.digest = f"sha256:{hashlib.sha256(self.manifest).hexdigest()}"
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                last = self.path.rpartition("/")[2]
                body = registry.blobs.get(last, b"")
                kind = "application/octet-stream"
                if "/manifests/" in self.path and last in {"latest", registry.digest}:
                    body, kind = registry.manifest, json.loads(registry.manifest)["mediaType"]
                found = bool(body) or self.path == "/v2/"
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                if found:
                    self.send_header("Docker-Content-Digest", registry.digest)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815 - the standard library's name

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.name = f"127.0.0.1:{self.server.server_address[1]}/lambda/python"


@pytest.fixture
def registry(engine: APIClient, pythons: list[str]) -> Iterator[Registry]:
    """Give a registry with the image of Debian's Python."""
    saved: dict[str, bytes] = {}
    # A layer that the engine lacks, so that there is something to pull.
    content = random.randbytes(5 << 20)  # noqa: S311
    image = commit(engine, f"{IMAGES}:py{pythons[0]}", f"{IMAGES}-pulled", content)
    stream = io.BytesIO(b"".join(engine.get_image(image)))
    engine.remove_image(image, force=True)
    with tarfile.open(fileobj=stream) as archive:
        for member in archive:
            if member.isfile():
                stored = archive.extractfile(member)
                assert stored
                saved[member.name] = stored.read()
    registry = Registry(saved)
    yield registry
    registry.server.shutdown()
    registry.server.server_close()
    for image in engine.images():
        for reference in (image["RepoDigests"] or []) + (image["RepoTags"] or []):
            if reference.startswith(registry.name):
                engine.remove_image(reference, force=True)


def image_lines(repository: Repository) -> list[str]:
    lock = (repository.root / "lambdas/api/requirements.lock").read_text()
    return [line for line in lock.splitlines() if line.startswith("# image:")]


def test_digest_from_the_registry(
    contained: Repository, registry: Registry, engine: APIClient, pythons: list[str]
) -> None:
    """`doit lock` pins the registry's digest without pulling; the build pulls, and reports it."""
    python = pythons[0]
    name = f"{registry.name}:latest"
    contained.write({"lambdas.yaml": manifest(python, {"image": name})})
    contained.doit("lock:api", "--upgrade")
    pinned = f"{registry.name}@{registry.digest}"
    assert image_lines(contained) == [f"# image: {python} x86_64 {name} {pinned}"]
    assert not any(pinned in (image["RepoDigests"] or []) for image in engine.images())
    result = contained.doit("zip:api")
    assert f"pulling {pinned} (linux/amd64)" in result.message
    log = (contained.root / "build/logs/venv-api.log").read_text()
    assert "Pull complete" in log
    assert "api" in contained.sha256()
    # The registry is not asked again.
    registry.server.shutdown()
    assert contained.doit("zip:api").ran == []


def test_digest_in_the_manifest(
    contained: Repository, registry: Registry, pythons: list[str]
) -> None:
    """A digest in the manifest replaces the one in the lock, and gives the same bytes."""
    contained.doit()
    before = contained.sha256()
    name = f"{registry.name}@{registry.digest}"
    contained.write({"lambdas.yaml": manifest(pythons[0], {"image": name})})
    (contained.root / "lambdas/api/requirements.lock").unlink()
    contained.doit()
    assert image_lines(contained) == []
    assert contained.sha256() == before


def test_local_image_is_pinned_by_its_id(
    contained: Repository, engine: APIClient, pythons: list[str]
) -> None:
    """An image that no registry has is pinned by its id."""
    contained.doit("lock:api", "--upgrade")
    name = f"{IMAGES}:py{pythons[0]}"
    expected = engine.inspect_image(name)["Id"]  # type: ignore[no-untyped-call]
    assert image_lines(contained) == [f"# image: {pythons[0]} x86_64 {name} {expected}"]


def test_another_image_rebuilds(
    contained: Repository, engine: APIClient, pythons: list[str]
) -> None:
    """A moved tag changes nothing until `doit lock` pins it again."""
    name = f"{IMAGES}-moving"
    engine.tag(f"{IMAGES}:py{pythons[0]}", name, "latest")
    contained.write({"lambdas.yaml": manifest(pythons[0], {"image": name})})
    contained.doit()
    other = commit(engine, f"{IMAGES}:py{pythons[0]}", name)
    try:
        assert contained.doit().ran == []
        contained.doit("lock:api", "--upgrade")
        assert image_lines(contained)[0].endswith(other)
        assert "venv:api" in contained.doit().ran
    finally:
        engine.remove_image(f"{name}:latest", force=True)


def commit(engine: APIClient, base: str, name: str, content: bytes = b"moved") -> str:
    """Create an image of this name with one file more than another; return its id."""
    container = engine.create_container(base, ["true"])
    try:
        archive = tar.pack({"opt/content": tar.Entry(content, 0o644, 0)})
        engine.put_archive(container["Id"], "/", archive)
        made: dict[str, Any] = engine.commit(container["Id"], name, "latest", message="moved")
    finally:
        engine.remove_container(container["Id"])
    return str(made["Id"])


def test_absent_image(contained: Repository, pythons: list[str]) -> None:
    """Locking an image that exists nowhere names it, and the attempts to find it."""
    mapping = {"image": "127.0.0.1:9/no/such:image"}
    contained.write({"lambdas.yaml": manifest(pythons[0], mapping)})
    result = contained.fails("zip:api")
    assert (
        "the image 127.0.0.1:9/no/such:image (linux/amd64) is not on the Docker engine"
        in result.message
    )
    assert "cannot be pulled: connection refused" in result.message


def test_absent_pinned_image(contained: Repository, pythons: list[str]) -> None:
    """A pinned image that cannot be pulled is a clear error when a build needs it."""
    name = f"127.0.0.1:9/no/such@sha256:{'0' * 64}"
    contained.write({"lambdas.yaml": manifest(pythons[0], {"image": name})})
    result = contained.fails("zip:api")
    assert (
        f"lambda 'api': the image {name} (linux/amd64) is not on the Docker engine"
        in result.message
    )


def test_wrong_python(contained: Repository, pythons: list[str]) -> None:
    """An image with another Python than the runtime's is refused."""
    name = f"{IMAGES}:py{pythons[0]}"
    contained.write({"lambdas.yaml": manifest(pythons[1], {"image": name})})
    result = contained.fails("zip:api")
    expected = f"the image has Python {pythons[0]}, but {pythons[1]} is needed"
    assert expected in result.message


def test_the_images_python_decides(
    contained: Repository, bridge_index: Index, pythons: list[str]
) -> None:
    """An environment built in a Python's image is for that Python, whichever one runs doit."""
    code = "import sys, sysconfig\nprint(sysconfig.get_config_var('EXT_SUFFIX'))\n"
    bridge_index.files["beta-1.0.tar.gz"] = sdist("beta", code)
    for python in pythons[:2]:
        contained.write({
            "lambdas.yaml": manifest(python),
            "lambdas/api/requirements.txt": "beta\n",
        })  # fmt: skip
        contained.doit("zip:api")
        built = contained.members("api")["beta.py"].decode()
        assert f"cpython-{python.replace('.', '')}-x86_64" in built


def test_wrong_platform(contained: Repository, pythons: list[str]) -> None:
    """An image for another platform is refused, and the message names both."""
    mapping = {"image": f"{IMAGES}:py{pythons[0]}-arm64"}
    contained.write({"lambdas.yaml": manifest(pythons[0], mapping)})
    result = contained.fails("zip:api")
    assert "is for linux/arm64, but linux/amd64 is needed" in result.message
