"""Sign the provenance of ZIPs, and verify signatures.

The statement is that of the evidence (in-toto Statement v1 with SLSA provenance v1), in an envelope
of DSSE version 1.0.2. The signature is Ed25519, so that the same key and the same ZIP give the same
file; or Sigstore's, by an identity instead of a key, in a bundle.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from buildlib.artifacts import evidence
from buildlib.cache import digests
from buildlib.errors import BuildError, VerifyError
from buildlib.files import atomic
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.remote import signing

Open = Callable[[Path], tuple[str, bytes]]
"""Returns who signed a file, and the statement in it; raises `BuildError` if nobody trusted did."""


def attest(project: Project, variant: Variant, signer: signing.Signer) -> str:
    """Sign the provenance of a variant's ZIP, and return a line about it.

    Raises:
        VerifyError: the ZIP is missing or out of date.

    """
    layout = project.layout
    envelope = signer.envelope(statement(project, variant), signing.IN_TOTO)
    path = layout.attestation(variant.id)
    atomic.write(path, f"{json.dumps(envelope, indent=2)}\n".encode(), ours=True)
    return f"{variant.id}: {layout.relative(path)}, signed with the key {signer.id}"


def statement(project: Project, variant: Variant) -> bytes:
    """Return the provenance of a variant's ZIP.

    Raises:
        VerifyError: the ZIP is missing or out of date.

    """
    written = project.status(variant).written
    if written is None:
        msg = f"{variant.id}: dist/ has no ZIP of its present inputs; run 'lambdas build' first"
        raise VerifyError(msg)
    recipe = project.inputs(variant).recipe
    return evidence.provenance(project.layout, variant, recipe, written)


def by_key(keys: Mapping[str, str], shown: Callable[[Path], str]) -> Open:
    """Return how to open attestations that one of some keys has signed.

    `keys` are the names of the trusted public keys, by these as base64 of their DER.
    """

    def opened(path: Path) -> tuple[str, bytes]:
        found = signing.opened(atomic.read_json(path), signing.IN_TOTO, keys)
        if found is None:
            trusted = ", ".join(sorted(keys.values()))
            msg = f"{shown(path)}: no trusted key has signed it as it is; trusted: {trusted}"
            raise VerifyError(msg)
        return keys[found[0]], found[1]

    return opened


def check(project: Project, variant: Variant, path: Path, opened: Open) -> str:
    """Verify the attestation of a variant's ZIP in a file; return a line that names the signer.

    Raises:
        BuildError: with everything that is wrong.

    """
    layout, artifact = project.layout, project.layout.zip(variant.id)
    shown = layout.relative(path)
    if atomic.read_json(path) is None:
        option = "" if path == layout.attestation(variant.id) else " --sigstore"
        msg = f"{shown} is missing or damaged; 'lambdas attest{option} {variant.id}' writes it"
        raise VerifyError(msg)
    signer, payload = opened(path)
    try:
        sha256 = digests.sha256(artifact)
    except FileNotFoundError:
        msg = f"{layout.relative(artifact)} does not exist; restore or build it, then verify again"
        raise VerifyError(msg) from None
    if problems := [*_problems(project, variant, _statement(payload), sha256)]:
        raise VerifyError("\n".join(f"{shown}: {problem}" for problem in problems))
    return f"{variant.id}: {layout.relative(artifact)} is attested by {signer}, sha256 {sha256}"


def _statement(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _problems(
    project: Project, variant: Variant, statement: dict[str, Any], sha256: str
) -> Iterator[str]:
    """Yield how a signed statement differs from a ZIP, and from the inputs of this checkout."""
    try:
        subjects = [one["digest"]["sha256"] for one in statement["subject"]]
        definition = statement["predicate"]["buildDefinition"]
        found = (statement["predicateType"], definition["buildType"])
        key = definition["internalParameters"]["key"]
    except (KeyError, TypeError):
        yield "the signed statement is no provenance of a ZIP"
        return
    expected = ("https://slsa.dev/provenance/v1", evidence.BUILD_TYPE)
    if found != expected:
        yield f"it states {' of '.join(map(str, found))}; expected {' of '.join(expected)}"
    if subjects != [sha256]:
        attested = ", ".join(map(str, subjects))
        yield f"it attests the sha256 {attested}, but the ZIP has {sha256}"
    try:
        present = project.inputs(variant).key
    except BuildError as error:
        yield f"the inputs of this checkout are unknown: {error}"
        return
    if key != present:
        yield (
            "it attests a build of other inputs; check out the commit that the ZIP was built from, "
            f"or build and attest '{variant.id}' again"
        )
