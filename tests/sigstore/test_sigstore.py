"""An identity signs, and only its bundles of the present ZIPs count."""

import base64
import importlib.util
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import HANDLER, Repository
from tests.sigstore.services import ISSUER, Services, token

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("sigstore") is None and "CI" not in os.environ,
    reason="the package sigstore is not installed",
)

NAME = "https://ci.example.com/acme/lambdas/release.yml@refs/heads/main"
MANIFEST = "version: 1\nlambdas:\n  api: {handler: app.handler}\n  jobs: {handler: app.handler}\n"
# A signature of the public services, of a release of a package on PyPI.
REAL = Path(__file__).with_name("pypi_attestations-0.0.19.sigstore.json")


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    """Give the services of Sigstore."""
    services = Services()
    yield services
    services.stop()


@pytest.fixture
def built(repository: Repository, services: Services) -> Repository:
    """Give two built functions, and the trust configuration of the services."""
    services.refuses = 0
    repository.write({
        "lambdas.yaml": MANIFEST,
        "lambdas/api/app.py": HANDLER,
        "lambdas/jobs/app.py": HANDLER + "# jobs\n",
        "trust.json": services.config(),
    })  # fmt: skip
    # No test reaches the public services.
    repository.environment |= {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    repository.lambdas("build")
    return repository


def sign(repository: Repository, *arguments: str, code: int = 0, name: str = NAME) -> str:
    """Sign with an identity, and return all output."""
    options = ("--sigstore", "--trust-config", "trust.json", *arguments)
    given = {"LAMBDA_ZIP_IDENTITY_TOKEN": token(name)}
    done = repository.lambdas("attest", *options, code=code, **given)
    assert given["LAMBDA_ZIP_IDENTITY_TOKEN"] not in done.output + done.errors
    return done.output + done.errors


def check(repository: Repository, *arguments: str, code: int = 0) -> str:
    """Verify, by default with the identity that signed, and return all output."""
    chosen = arguments or ("--identity", NAME, "--issuer", ISSUER)
    options = ("--attestation", "--trust-config", "trust.json", *chosen)
    done = repository.lambdas("verify", *options, code=code)
    return done.output + done.errors


def bundle(repository: Repository) -> Path:
    return repository.root / "dist/api.sigstore.json"


def test_signed(built: Repository) -> None:
    """Each ZIP gets a bundle of its identity, which verifies with the sha256 of the ZIP."""
    output = sign(built)
    assert f"api: dist/api.sigstore.json, signed by {NAME}" in output
    output = check(built)
    for name, sha256 in built.sha256().items():
        assert f"{name}: dist/{name}.zip is attested by {NAME}, sha256 {sha256}" in output
    payload = json.loads(bundle(built).read_text())["dsseEnvelope"]["payload"]
    built.write(
        {"lambdas.yaml": MANIFEST.replace("lambdas:", "defaults: {evidence: true}\nlambdas:")}
    )
    built.lambdas("build")
    assert (built.root / "dist/api.intoto.json").read_bytes() == base64.b64decode(payload)


@pytest.mark.parametrize(
    ("identity", "issuer", "problem"),
    [
        (NAME.replace("main", "other"), ISSUER, "Certificate's SANs do not match"),
        (NAME, "https://evil.example.com", "Certificate's OIDCIssuer does not match"),
    ],
)
def test_another_identity(built: Repository, identity: str, issuer: str, problem: str) -> None:
    """A bundle of another identity, or of another issuer's, does not count."""
    sign(built, "api")
    arguments = ("api", "--identity", identity, "--issuer", issuer)
    message = check(built, *arguments, code=1)
    assert "dist/api.sigstore.json: the bundle: " in message
    assert problem in message


def other_payload(value: dict[str, Any]) -> None:
    payload = base64.b64decode(value["dsseEnvelope"]["payload"]).replace(b"api.zip", b"bpi.zip")
    value["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()


def other_time(value: dict[str, Any]) -> None:
    value["verificationMaterial"]["tlogEntries"][0]["integratedTime"] = "1700000000"


def no_entry(value: dict[str, Any]) -> None:
    value["verificationMaterial"]["tlogEntries"] = []


@pytest.mark.parametrize("change", [other_payload, other_time, no_entry])
def test_a_changed_bundle(built: Repository, change: Callable[[dict[str, Any]], None]) -> None:
    """A bundle whose statement, time or entry in the log was changed does not count."""
    sign(built, "api")
    value = json.loads(bundle(built).read_text())
    change(value)
    bundle(built).write_text(json.dumps(value))
    message = check(built, "api", "--identity", NAME, "--issuer", ISSUER, code=1)
    assert "error: dist/api.sigstore.json: the bundle: " in message


def test_another_zip(built: Repository) -> None:
    """The bundle of another ZIP, and a changed ZIP, are refused; a build removes the old bundle."""
    sign(built)
    arguments = ("api", "--identity", NAME, "--issuer", ISSUER)
    own = bundle(built).read_bytes()
    bundle(built).write_bytes((built.root / "dist/jobs.sigstore.json").read_bytes())
    assert "it attests the sha256" in check(built, *arguments, code=1)
    bundle(built).write_bytes(own)
    built.write({"lambdas/api/app.py": HANDLER + "# other\n"})
    assert "it attests a build of other inputs" in check(built, *arguments, code=1)
    built.lambdas("build")
    assert not bundle(built).exists()
    assert (built.root / "dist/jobs.sigstore.json").exists()
    assert "'lambdas attest --sigstore api' writes it" in check(built, *arguments, code=1)


def test_an_undeclared_function(built: Repository) -> None:
    """The bundle of an undeclared function goes, even if nothing else is left of the function."""
    sign(built)
    (built.root / "dist/lambdas.json").unlink()
    shutil.rmtree(built.root / "build")
    built.write({"lambdas.yaml": "version: 1\nlambdas:\n  jobs: {handler: app.handler}\n"})
    built.lambdas("build")
    assert not bundle(built).exists()


def test_without_an_identity(built: Repository) -> None:
    """Without an identity nothing is signed, and the message has the lines for CI services."""
    done = built.lambdas("attest", "--sigstore", code=1)
    assert "no identity to sign with: in GitHub Actions set 'permissions: {id-token: write}'" in (
        done.errors
    )
    assert not bundle(built).exists()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("not-a-token", "the identity token: Identity token is malformed"),
        (token(NAME, lifetime=-60), "the identity token: Identity token is malformed"),
        (token(NAME, audience="sts"), "the identity token: Identity token is malformed"),
    ],
)
def test_a_token_of_no_use(built: Repository, given: str, problem: str) -> None:
    """A damaged or expired token, and one for another service, are refused and not shown."""
    done = built.lambdas("attest", "--sigstore", code=1, LAMBDA_ZIP_IDENTITY_TOKEN=given)
    assert problem in done.errors
    assert "; get a new token, with the audience 'sigstore'" in done.errors
    assert given not in done.errors
    assert not bundle(built).exists()


