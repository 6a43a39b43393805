"""The evidence of a ZIP: a bill of materials and a statement of provenance.

Both depend on the ZIP and its recipe alone, not on a clock, a host or chance. So the same inputs
give the same evidence, even if the ZIP comes from a store.

Sources: CycloneDX 1.6 (ECMA-424), package URLs (ECMA-427), in-toto Statement v1, SLSA provenance
v1.
"""

import hashlib
import json
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import quote

from buildlib import __version__, contract, recipe
from buildlib.archive import distributions
from buildlib.archive.reader import ZipReader
from buildlib.layout import Layout
from buildlib.model import Variant, Written
from buildlib.recipe import Recipe
from buildlib.runtimes import RUNTIMES
from buildlib.uv.redact import without_credentials

_TOOL = f"pkg:pypi/doit-lambda-zip@{__version__}"


# The type of the build; docs/reference/checks.md documents its parameters.
BUILD_TYPE = f"urn:doit-lambda-zip:byte-contract:{contract.CONTRACT}"


Json = dict[str, Any]


def make(
    layout: Layout, variant: Variant, inputs: Recipe, written: Written, path: Path
) -> dict[Path, bytes]:
    """Return the content of both files for the ZIP at `path`, by their paths."""
    bom, statement = layout.evidence(variant.id)
    return {
        bom: _text(_bom(variant, inputs, written, ZipReader(path))),
        statement: provenance(layout, variant, inputs, written),
    }


def provenance(layout: Layout, variant: Variant, inputs: Recipe, written: Written) -> bytes:
    """Return the statement of provenance of a ZIP, as `make` does."""
    subject = layout.relative_zip(variant.id)
    return _text(_provenance(variant, inputs, written, subject))


def _text(value: Json) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _bom(variant: Variant, inputs: Recipe, written: Written, archive: ZipReader) -> Json:
    metadata = distributions.metadata(archive)
    packages: dict[str, list[str]] = inputs["environment"]["packages"]
    components = [_component(name, pin, metadata.get(name)) for name, pin in packages.items()]
    libraries = list(_libraries(variant, archive))
    reference = f"lambda:{variant.id}"
    bom = {
        "metadata": {
            "tools": {
                "components": [
                    {"type": "application", "name": "doit-lambda-zip", "version": __version__}
                ]
            },
            "component": {
                "type": "application",
                "bom-ref": reference,
                "name": variant.function.name,
                "hashes": [{"alg": "SHA-256", "content": written.sha256}],
                "properties": [
                    {"name": "aws:lambda:runtime", "value": RUNTIMES[variant.python].identifier},
                    {"name": "aws:lambda:architecture", "value": variant.architecture},
                ],
            },
        },
        "components": components + libraries,
        "dependencies": [
            {"ref": reference, "dependsOn": [c["bom-ref"] for c in components + libraries]}
        ],
    }
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": _serial(bom),
        "version": 1,
        **bom,
    }


def _serial(bom: Json) -> str:
    """Return a UUID (RFC 9562, version 8) of the document, which includes the ZIP's sha256."""
    h = hashlib.sha256(_text(bom)).hexdigest()
    return f"urn:uuid:{h[:8]}-{h[8:12]}-8{h[13:16]}-8{h[17:20]}-{h[20:32]}"


def _component(name: str, pin: list[str], metadata: Message | None) -> Json:
    version, *hashes = pin
    url = purl(name, pin, metadata)
    component: Json = {
        "type": "library",
        "bom-ref": url,
        "name": metadata.get("Name", name) if metadata else name,
    }
    version = distributions.version(pin, metadata)
    if version:
        component["version"] = version
    allowed = [{"alg": "SHA-256", "content": value.removeprefix("sha256:")} for value in hashes]
    if len(allowed) == 1:
        component["hashes"] = allowed
    if licences := _licences(metadata) if metadata else []:
        component["licenses"] = licences
    component["purl"] = url
    if len(allowed) > 1:
        component["externalReferences"] = [
            {
                "type": "distribution",
                "url": url,
                "comment": "the files that the lock allows; the best for the runtime is installed",
                "hashes": allowed,
            }
        ]
    return component


def purl(name: str, pin: list[str], metadata: Message | None = None) -> str:
    """Return the package URL of a pinned distribution."""
    version = distributions.version(pin, metadata)
    text = f"pkg:pypi/{name}" + (f"@{quote(version, safe='.')}" if version else "")
    if pin[0].startswith("@"):
        address = without_credentials(pin[0].removeprefix("@").strip())
        text += f"?download_url={quote(address, safe='')}"
    return text


def _licences(metadata: Message) -> list[Json]:
    expression, names = distributions.licences(metadata)
    if expression:
        return [{"expression": expression}]
    return [{"license": {"name": name}} for name in names]


def _libraries(variant: Variant, archive: ZipReader) -> Iterator[Json]:
    """Yield the components for the files that were copied from the image."""
    docker = variant.function.docker
    names = {f"lib/{path.rpartition('/')[2]}" for path in docker.libraries} if docker else set()
    for member in archive.members:
        if member.name in names:
            digest = hashlib.sha256(archive.content(member) or b"").hexdigest()
            yield {
                "type": "file",
                "bom-ref": f"file:{member.name}",
                "name": member.name,
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }


def _provenance(variant: Variant, inputs: Recipe, written: Written, subject: str) -> Json:
    environment = inputs["environment"]
    options = {key: value for key, value in inputs.items() if key not in {"environment", "files"}}
    target = {key: value for key, value in environment.items() if key != "packages"}
    encoder = inputs["encoder"].split(" ")
    tools = {"doit-lambda-zip": __version__}
    if len(encoder) > 1:
        tools[encoder[0]] = encoder[1]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": subject, "digest": {"sha256": written.sha256}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"lambda": variant.function.name, **options},
                "internalParameters": {"key": recipe.key(inputs), "environment": target},
                "resolvedDependencies": [
                    *(_package(name, pin) for name, pin in environment["packages"].items()),
                    *(
                        {"name": name, "digest": {"sha256": digest}}
                        for name, digest in inputs["files"].items()
                    ),
                ],
            },
            "runDetails": {"builder": {"id": _TOOL, "version": tools}},
        },
    }


def _package(name: str, pin: list[str]) -> Json:
    hashes = [value.removeprefix("sha256:") for value in pin[1:]]
    if len(hashes) == 1:
        return {"name": name, "uri": purl(name, pin), "digest": {"sha256": hashes[0]}}
    return {"name": name, "uri": purl(name, pin), "annotations": {"sha256": hashes}}
