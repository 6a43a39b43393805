"""The example functions as `doit invoke` runs them: their ZIPs, under AWS's client and emulator."""

import base64
import gzip
import hashlib
import hmac
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.conftest import Repository
from tests.lambdas import test_log_redactor as redactor
from tests.lambdas import test_sales_report as sales
from tests.lambdas import test_team_keys as keys
from tests.lambdas import test_webhook_relay as relay
from tests.lambdas.test_team_keys import FakeGitHub, app_key, app_key_pem
from tests.test_reproducible import interpreters

Event = Callable[..., dict[str, Any]]
Serve = Callable[[Any], str]
Invoke = Callable[..., dict[str, Any]]

ROOT = Path(__file__).parents[2]

__all__ = ["app_key", "app_key_pem"]  # fixtures

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() != "x86_64",
        reason="these examples are for x86_64, and AWS's emulator for Linux",
    ),
]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Give a clone of the examples, in which each is built when it is invoked."""
    root = tmp_path_factory.mktemp("invoked") / "clone"
    root.mkdir()
    for name in ("lambdas.yaml", "dodo.py"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(
        ROOT / "lambdas", root / "lambdas", ignore=shutil.ignore_patterns("__pycache__")
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV"))}
    nowhere = "unix:///there/is/no/engine.sock"
    return Repository(root, environment | {"CI": "true", "DOCKER_HOST": nowhere})


@pytest.fixture
def invoke(examples: Repository, tmp_path: Path) -> Invoke:
    """Return a function that invokes a variant, with these variables, and returns its response."""

    def call(
        variant: str, event: object, variables: Mapping[str, str] | None = None, code: int = 0
    ) -> dict[str, Any]:
        (tmp_path / "event.json").write_text(json.dumps(event))
        lines = [f"{name}={value}\n" for name, value in (variables or {}).items()]
        (tmp_path / "env").write_text("".join(lines))
        options = [f"--event={tmp_path}/event.json", f"--env-file={tmp_path}/env"]
        done = subprocess.run(
            examples.command(f"invoke:{variant}", *options),
            cwd=examples.root,
            env=examples.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "ms, invoke " in done.stderr
        lines = done.stdout.splitlines()
        return dict(json.loads(lines[lines.index(f".  invoke:{variant}") + 1]))

    return call


def needs(python: str) -> None:
    """Skip without an interpreter; CI must have that of most examples."""
    names = [Path(os.path.realpath(found)).name for found in interpreters()]
    if f"python{python}" not in names and python != "{}.{}".format(*sys.version_info[:2]):
        assert "CI" not in os.environ or python != "3.13", "CI must have a Python 3.13"
        pytest.skip(f"there is no Python {python} on this machine")


def test_log_redactor(invoke: Invoke) -> None:
    """A batch of CloudWatch Logs comes back without its secrets."""
    needs("3.13")
    data = redactor.cloudwatch(f"token {redactor.GITHUB_TOKEN} of o@example.com")
    event = redactor.firehose_event(redactor.record(data))
    (result,) = invoke("log_redactor", event)["records"]
    assert result["result"] == "Ok"
    batch = json.loads(gzip.decompress(base64.b64decode(result["data"])))
    assert batch["logEvents"][0]["message"] == ("token [REDACTED:github_token] of [REDACTED:email]")


def test_log_redactor_refuses_other_events(invoke: Invoke) -> None:
    """What is not an event of Firehose is an error of the invocation: exit code 1."""
    needs("3.13")
    assert invoke("log_redactor", {}, code=1)["errorType"] == "TypeError"


def test_sales_report(invoke: Invoke, http_event: Event) -> None:
    """Pandas reads a posted file, and the sums are right; a bad file gets 422."""
    needs("3.13")
    event = sales.post(http_event, sales.CSV.encode())
    response = invoke("sales_report", event)
    assert response["statusCode"] == 200
    assert json.loads(response["body"]) == sales.REPORT
    event = sales.post(http_event, b"date,price\n2025-01-30,1\n")
    assert invoke("sales_report", event)["statusCode"] == 422


@pytest.mark.parametrize("python", ["3.12", "3.13"])
def test_team_keys(  # noqa: PLR0913, PLR0917 - fixtures
    invoke: Invoke,
    http_event: Event,
    serve: Serve,
    app_key: rsa.RSAPrivateKey,
    app_key_pem: str,
    python: str,
) -> None:
    """A signed request gets the keys of the team, by way of GitHub's API; an unsigned one 401."""
    needs(python)
    service = FakeGitHub(app_key)
    service.url = serve(service)
    variables = {
        "GITHUB_API_URL": f"{service.url}/api/v3",
        "GITHUB_ORGANIZATION": "example",
        "GITHUB_TEAMS": "platform",
        "GITHUB_APP_CLIENT_ID": keys.CLIENT_ID,
        "GITHUB_APP_INSTALLATION_ID": str(keys.INSTALLATION),
        "GITHUB_APP_PRIVATE_KEY": app_key_pem.replace("\n", "\\n"),
        "SIGNING_SECRET": keys.SIGNING_KEY,
    }
    variant = f"team_keys-py{python}-x86_64"
    event = http_event(path=keys.PATH)
    assert invoke(variant, event, variables)["statusCode"] == 401
    event["headers"] |= keys.signed(keys.PATH)
    response = invoke(variant, event, variables)
    assert response["statusCode"] == 200
    assert f"{keys.MONA_KEY} Mona" in response["body"].splitlines()


def test_webhook_relay(invoke: Invoke, http_event: Event, serve: Serve) -> None:
    """A signed delivery reaches the target as it came; another signature gets 401."""
    needs("3.13")
    target = relay.Target()
    body, key = relay.BODY, relay.SIGNING_KEY
    variables = {"TARGET_URL": serve(target), "WEBHOOK_SECRET": key}
    signature = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    event = http_event(method="POST", body=body)
    event["headers"] |= {"x-hub-signature-256": f"sha256={signature}"}
    response = invoke("webhook_relay", event, variables)
    assert response["statusCode"] == 200
    assert json.loads(response["body"]) == {"status": 204, "attempts": 1}
    assert [received[3] for received in target.received] == [body]
    event["headers"] |= {"x-hub-signature-256": "sha256=0"}
    assert invoke("webhook_relay", event, variables)["statusCode"] == 401
