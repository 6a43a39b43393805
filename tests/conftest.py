"""A repository to build in, and an index to install from, both real and created for each test."""

import base64
import contextlib
import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from buildlib.text import canonical_name

HANDLER = "def handler(event, context):\n    return event\n"


def wheel(
    name: str,
    version: str = "1.0",
    files: Mapping[str, str | bytes] | None = None,
    *,
    tag: str = "py3-none-any",
    requires: tuple[str, ...] = (),
) -> tuple[str, bytes]:
    """Return the file name and the content of a wheel (PEP 427) that holds `files`."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    contents: dict[str, bytes] = {
        path: text.encode() if isinstance(text, str) else text
        for path, text in (files if files is not None else {f"{name}.py": "X = 1\n"}).items()
    }
    contents.setdefault(f"{info}/METADATA", metadata.encode())
    contents[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: t\nTag: {tag}\n".encode()
    record = io.StringIO()
    writer = csv.writer(record, lineterminator="\n")
    for path, content in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        writer.writerow((path, f"sha256={digest}", len(content)))
    writer.writerow((f"{info}/RECORD", "", ""))
    contents[f"{info}/RECORD"] = record.getvalue().encode()
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for path, content in contents.items():
            archive.writestr(path, content)
    return f"{name}-{version}-{tag}.whl", output.getvalue()


class Index:
    """A package index (PEP 503), on the loopback interface by default."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.status: int | None = None
        self.credentials: str | None = None
        self.max_age: int | None = None  # seconds for which a client may keep a page
        self.cut: int | None = None  # bytes of a file after which the connection ends
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.answer(self)

            def do_HEAD(self) -> None:
                index.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://{host}:{self.port}/simple"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add(
        self,
        name: str,
        version: str = "1.0",
        files: Mapping[str, str | bytes] | None = None,
        *,
        tag: str = "py3-none-any",
        requires: tuple[str, ...] = (),
    ) -> None:
        """Publish a wheel."""
        file, content = wheel(name, version, files, tag=tag, requires=requires)
        self.files[file] = content

    def page(self, project: str) -> bytes:
        """Return the page of a project; nothing if the index has none of its files."""
        links = [
            f'<a href="/files/{name}#sha256={hashlib.sha256(content).hexdigest()}">{name}</a>'
            for name, content in self.files.items()
            if canonical_name(name.split("-")[0]) == canonical_name(project)
        ]
        return "\n".join(links).encode()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.requests.append(request.path)
        status, body, kind = 404, b"", "text/html"
        parts = request.path.strip("/").split("/")
        authorization = request.headers.get("Authorization", "")
        if self.credentials:
            expected = "Basic " + base64.b64encode(self.credentials.encode()).decode()
            if authorization != expected:
                status = 401
        if self.status:
            status = self.status
        elif status == 401:
            pass
        elif parts[0] == "simple" and len(parts) == 2:
            body = self.page(parts[1])
            status = 200 if body else 404
        elif parts[0] == "files" and parts[1] in self.files:
            status, body, kind = 200, self.files[parts[1]], "application/octet-stream"
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        if self.max_age is not None and parts[0] == "simple":
            request.send_header("Cache-Control", f"max-age={self.max_age}")
        if status == 401:
            request.send_header("WWW-Authenticate", "Basic")
        request.end_headers()
        if request.command == "GET":
            with contextlib.suppress(ConnectionError):  # the client was killed
                request.wfile.write(body[: self.cut] if parts[0] == "files" else body)


@dataclass
class Result:
    """The exit code and output of a doit run."""

    code: int
    output: str

    @property
    def ran(self) -> list[str]:
        """The executed tasks."""
        return re.findall(r"^\.  (\S+)$", self.output, re.MULTILINE)

    @property
    def message(self) -> str:
        """The output without the lines that name tasks."""
        lines = self.output.splitlines()
        return "\n".join(line for line in lines if not re.match(r"(\.  |-- )\S+$", line))


@dataclass
class Streams(Result):
    """The exit code, stdout (`output`) and stderr (`errors`) of a command."""

    errors: str = ""


