"""Servers for a remote cache: two of S3, one of HTTP; and a proxy that does harm."""

import contextlib
import http.client
import importlib.util
import os
import re
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Protocol
from xml.sax.saxutils import escape

import pytest

from tests.conftest import Repository


class Objects(Protocol):
    """The content of a remote cache, as its administrator sees it."""

    def names(self) -> list[str]: ...
    def read(self, name: str) -> bytes: ...
    def write(self, name: str, content: bytes) -> None: ...
    def delete(self, name: str) -> None: ...


@dataclass
class Shared:
    """A remote cache: the variables of a build that uses it, and its content."""

    environment: dict[str, str]
    objects: Objects
    port: int | None = None

    def only(self, start: str) -> str:
        """Return the one name that starts like this."""
        (found,) = [name for name in self.objects.names() if name.startswith(start)]
        return found


def using(repository: Repository, shared: Shared | Mapping[str, str]) -> Repository:
    """Return a repository whose builds use a remote cache, or have these variables."""
    more = shared.environment if isinstance(shared, Shared) else shared
    return replace(repository, environment=repository.environment | dict(more))


class Folder:
    """Objects that are files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.folder).as_posix() for path in files)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)

    def delete(self, name: str) -> None:
        (self.folder / name).unlink()


class S3:
    """Objects below a prefix of a bucket."""

    def __init__(self, port: int, prefix: str) -> None:
        from obstore.store import S3Store

        self.port, self.prefix = port, prefix
        self.store: Any = S3Store(
            "builds",
            prefix=prefix,
            endpoint=f"http://127.0.0.1:{port}",
            access_key_id="admin",
            secret_access_key="admin",  # noqa: S106 - nobody checks it
            region="eu-west-1",
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )

    def names(self) -> list[str]:
        import obstore

        return sorted(one["path"] for page in obstore.list(self.store) for one in page)

    def read(self, name: str) -> bytes:
        import obstore

        return bytes(obstore.get(self.store, name).bytes())

    def write(self, name: str, content: bytes) -> None:
        import obstore

        obstore.put(self.store, name, content)

    def delete(self, name: str) -> None:
        import obstore

        # One server has no other requests to delete, and the other one wants them to be signed.
        with contextlib.suppress(obstore.exceptions.GenericError):
            obstore.delete(self.store, name)
            return
        address = f"http://127.0.0.1:{self.port}/builds/{self.prefix}/{name}"
        request = urllib.request.Request(address, method="DELETE")
        with urllib.request.urlopen(request, timeout=20):  # noqa: S310 - the line above
            pass


class Web:
    """An HTTP server that keeps what is PUT, in memory; with PROPFIND, as WebDAV."""

    def __init__(self, *, lists: bool = True, knows_create: bool = True) -> None:
        self.content: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, str]] = []  # the method, the path and Authorization
        self.conditions: set[str] = set()  # the values of If-None-Match in each PUT
        self.required = ""  # the value of Authorization
        self.lists, self.knows_create = lists, knows_create
        self.server = serve(self._answer)
        self.port = int(self.server.server_address[1])

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        method, path = request.command, request.path
        authorization = request.headers.get("Authorization", "")
        self.requests.append((method, path, authorization))
        path = path.partition("?")[0]
        if method == "PUT":
            self.conditions.add(request.headers.get("If-None-Match", ""))
        if self.required and authorization != self.required:
            reply(request, 401)
        elif method == "PUT":
            is_create = request.headers.get("If-None-Match") == "*" and self.knows_create
            if is_create and path in self.content:
                reply(request, 412)
            else:
                self.content[path] = body
                reply(request, 201)
        elif method == "PROPFIND" and self.lists:
            found = [name for name in self.content if name.startswith(path)]
            reply(request, 207 if found else 404, _multistatus(found).encode())
        elif method in {"GET", "HEAD"} and path in self.content:
            reply(request, 200, self.content[path])
        else:
            reply(request, 404 if method in {"GET", "HEAD"} else 405)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def below(self, top: str) -> "WebObjects":
        return WebObjects(self, top)


@dataclass
class WebObjects:
    """The objects below a path of a web server."""

    web: Web
    top: str

    def names(self) -> list[str]:
        found = (name for name in self.web.content if name.startswith(f"{self.top}/"))
        return sorted(name.removeprefix(f"{self.top}/") for name in found)

    def read(self, name: str) -> bytes:
        return self.web.content[f"{self.top}/{name}"]

    def write(self, name: str, content: bytes) -> None:
        self.web.content[f"{self.top}/{name}"] = content

    def delete(self, name: str) -> None:
        del self.web.content[f"{self.top}/{name}"]


def _multistatus(names: list[str]) -> str:
    """Return the answer to PROPFIND (RFC 4918, 9.1)."""
    response = (
        "<D:response><D:href>{}</D:href><D:propstat><D:prop>"
        "<D:getlastmodified>Wed, 21 Oct 2026 07:28:00 GMT</D:getlastmodified>"
        "<D:getcontentlength>1</D:getcontentlength><D:resourcetype/>"
        "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
    found = "".join(response.format(escape(name)) for name in names)
    return f'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">{found}</D:multistatus>'


Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


def serve(answer: Answer) -> ThreadingHTTPServer:
    """Start a server that gives each request and its body to a function."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a method
            if name.startswith("do_"):
                return self.handle_any
            raise AttributeError(name)

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                answer(self, body)
            except (OSError, http.client.HTTPException):
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 200

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.05}).start()
    return server


