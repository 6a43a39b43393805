"""`lambdas audit`: findings by function from an OSV service, which here is one of our own."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.conftest import HANDLER, Index, Repository
from tests.test_cli import answer


class Service:
    """An OSV service (https://google.github.io/osv.dev/api) that knows a few advisories."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], str] = {}
        self.queries: list[tuple[str, str]] = []
        self.requests = 0
        self.status = 200
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                service.requests += 1
                self.answer(service.batch(json.loads(self.rfile.read(length))))

            def do_GET(self) -> None:
                self.answer(advisory(self.path.rpartition("/")[2]))

            def answer(self, value: object) -> None:
                body = json.dumps(value).encode()
                self.send_response(service.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def batch(self, body: dict[str, Any]) -> object:
        """Answer /v1/querybatch."""
        asked = [(one["package"]["name"], one["version"]) for one in body["queries"]]
        self.queries += asked
        found = [self.known.get(one) for one in asked]
        when = "2026-01-01T00:00:00Z"
        return {
            "results": [{"vulns": [{"id": one, "modified": when}]} if one else {} for one in found]
        }


def advisory(name: str) -> object:
    """Return an advisory about `alpha`, which version 2.0 mends."""
    events = [{"introduced": "0"}, {"fixed": "2.0"}]
    return {
        "id": name,
        "modified": "2026-01-01T00:00:00Z",
        "summary": "Alpha reads secrets",
        "aliases": ["CVE-2026-1"],
        "affected": [
            {
                "package": {"name": "alpha", "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
            }
        ],
    }


@pytest.fixture
def service() -> Iterator[Service]:
    """Give a service that knows an advisory about alpha 1.0."""
    service = Service()
    service.known["alpha", "1.0"] = "PYSEC-2026-1"
    yield service
    service.server.shutdown()
    service.server.server_close()


@pytest.fixture
def fleet(repository: Repository, index: Index) -> Repository:
    """Give three functions: two have alpha 1.0, one of them through beta, and one has 2.0."""
    index.add("alpha", "1.0")
    index.add("alpha", "2.0")
    index.add("beta", requires=("alpha<2",))
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({
        "lambdas.yaml": "version: 1\nlambdas:\n"
        + "".join(f"  {name}: {{handler: app.handler}}\n" for name in ("api", "jobs", "new")),
        **{f"lambdas/{name}/app.py": HANDLER for name in ("api", "jobs", "new")},
        "lambdas/api/requirements.txt": "alpha==1.0\n",
        "lambdas/jobs/requirements.txt": "beta\n",
        "lambdas/new/requirements.txt": "alpha\n",
    })  # fmt: skip
    repository.lambdas("lock")
    return repository


def test_findings(fleet: Repository, service: Service) -> None:
    """Each finding has its functions and the version that mends it; each release is asked once."""
    done = fleet.lambdas("audit", "--service", service.url, code=1)
    assert done.output.splitlines() == [
        "1 finding in 3 packages",
        "alpha 1.0 in api, jobs",
        "  PYSEC-2026-1 (CVE-2026-1): Alpha reads secrets; fixed in 2.0",
    ]
    assert sorted(service.queries) == [("alpha", "1.0"), ("alpha", "2.0"), ("beta", "1.0")]
    assert service.requests == 1
    found = answer(fleet.lambdas("audit", "--service", service.url, "--json", code=1).output)
    assert found["findings"][0]["variants"] == ["api", "jobs"]
    assert found["findings"][0]["fixed_in"] == ["2.0"]


def test_no_findings(fleet: Repository, service: Service) -> None:
    """A function whose packages have no advisory is green."""
    done = fleet.lambdas("audit", "new", "--service", service.url)
    assert done.output == "0 findings in 1 package\n"


def test_ignored(fleet: Repository, service: Service) -> None:
    """A finding that is ignored by an alias is named, and fails nothing."""
    done = fleet.lambdas("audit", "--service", service.url, "--ignore", "CVE-2026-1")
    assert done.output.splitlines() == ["0 findings in 3 packages", "Ignored: PYSEC-2026-1"]


@pytest.mark.parametrize("way", ["closed", "offline", "broken"])
def test_no_answer(fleet: Repository, service: Service, way: str) -> None:
    """Without an answer of the service, nothing is called free of findings, and the code is 2."""
    url = "http://127.0.0.1:9" if way == "closed" else service.url
    if way == "offline":
        fleet.environment["UV_OFFLINE"] = "1"
    if way == "broken":
        service.status = 500
    done = fleet.lambdas("audit", "--service", url, code=2)
    assert done.output.startswith("Not audited: the service gave no answer about 3 packages\n  | ")
    assert "finding" not in done.output
    found = answer(fleet.lambdas("audit", "--service", url, "--json", code=2).output)
    assert found["unasked"]


def test_a_missing_lock(fleet: Repository, service: Service) -> None:
    """A function whose lock is missing is not audited, and that is no green result."""
    (fleet.root / "lambdas/new/requirements.lock").unlink()
    done = fleet.lambdas("audit", "new", "--service", service.url, code=2)
    assert "new: not audited:\n  lambdas/new/requirements.lock: missing" in done.output
    assert not service.requests