def test_a_damaged_trust_configuration(built: Repository) -> None:
    """The message names the file, for signing and for verifying."""
    sign(built, "api")
    built.write({"broken.json": '{"a":'})
    given = {"LAMBDA_ZIP_IDENTITY_TOKEN": token(NAME)}
    options = ("--trust-config", "broken.json")
    errors = built.lambdas("attest", "--sigstore", *options, code=1, **given).errors
    assert "the keys and addresses of Sigstore: broken.json: " in errors
    whose = ("--attestation", "--identity", NAME, "--issuer", ISSUER)
    errors = built.lambdas("verify", "api", *whose, *options, code=1).errors
    assert "api.sigstore.json: the keys of Sigstore: broken.json: " in errors


def test_a_bundle_of_another_shape(built: Repository) -> None:
    """The library's reason is on one line, and said once."""
    bundle(built).write_text("{}")
    errors = check(built, "api", "--identity", NAME, "--issuer", ISSUER, code=1)
    assert errors.count("mediaType") == 1
    assert "Traceback" not in errors


def test_unreachable(built: Repository) -> None:
    """Public services that cannot be reached are an error, for signing and for verifying."""
    given = {"LAMBDA_ZIP_IDENTITY_TOKEN": token(NAME)}
    done = built.lambdas("attest", "--sigstore", code=1, **given)
    assert "the keys and addresses of Sigstore: Failed to refresh TUF metadata" in done.errors
    assert not bundle(built).exists()
    sign(built, "api")
    options = ("api", "--attestation", "--identity", NAME, "--issuer", ISSUER)
    message = built.lambdas("verify", *options, code=1).errors
    assert "the keys of Sigstore: Failed to refresh TUF metadata" in message
    # Keys of the public services do not trust these services.
    assert "the bundle: " in built.lambdas("verify", *options, "--offline", code=1).errors


def test_refused(built: Repository, services: Services) -> None:
    """The authority's refusal is shown, and nothing is written."""
    services.refuses = 403
    assert "the certificate: 403 Client Error: Forbidden" in sign(built, code=1)
    assert not bundle(built).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--identity", NAME), "it needs '--attestation'"),
        (("--attestation", "--identity", NAME), "it needs '--issuer'"),
        (("--attestation", "--identity", "", "--issuer", ""), "expected a text, found an empty"),
        (("--attestation", "--issuer", ISSUER), "it needs '--identity'"),
        (("--attestation", "--offline"), "it needs '--identity'"),
        (
            ("--attestation", "--key", "k", "--identity", NAME, "--issuer", ISSUER),
            "it does not go together with '--key'",
        ),
    ],
)
def test_options(built: Repository, options: tuple[str, ...], message: str) -> None:
    """Options that mean nothing without others are refused."""
    assert message in built.lambdas("verify", *options, code=2).errors


REAL_NAME = (
    "https://github.com/trailofbits/pypi-attestations/.github/workflows/release.yml"
    "@refs/tags/v0.0.19"
)
REAL_ISSUER = "https://token.actions.githubusercontent.com"


@pytest.mark.parametrize(
    ("identity", "changed", "problem"),
    [
        (REAL_NAME, False, "the signed statement is no provenance of a ZIP"),
        (REAL_NAME.replace("v0.0.19", "v0.0.20"), False, "SANs do not match"),
        (REAL_NAME, True, "the bundle: "),
    ],
)
def test_a_real_bundle(built: Repository, identity: str, changed: bool, problem: str) -> None:
    """A bundle of the public services verifies offline, with its identity and as it is; then its
    statement is looked at, which is of another project's build.
    """
    value = json.loads(REAL.read_text())
    if changed:
        payload = base64.b64decode(value["dsseEnvelope"]["payload"]).replace(b"0.0.19", b"0.0.18")
        value["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    bundle(built).write_text(json.dumps(value))
    options = ("--attestation", "--offline", "--identity", identity, "--issuer", REAL_ISSUER)
    message = built.lambdas("verify", "api", *options, code=1).errors
    assert problem in message
    assert ("the bundle: " in message) is (changed or identity != REAL_NAME)