def reply(
    request: BaseHTTPRequestHandler,
    status: int,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> None:
    """Send a response."""
    request.send_response(status)
    given = {"ETag": '"1"', "Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT"} | dict(headers or {})
    for name, value in given.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)


_OF_A_CONNECTION = {"content-length", "transfer-encoding", "connection", "date", "server"}

# What the proxy does with a request: a function of the method and the path.
Harm = Callable[[str, str], str]


@dataclass
class Proxy:
    """A proxy before a server, which does harm to some of its requests.

    The harms: "" passes the request on; "wait 0.2" does so after a delay; "403" and the like answer
    with that status; "reset" closes the connection with RST; "cut" sends half of the body; "wrong"
    changes the body; "hang" never answers, "drip" sends a byte of the body each 0.2 s,
    and "pace" 2 MB a second.
    """

    upstream: int
    harm: Harm = lambda _, __: ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    signers: set[tuple[str, str]] = field(default_factory=set)  # methods, and who signed for where
    received: int = 0  # bytes of bodies that clients sent
    sent: int = 0  # bytes of bodies that clients got
    most: int = 0  # requests at the same time
    _now: int = 0

    def __post_init__(self) -> None:
        """Start."""
        self.server = serve(self._answer)
        self.port = int(self.server.server_address[1])

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def count(self, method: str, part: str = "") -> int:
        return sum(one == method and part in path for one, path in self.requests)

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            self._harm(request, body)
        finally:
            self._now -= 1

    def _harm(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        self.requests.append((request.command, request.path))
        signed = re.search(
            r"Credential=([^/]+)/[0-9]+/([^/]+)/", request.headers.get("Authorization", "")
        )
        if signed:
            self.signers.add((request.command, f"{signed[1]} {signed[2]}"))
        self.received += len(body)
        harm = self.harm(request.command, request.path.partition("?")[0])
        if harm.startswith("wait "):
            time.sleep(float(harm[5:]))
        elif harm.isdigit():
            reply(request, int(harm), b"<Error><Code>Harmed</Code></Error>")
            return
        elif harm in {"reset", "hang"}:
            time.sleep(60 if harm == "hang" else 0)
            linger = struct.pack("ii", 1, 0)
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            request.connection.close()
            raise ConnectionError
        status, headers, content = self._ask(request, body)
        if harm == "wrong" and content:
            content = content[:-1] + bytes([content[-1] ^ 1])
        request.send_response(status)
        for name, value in headers.items():
            if name not in _OF_A_CONNECTION:
                request.send_header(name, value)
        is_head = request.command == "HEAD"
        length = headers.get("content-length", "0") if is_head else str(len(content))
        request.send_header("Content-Length", length)
        request.end_headers()
        if not is_head:
            self._send(request, content, harm)

    def _send(self, request: BaseHTTPRequestHandler, content: bytes, harm: str) -> None:
        self.sent += len(content)
        if harm == "cut":
            request.wfile.write(content[: len(content) // 2])
            request.wfile.flush()
            request.connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionError
        size = {"drip": 1, "pace": 1 << 20}.get(harm, len(content) or 1)
        for start in range(0, len(content), size):
            request.wfile.write(content[start : start + size])
            request.wfile.flush()
            time.sleep({"drip": 0.2, "pace": 0.5}.get(harm, 0))

    def _ask(
        self, request: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=60)
        try:
            headers = dict(request.headers.items())
            connection.request(request.command, request.path, body, headers)
            response = connection.getresponse()
            given = {name.lower(): value for name, value in response.getheaders()}
            return response.status, given, response.read()
        finally:
            connection.close()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        return int(server.server_address[1])


@contextlib.contextmanager
def s3_server(kind: str, folder: Path) -> Iterator[int]:
    """Run a server of S3 with the bucket `builds`, and yield its port."""
    module = {"moto": "moto", "localbucket": "localbucket"}[kind]
    if importlib.util.find_spec(module) is None:
        assert not os.environ.get("CI"), f"CI needs {module}"
        pytest.skip(f"{module} is not installed")
    port = free_port()
    scripts = Path(sys.executable).parent
    program = shutil.which({"moto": "moto_server"}.get(kind, kind), path=str(scripts))
    assert program, f"{kind} has no program in {scripts}"
    options = ["-H", "127.0.0.1", "-p", str(port)]
    if kind == "localbucket":
        options = ["--port", str(port), str(folder)]
    process = subprocess.Popen(
        [program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port, process)
        address = f"http://127.0.0.1:{port}/builds"
        bucket = urllib.request.Request(address, method="PUT")
        with urllib.request.urlopen(bucket, timeout=20):  # noqa: S310 - the line above
            pass
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert process.poll() is None, "the server ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.fail("the server did not start")


def s3(port: int, prefix: str, upstream: int | None = None) -> Shared:
    """Return a remote cache in a bucket, with its own prefix; `upstream` is behind a proxy."""
    environment = {
        "LAMBDA_ZIP_REMOTE": f"s3://builds/{prefix}",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "AKIAREADERWRITER",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-the-tests",
        "AWS_REGION": "eu-west-1",
    }
    return Shared(environment, S3(upstream or port, prefix), port)


def name_of(test: str) -> str:
    """Return a prefix for a test."""
    return re.sub(r"[^a-z0-9]+", "-", test.lower()).strip("-")
