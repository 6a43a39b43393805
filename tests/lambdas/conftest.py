"""Fixtures for the example functions: their code, the events that AWS sends, local HTTP servers."""

import base64
import contextlib
import importlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

LAMBDAS = Path(__file__).parents[2] / "lambdas"

Reply = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body."""

Service = Callable[[str, str, Mapping[str, str], bytes], Reply]
"""What a local server does: method, target, headers (lower case) and body to a reply."""


@dataclass(frozen=True)
class LambdaContext:
    """The context object of one invocation, with what the runtime puts there."""

    aws_request_id: str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
    function_name: str = "function"
    function_version: str = "$LATEST"
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    memory_limit_in_mb: str = "256"
    log_group_name: str = "/aws/lambda/function"
    log_stream_name: str = "2025/01/31/[$LATEST]0f1e2d3c4b5a69788796a5b4c3d2e1f0"
    remaining_ms: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda would end the invocation."""
        return self.remaining_ms


@pytest.fixture
def context() -> LambdaContext:
    """Return the context of an invocation with 30 seconds left."""
    return LambdaContext()


@pytest.fixture
def short_context() -> LambdaContext:
    """Return the context of an invocation with 1.5 seconds left."""
    return LambdaContext(remaining_ms=1500)


@pytest.fixture
def load_lambda(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Import a module of one function as Lambda does, and forget the function's modules after.

    `load_lambda("team_keys", "app", shared=True)`: `shared` stands for the `include` of
    lambdas.yaml; without it, lambda_shared cannot be imported.
    """
    # The sources of the functions stay as they are checked out.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    _forget()

    def load(name: str, module: str = "app", *, shared: bool = False) -> ModuleType:
        for folder in (LAMBDAS / "shared", LAMBDAS / name) if shared else (LAMBDAS / name,):
            if str(folder) not in sys.path:
                monkeypatch.syspath_prepend(folder)
        return importlib.import_module(module)

    yield load
    _forget()


def _forget() -> None:
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None)
        if origin and Path(origin).is_relative_to(LAMBDAS):
            del sys.modules[name]


@pytest.fixture
def http_event() -> Callable[..., dict[str, Any]]:
    """Return a function that makes an event of an HTTP API, payload format 2.0."""

    def make(  # noqa: PLR0913 - by keyword only
        *,
        method: str = "GET",
        path: str = "/",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        binary: bool = False,
    ) -> dict[str, Any]:
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": "&".join(f"{k}={v}" for k, v in (query or {}).items()),
            "headers": {
                "accept": "*/*",
                "content-length": str(len(body or b"")),
                "host": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
                "x-amzn-trace-id": "Root=1-679cc0e5-0f1e2d3c4b5a69788796a5b4",
                "x-forwarded-for": "192.0.2.1",
                "x-forwarded-port": "443",
                "x-forwarded-proto": "https",
                **(headers or {}),
            },
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "a1b2c3d4e5",
                "domainName": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
                "domainPrefix": "a1b2c3d4e5",
                "http": {
                    "method": method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": (headers or {}).get("user-agent", "curl/8.5.0"),
                },
                "requestId": "FRu4Hg8jliAEJ1w=",
                "routeKey": "$default",
                "stage": "$default",
                "time": "31/Jan/2025:12:13:14 +0000",
                "timeEpoch": 1738325594000,
            },
            "isBase64Encoded": binary,
        }
        if query:
            event["queryStringParameters"] = dict(query)
        if body is not None:
            event["body"] = base64.b64encode(body).decode() if binary else body.decode()
        return event

    return make


@pytest.fixture
def serve() -> Iterator[Callable[[Service], str]]:
    """Return a function that serves HTTP on 127.0.0.1 during the test and returns the URL."""
    with contextlib.ExitStack() as stack:
        yield lambda service: stack.enter_context(_server(service))


@contextlib.contextmanager
def _server(service: Service) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, sent, body = service(self.command, self.path, headers, self.rfile.read(length))
            with contextlib.suppress(ConnectionError):  # a client that did not wait
                self.send_response(status)
                for name, value in sent.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - names of http.server

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # server_close waits for them
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
