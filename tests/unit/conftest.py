"""What the unit tests share: small repositories and functions, and no way to the network."""

import hashlib
import ipaddress
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from buildlib.cache.digests import Digests
from buildlib.model import File, Function, Include, Origin, Requires, Variant

_FREE = ("network", "docker")


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a test fail that connects to another machine without saying so by a marker."""
    if any(request.node.get_closest_marker(marker) for marker in _FREE):
        return
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:  # noqa: ANN401 - socket's own type
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_here(address[0]):
            msg = f"{request.node.nodeid} connects to {address[0]}: mark it, or stop it"
            raise AssertionError(msg)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(autouse=True)
def not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test as on a laptop, wherever it runs."""
    monkeypatch.delenv("CI", raising=False)


def write(top: Path, contents: Mapping[str, str | bytes]) -> Path:
    """Make files below `top` from their contents, and return `top`."""
    for name, content in contents.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return top


def file(path: str, content: str | bytes = b"") -> File:
    """Return the listing's row of a file with this content."""
    data = content.encode() if isinstance(content, str) else content
    return File(path, hashlib.sha256(data).hexdigest(), len(data))


def origin(path: str, content: str | bytes = b"", *, dependency: bool = False) -> Origin:
    """Return a staged file of this content that stands under its own name in its source."""
    return Origin(file(path, content), path, dependency)


def function(name: str = "api", **fields: Any) -> Function:  # noqa: ANN401 - any field
    """Return a function with ordinary values, but for `fields`.

    `requirements` is the path of a file; the paths of `include` stand under their own names.
    """
    values: dict[str, Any] = {
        "name": name,
        "handler": "app.handler",
        "source": f"lambdas/{name}",
        "requires": None,
        "pythons": ("3.13",),
        "architectures": ("x86_64",),
        "install": "wheels",
        "include": (),
        "exclude": (),
        "compression": "deflate",
        "allow_sdist": (),
    }
    if path := fields.pop("requirements", None):
        fields["requires"] = Requires((path,))
        fields.setdefault("lockfile", f"{os.path.dirname(path)}/requirements.lock")
    if "include" in fields:
        fields["include"] = tuple(Include(p, p.rpartition("/")[2]) for p in fields["include"])
    return Function(**values | fields)


def variant(python: str = "3.13", architecture: str = "x86_64", **fields: Any) -> Variant:  # noqa: ANN401
    """Return a function's variant for this target."""
    return Variant("api", function(**fields), python, architecture)


@pytest.fixture
def digests(tmp_path: Path) -> Digests:
    """Give the digests of a repository in `tmp_path`."""
    return Digests(tmp_path, tmp_path / "build/digests.json")