@dataclass
class Repository:
    """A repository to run doit in."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for path, content in files.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)

    def command(self, *arguments: str) -> list[str]:
        return [self.python, "-m", "doit", *arguments]

    def doit(self, *arguments: str, code: int | None = 0, **environment: str) -> Result:
        """Run doit and check its exit code; `code=None` allows any."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        assert "Traceback" not in done.stdout, done.stdout
        assert code is None or done.returncode == code, done.stdout
        return Result(done.returncode, done.stdout)

    def buildlib(self, *arguments: str, **environment: str) -> Result:
        """Run `python -m buildlib`, which is the command `lambdas`."""
        done = self.lambdas(*arguments, code=None, **environment)
        return Result(done.code, done.output + done.errors)

    def lambdas(
        self, *arguments: str, code: int | None = 0, folder: str = ".", **environment: str
    ) -> Streams:
        """Run `lambdas` in a folder and check its exit code; `code=None` allows any."""
        done = subprocess.run(
            [self.python, "-m", "buildlib", *arguments],
            cwd=self.root / folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert code is None or done.returncode == code, (done.stdout, done.stderr)
        return Streams(done.returncode, done.stdout, done.stderr)

    def fails(self, *arguments: str, **environment: str) -> Result:
        """Run doit, which must fail: with 1, or with 2 if a task depended on the failed one."""
        result = self.doit(*arguments, code=None, **environment)
        assert result.code in {1, 2}, result.output
        return result

    def index(self) -> dict[str, Any]:
        return {name: entry for name, entry in self.listed().items() if "sha256" in entry}

    def listed(self) -> dict[str, dict[str, Any]]:
        """Return the whole index, with the variants that have no ZIP."""
        return dict(json.loads((self.root / "dist/lambdas.json").read_text()))

    def sha256(self) -> dict[str, str]:
        """Return the sha256 of each ZIP, after checking that the rest of `dist/` describes it."""
        found = {}
        index = self.index()
        file = self.root / "dist/layers.json"
        layers = json.loads(file.read_text()) if file.exists() else {}
        for path in sorted((self.root / "dist").glob("*.zip")):
            found[path.stem] = hashlib.sha256(path.read_bytes()).hexdigest()
            assert (index | layers)[path.stem]["sha256"] == found[path.stem]
            checksum = path.with_name(path.name + ".sha256").read_text()
            assert checksum == f"{found[path.stem]}  dist/{path.name}\n"
        assert index.keys() | layers.keys() == found.keys()
        return found

    def members(self, name: str) -> dict[str, bytes]:
        with zipfile.ZipFile(self.root / "dist" / f"{name}.zip") as archive:
            return {info.filename: archive.read(info) for info in archive.infolist()}


def pytest_configure() -> None:
    """Keep all tests, and the programs that they start, away from the cache of this machine."""
    os.environ["LAMBDA_ZIP_CACHE"] = "off"


@pytest.fixture(scope="session")
def plain_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give the environment of a user who has no settings for doit, uv or pip."""
    home = tmp_path_factory.mktemp("home")
    kept = ("PATH", "LANG", "SSL_CERT_FILE", "TMPDIR", "SYSTEMROOT", "COVERAGE_PROCESS_CONFIG")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    return environment | {
        "HOME": str(home),
        "PIP_CONFIG_FILE": os.devnull,
        "LAMBDA_ZIP_CACHE": "off",
        "UV_CACHE_DIR": str(home / "uv-cache"),
        "UV_HTTP_RETRIES": "0",
        "UV_INDEX_URL": "http://127.0.0.1:9/there-is-no-index-here",
    }


@pytest.fixture
def index() -> Iterator[Index]:
    """Give an empty package index."""
    index = Index()
    yield index
    index.server.shutdown()
    index.server.server_close()


@pytest.fixture
def repository(tmp_path: Path, plain_environment: dict[str, str]) -> Repository:
    """Give a repository with one function, `api`, that has no dependencies."""
    repository = Repository(tmp_path / "repository", dict(plain_environment))
    repository.write({
        "dodo.py": "from buildlib.tasks import *\n",
        "lambdas.yaml": "version: 1\nlambdas:\n  api:\n    handler: app.handler\n",
        "lambdas/api/app.py": HANDLER,
    })  # fmt: skip
    return repository


@pytest.fixture
def dependent(repository: Repository, index: Index) -> Repository:
    """Give a repository with two functions, `api` and `jobs`, that have dependencies."""
    index.add("alpha", files={"alpha/__init__.py": "A = 1\n", "alpha/data.txt": "alpha " * 2000})
    index.add("beta", files={"beta.py": "B = 1\n"}, requires=("alpha",))
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({
        "lambdas.yaml": (
            "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"
            "  jobs:\n    handler: app.handler\n    include: [shared/common]\n"
            "    python: ['3.12', '3.13']\n    exclude: ['*.md']\n"
        ),
        "lambdas/api/requirements.txt": "beta\n",
        "lambdas/jobs/app.py": HANDLER,
        "lambdas/jobs/README.md": "# jobs\n",
        "lambdas/jobs/requirements.txt": "alpha\n",
        "shared/common/__init__.py": "C = 1\n",
    })  # fmt: skip
    return repository
