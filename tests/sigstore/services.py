"""Sigstore on this machine: an authority for certificates and a log, which its client trusts.

The library of the tested code is the real client: it checks the certificate, the timestamp of the
certificate's log (RFC 6962), the entry of the log with its proof, and the signature.
"""

import base64
import hashlib
import json
import struct
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.remote.servers import reply, serve

ISSUER = "https://token.example.com"
_ISSUERS, _TIMESTAMPS = "1.3.6.1.4.1.57264.1", "1.3.6.1.4.1.11129.2.4.2"
_START = "2020-01-01T00:00:00Z"


def token(identity: str, lifetime: int = 600, audience: str = "sigstore") -> str:
    """Return a token of an identity; nobody but the services checks its signature."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": identity, "aud": audience, "iat": now, "exp": now + lifetime}
    parts = [{"alg": "RS256", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(one).encode()).decode() for one in parts]
    return ".".join([*(one.rstrip("=") for one in encoded), "c2lnbmF0dXJl"])


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, form)


def _signed(key: ec.EllipticCurvePrivateKey, content: bytes) -> bytes:
    return key.sign(content, ec.ECDSA(hashes.SHA256()))


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


class Services:
    """The services. `refuses` is a status with which the authority answers."""

    def __init__(self) -> None:
        self.authority, self.timestamps, self.log = (
            ec.generate_private_key(ec.SECP256R1()) for _ in range(3)
        )
        self.root = self._root()
        self.entries: list[dict[str, Any]] = []
        self.refuses = 0
        self.server = serve(self._answer)
        self.port = int(self.server.server_address[1])

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def config(self) -> str:
        """Return the trust configuration of a client."""
        keys = {"hashAlgorithm": "SHA2_256", "baseUrl": self.url}
        valid = {"validFor": {"start": _START}}

        def log(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
            content = _public(key)
            public = {"rawBytes": _text(content), "keyDetails": "PKIX_ECDSA_P256_SHA_256", **valid}
            return {
                **keys,
                "publicKey": public,
                "logId": {"keyId": _text(hashlib.sha256(content).digest())},
            }

        service = [{"url": self.url, "majorApiVersion": 1, "operator": "test", **valid}]
        root = _text(self.root.public_bytes(serialization.Encoding.DER))
        media = "application/vnd.dev.sigstore"
        return json.dumps({
            "mediaType": f"{media}.clienttrustconfig.v0.1+json",
            "trustedRoot": {
                "mediaType": f"{media}.trustedroot+json;version=0.1",
                "tlogs": [log(self.log)],
                "ctlogs": [log(self.timestamps)],
                "certificateAuthorities": [
                    {
                        "subject": {"organization": "test", "commonName": "test"},
                        "uri": self.url,
                        "certChain": {"certificates": [{"rawBytes": root}]},
                        **valid,
                    }
                ],
                "timestampAuthorities": [],
            },
            "signingConfig": {
                "mediaType": f"{media}.signingconfig.v0.2+json",
                "caUrls": service,
                "oidcUrls": service,
                "rekorTlogUrls": service,
                "tsaUrls": [],
                "rekorTlogConfig": {"selector": "ANY"},
                "tsaConfig": {"selector": "ANY"},
            },
        })  # fmt: skip

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        if request.path == "/api/v2/signingCert" and self.refuses:
            reply(request, self.refuses, b'{"message": "the identity is not known here"}')
        elif request.path == "/api/v2/signingCert":
            bearer = request.headers["Authorization"].removeprefix("Bearer ")
            reply(request, 200, json.dumps(self._certificate(json.loads(body), bearer)).encode())
        elif request.path == "/api/v1/log/entries":
            reply(request, 201, json.dumps(self._entry(json.loads(body))).encode())
        else:
            reply(request, 404)

    def _root(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        builder = x509.CertificateBuilder(name, name, self.authority.public_key(), 1)
        now = datetime.now(UTC)
        builder = builder.not_valid_before(now - timedelta(days=1))
        builder = builder.not_valid_after(now + timedelta(days=1))
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
            encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = builder.add_extension(usage, critical=True)
        subject = x509.SubjectKeyIdentifier.from_public_key(self.authority.public_key())
        return builder.add_extension(subject, critical=False).sign(self.authority, hashes.SHA256())

    def _certificate(self, given: dict[str, Any], bearer: str) -> dict[str, Any]:
        """Return a certificate for the identity of a token, and the authority's own."""
        part = bearer.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        pem = base64.b64decode(given["certificateSigningRequest"])
        wanted = x509.load_pem_x509_csr(pem)
        assert wanted.is_signature_valid
        key = wanted.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        name = x509.Name([])
        builder = x509.CertificateBuilder(self.root.subject, name, key, x509.random_serial_number())
        now = datetime.now(UTC)
        builder = builder.not_valid_before(now - timedelta(minutes=1))
        builder = builder.not_valid_after(now + timedelta(minutes=10))
        usage = x509.KeyUsage(
            digital_signature=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, key_cert_sign=False, crl_sign=False,
            encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = builder.add_extension(usage, critical=True)
        signing = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        builder = builder.add_extension(signing, critical=False)
        identity = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(claims["sub"])])
        builder = builder.add_extension(identity, critical=True)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key())
        builder = builder.add_extension(authority, critical=False)
        issuer = claims["iss"].encode()
        for number, value in ((1, issuer), (8, bytes([0x0C, len(issuer)]) + issuer)):
            kind = ObjectIdentifier(f"{_ISSUERS}.{number}")
            text = x509.UnrecognizedExtension(kind, value)
            builder = builder.add_extension(text, critical=False)
        before = builder.sign(self.authority, hashes.SHA256())
        proof = x509.UnrecognizedExtension(
            ObjectIdentifier(_TIMESTAMPS), self._timestamp(before.tbs_certificate_bytes)
        )
        made = builder.add_extension(proof, critical=False).sign(self.authority, hashes.SHA256())
        chain = [one.public_bytes(serialization.Encoding.PEM).decode() for one in (made, self.root)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def _timestamp(self, certificate: bytes) -> bytes:
        """Return the list of signed timestamps of a certificate (RFC 6962, 3.2 and 3.3)."""
        now = struct.pack(">Q", int(time.time() * 1000))
        issuer = hashlib.sha256(_public(self.authority)).digest()
        size = len(certificate).to_bytes(3, "big")
        signed = _signed(
            self.timestamps, b"\0\0" + now + b"\0\1" + issuer + size + certificate + b"\0\0"
        )
        log = hashlib.sha256(_public(self.timestamps)).digest()
        one = b"\0" + log + now + b"\0\0" + b"\4\3" + struct.pack(">H", len(signed)) + signed
        row = struct.pack(">H", len(one)) + one
        rows = struct.pack(">H", len(row)) + row
        return bytes([4, len(rows)]) + rows

    def _entry(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the entry of a log that has no other one."""
        proposed = given["spec"]["proposedContent"]
        envelope = json.loads(proposed["envelope"])
        payload = base64.b64decode(envelope["payload"])
        signed = envelope["signatures"][0]["sig"]

        def digest(content: bytes) -> dict[str, str]:
            return {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()}

        spec = {
            "envelopeHash": digest(proposed["envelope"].encode()),
            "payloadHash": digest(payload),
            "signatures": [{"signature": signed, "verifier": proposed["verifiers"][0]}],
        }
        body = _canonical({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
        key = hashlib.sha256(_public(self.log)).digest()
        root = hashlib.sha256(b"\0" + body).digest()
        note = f"localhost - 1\n1\n{_text(root)}\n"
        stamp = _text(key[:4] + _signed(self.log, note.encode()))
        entry = {
            "body": _text(body),
            "integratedTime": int(time.time()),
            "logID": key.hex(),
            "logIndex": 0,
        }
        promise = _text(_signed(self.log, _canonical(entry)))
        proof = {
            "checkpoint": f"{note}\n\u2014 localhost {stamp}\n",
            "hashes": [],
            "logIndex": 0,
            "rootHash": root.hex(),
            "treeSize": 1,
        }
        verification = {"inclusionProof": proof, "signedEntryTimestamp": promise}
        self.entries.append(entry)
        return {root.hex(): {**entry, "verification": verification}}


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
