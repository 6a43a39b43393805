"""A farm with TLS, configured as Dask does it: by `DASK_DISTRIBUTED__COMM__TLS__...`."""

import datetime as dt
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conftest import Repository
from tests.farm.clusters import Cluster, cluster
from tests.remote.servers import using


def authority(folder: Path, name: str) -> dict[str, str]:
    """Write a new CA with one certificate for all machines; return the variables for Dask."""
    folder.mkdir()
    now = dt.datetime.now(dt.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} CA")])
    key = ec.generate_private_key(ec.SECP256R1())

    def certificate(subject: x509.Name, public: ec.EllipticCurvePublicKey, *, ca: bool) -> bytes:
        addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        )
        made = builder.sign(ca_key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM)

    machine = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    paths = {part: folder / f"{part}.pem" for part in ("ca", "cert", "key")}
    paths["ca"].write_bytes(certificate(ca_name, ca_key.public_key(), ca=True))
    paths["cert"].write_bytes(certificate(machine, key.public_key(), ca=False))
    paths["key"].write_bytes(secret)
    found = {"DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(paths["ca"])}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        found[f"DASK_DISTRIBUTED__COMM__TLS__{role}__CERT"] = str(paths["cert"])
        found[f"DASK_DISTRIBUTED__COMM__TLS__{role}__KEY"] = str(paths["key"])
    return found | {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"}


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, str]:
    """Give the variables with the certificates of the farm."""
    return authority(tmp_path / "ca", "farm")


@pytest.fixture
def encrypted(
    tmp_path: Path, variables: dict[str, str], certificates: dict[str, str]
) -> Iterator[Cluster]:
    """Give a cluster with TLS, and one worker."""
    environment = variables | certificates
    with cluster(tmp_path / "own", environment, ("--protocol", "tls")) as found:
        found.worker()
        yield found


def test_tls(
    small: Repository, encrypted: Cluster, certificates: dict[str, str], tmp_path: Path
) -> None:
    """A client with a certificate of the farm builds there; one without it, or with one of another
    authority, does not get in.
    """
    assert encrypted.address.startswith("tls://")
    foreign = authority(tmp_path / "other", "other")
    for variables in ({}, foreign):
        done = using(small, variables).lambdas("build", "--farm", encrypted.address, code=3)
        assert f"no Dask scheduler answered at {encrypted.address}" in done.errors
        assert "needs the certificates of Dask's configuration" in done.errors
    plain = encrypted.address.replace("tls://", "tcp://")
    done = small.lambdas("build", "--farm", plain, code=3)
    assert f"no Dask scheduler answered at {plain}" in done.errors
    done = using(small, certificates).lambdas("build", "--farm", encrypted.address)
    assert "4 built on the farm" in done.output
