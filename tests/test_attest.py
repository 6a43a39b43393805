"""An attestation says who vouches that a ZIP was built from which inputs."""

import base64
import json
from typing import Any

import pytest

from tests.conftest import HANDLER, Repository
from tests.remote.forging import Keys, make_keys

MANIFEST = (
    "version: 1\nlambdas:\n  api:\n    handler: app.handler\n  jobs:\n    handler: app.handler\n"
)


@pytest.fixture(scope="module")
def keys() -> Keys:
    """Give a key pair."""
    return make_keys()


@pytest.fixture
def attested(repository: Repository, keys: Keys) -> Repository:
    """Give two functions, built and attested."""
    files = {"lambdas/api/app.py": HANDLER, "lambdas/jobs/app.py": HANDLER}
    repository.write({"lambdas.yaml": MANIFEST, **files})
    repository.lambdas("build")
    sign(repository, keys)
    return repository


def sign(repository: Repository, keys: Keys, *names: str, code: int = 0) -> str:
    """Sign attestations, and return the errors."""
    key = keys.private
    return repository.lambdas("attest", *names, code=code, LAMBDA_ZIP_SIGNING_KEY=key).errors


def check(repository: Repository, *arguments: str, code: int | None = 0) -> str:
    """Verify the attestations, and return all output."""
    result = repository.lambdas("verify", "--attestation", *arguments, code=code)
    return result.output + result.errors


def envelope(repository: Repository) -> dict[str, Any]:
    """Return the signed envelope of a function."""
    value: dict[str, Any] = json.loads((repository.root / "dist/api.intoto.dsse.json").read_text())
    return value


def test_attested(attested: Repository, keys: Keys) -> None:
    """Both ZIPs are attested by the trusted key, with the sha256 that they have."""
    output = check(attested, "--key", keys.public)
    for name, sha256 in attested.sha256().items():
        assert f"{name}: dist/{name}.zip is attested by the key {keys.public}, sha256 {sha256}" in (
            output
        )


def test_the_statement_is_that_of_the_evidence(attested: Repository) -> None:
    """The signed payload is the statement of provenance that `evidence: true` writes."""
    payload = base64.b64decode(envelope(attested)["payload"])
    attested.write(
        {"lambdas.yaml": MANIFEST.replace("lambdas:", "defaults: {evidence: true}\nlambdas:")}
    )
    attested.lambdas("build")
    assert (attested.root / "dist/api.intoto.json").read_bytes() == payload


def test_attested_twice_is_the_same_file(attested: Repository, keys: Keys) -> None:
    """The signature depends on the key and the ZIP alone."""
    before = (attested.root / "dist/api.intoto.dsse.json").read_bytes()
    sign(attested, keys, "api")
    assert (attested.root / "dist/api.intoto.dsse.json").read_bytes() == before


def test_keys_of_the_manifest(attested: Repository, keys: Keys) -> None:
    """Without `--key`, the trusted keys are those of the manifest, by their names."""
    trust = f"cache:\n  trust: signed\n  keys:\n    ci: {keys.public}\n"
    attested.write({"lambdas.yaml": MANIFEST + trust})
    assert "dist/api.zip is attested by 'ci'" in check(attested)


def test_another_key(attested: Repository) -> None:
    """A signature of a key that is not trusted counts for nothing."""
    output = check(attested, "--key", make_keys().public, code=1)
    assert "dist/api.intoto.dsse.json: no trusted key has signed it" in output
    assert "dist/jobs.intoto.dsse.json: no trusted key has signed it" in output
    assert "is attested" not in output


def test_a_changed_statement(attested: Repository, keys: Keys) -> None:
    """A statement that somebody edited is not the one that was signed."""
    value = envelope(attested)
    text = base64.b64decode(value["payload"]).replace(b'"api"', b'"apj"')
    value["payload"] = base64.b64encode(text).decode()
    attested.write({"dist/api.intoto.dsse.json": json.dumps(value)})
    assert "no trusted key has signed it" in check(attested, "api", "--key", keys.public, code=1)


def test_another_zip(attested: Repository, keys: Keys) -> None:
    """A genuine attestation of other bytes does not vouch for these."""
    path = attested.root / "dist/api.zip"
    path.write_bytes(path.read_bytes() + b"\0")
    output = check(attested, "api", "--key", keys.public, code=1)
    assert "it attests the sha256" in output
    assert "but the ZIP has" in output


