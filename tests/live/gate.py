"""A server before moto's: it refuses requests as AWS does, and keeps the guards that moto lacks.

moto ignores `RevisionId` and `CodeSha256`. Lambda answers 412 to a `RevisionId` that is not the
present one, and 400 to another `CodeSha256` ("UpdateFunctionCode" and "PublishVersion" in its API
reference).
"""

import http.client
import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from tests.remote.servers import reply, serve

# The status, the code and the message of a refusal.
Refusal = tuple[int, str, str]

_FUNCTION = re.compile(r"/2015-03-31/functions/([^/?]+)(/.*)?")


class Gate:
    """The server: `refuse` gets the method, the path and the body of each request."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.refuse: Callable[[str, str, bytes], Refusal | None] = lambda *_: None
        self.change: Callable[[str, str, bytes], bytes] = lambda _, __, body: body
        self.before: Callable[[str, str], None] = lambda _, __: None
        self.requests: list[tuple[str, str]] = []
        self.revisions: dict[str, int] = {}
        self.server = serve(self._answer)
        self.port = int(self.server.server_address[1])

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def count(self, method: str, part: str = "") -> int:
        return sum(one == method and part in path for one, path in self.requests)

    @property
    def writes(self) -> list[str]:
        """The functions and parts that requests changed, in order."""
        found = (_FUNCTION.match(path) for method, path in self.requests if method != "GET")
        return [f"{one[1]}{one[2] or ''}" for one in found if one]

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        method, path = request.command, request.path
        self.requests.append((method, path))
        self.before(method, path)
        refusal = self.refuse(method, path, body) or self._guard(request, body)
        if refusal:
            status, code, message = refusal
            content = json.dumps({"Message": message, "Type": "User"}).encode()
            reply(request, status, content, {"x-amzn-ErrorType": code})
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=60)
        connection.request(method, path, body, dict(request.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        kept = {n: v for n, v in answer.headers.items() if n.lower() in {"content-type", "etag"}}
        if (found := _FUNCTION.match(path)) and answer.status < 300 and content:  # noqa: SIM102
            if (part := (found[2] or "").partition("?")[0]) in {"", "/code", "/versions"}:
                content = self._with_revision(method, found[1], part, content)
        reply(request, answer.status, self.change(method, path, content), kept)

    def revision(self, name: str) -> str:
        return f"revision-{self.revisions.get(name, 0)}"

    def _guard(self, request: BaseHTTPRequestHandler, body: bytes) -> Refusal | None:
        found = _FUNCTION.match(request.path)
        if not found or request.command == "GET" or not body.startswith(b"{"):
            return None
        given = json.loads(body)
        revision = given.get("RevisionId")
        is_function = found[2] in {"/code", "/versions"}
        if is_function and revision and revision != self.revision(found[1]):
            return 412, "PreconditionFailedException", "The Revision Id provided does not match"
        if found[2] == "/versions" and (code := given.get("CodeSha256")):
            # moto knows the service by the signature.
            headers = {"Authorization": request.headers["Authorization"]}
            connection = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=60)
            path = f"/2015-03-31/functions/{found[1]}/configuration"
            connection.request("GET", path, headers=headers)
            present = json.loads(connection.getresponse().read())["CodeSha256"]
            connection.close()
            if present != code:
                return 400, "InvalidParameterValueException", "CodeSHA256 is different"
        return None

    def _with_revision(self, method: str, name: str, part: str, content: bytes) -> bytes:
        if method != "GET":
            self.revisions[name] = self.revisions.get(name, 0) + 1
        answer = json.loads(content)
        if part == "" and "Configuration" in answer:
            answer["Configuration"]["RevisionId"] = self.revision(name)
        elif part in {"/code", "/versions"} and method != "GET":
            answer["RevisionId"] = self.revision(name)
        return json.dumps(answer).encode()