def test_the_attestation_of_another_function(attested: Repository, keys: Keys) -> None:
    """The attestation of one function does not vouch for another one."""
    attested.write({"lambdas/jobs/app.py": HANDLER + "\n"})
    attested.lambdas("build")
    sign(attested, keys)
    dist = attested.root / "dist"
    (dist / "jobs.intoto.dsse.json").write_bytes((dist / "api.intoto.dsse.json").read_bytes())
    assert "it attests the sha256" in check(attested, "jobs", "--key", keys.public, code=1)


def test_other_inputs(attested: Repository, keys: Keys) -> None:
    """An attestation of an earlier commit is not one of this checkout."""
    attested.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    output = check(attested, "api", "--key", keys.public, code=1)
    assert "it attests a build of other inputs" in output


def test_a_new_zip_drops_the_attestation(attested: Repository, keys: Keys) -> None:
    """dist/ never has the attestation of an earlier ZIP; that of an unchanged one stays."""
    attested.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    attested.lambdas("build")
    assert not (attested.root / "dist/api.intoto.dsse.json").exists()
    output = check(attested, "--key", keys.public, code=1)
    assert (
        "dist/api.intoto.dsse.json is missing or damaged; 'lambdas attest api' writes it" in output
    )
    assert "dist/jobs.zip is attested" in output
    attested.lambdas("clean")
    assert not (attested.root / "dist").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null", '{"payloadType": 1}', "[" * 9999])
def test_a_damaged_file(attested: Repository, keys: Keys, content: str) -> None:
    """A file of any other shape is refused with a message."""
    attested.write({"dist/api.intoto.dsse.json": content})
    output = check(attested, "api", "--key", keys.public, code=1)
    assert "error: dist/api.intoto.dsse.json" in output
    assert "Traceback" not in output


def test_another_statement(attested: Repository, keys: Keys) -> None:
    """A trusted key that signed something else does not vouch for a ZIP."""
    from buildlib.remote.signing import Signer

    for payload in (b"[]", b"{}", b'{"subject": [{"digest": {"sha256": "0"}}]}', b"\xff"):
        signed = Signer(keys.private).envelope(payload, "application/vnd.in-toto+json")
        attested.write({"dist/api.intoto.dsse.json": json.dumps(signed)})
        output = check(attested, "api", "--key", keys.public, code=1)
        assert "the signed statement is no provenance of a ZIP" in output


def test_nothing_to_attest(attested: Repository, keys: Keys) -> None:
    """A ZIP of earlier inputs is not attested, and the message says what to do."""
    attested.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    assert "run 'lambdas build' first" in sign(attested, keys, "api", code=1)


def test_mistakes(attested: Repository, keys: Keys) -> None:
    """Without a key, or with something else, nothing is signed or verified."""
    assert "openssl genpkey" in attested.lambdas("attest", code=1).errors
    wrong = attested.lambdas("attest", code=1, LAMBDA_ZIP_SIGNING_KEY=keys.private[:60])
    assert "not an Ed25519 private key" in wrong.errors
    assert keys.private[40:60] not in wrong.errors
    assert "name public keys with '--key'" in check(attested, code=1)
    assert "'nothing': there is no such file" in check(attested, "--key", "nothing", code=1)
    for private in (keys.private, "".join(keys.private.splitlines()[1:-1])):
        output = check(attested, "--key", private, code=1)
        assert "the value: not an Ed25519 public key" in output
        assert keys.private.splitlines()[1] not in output
    assert "not an Ed25519 public key" in check(attested, "--key", keys.public[:-8], code=1)
    assert "needs '--attestation'" in attested.lambdas("verify", "--key", "x", code=None).errors


def test_a_key_of_openssl(attested: Repository, keys: Keys) -> None:
    """The public key may be a PEM file, as openssl writes it."""
    lines = ["-----BEGIN PUBLIC KEY-----", keys.public, "-----END PUBLIC KEY-----", ""]
    attested.write({"ci.pem": "\n".join(lines)})
    assert "is attested by the key ci.pem" in check(attested, "--key", "ci.pem")
