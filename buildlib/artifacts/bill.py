"""The bill of materials of a ZIP, as CycloneDX 1.6 (ECMA-424).

It lists the locked packages with the libraries inside of them, the machine code of no package, and
the layers of the function with their own components.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from buildlib import __version__
from buildlib.archive import distributions
from buildlib.artifacts import bundled
from buildlib.model import Variant, Written
from buildlib.recipe import Recipe
from buildlib.runtimes import RUNTIMES
from buildlib.text import canonical_name
from buildlib.uv.redact import without_credentials

Json = dict[str, Any]


class Layer(NamedTuple):
    """A ZIP to describe: of a function, or of a layer that one uses.

    `written` is None for a layer whose ZIP of the present inputs is not at `path`.
    """

    variant: Variant
    inputs: Recipe
    written: Written | None
    path: Path


def of(function: Layer, layers: Sequence[Layer] = ()) -> Json:
    """Return the bill of materials of a ZIP, and of the layers that it is used with."""
    subject = _subject(function)
    components = [
        *_contents(function),
        *(_layer(layer) for layer in layers),
        *(_deployed(arn) for arn in function.variant.function.arns),
    ]
    bom = {
        "metadata": {
            "tools": {
                "components": [
                    {"type": "application", "name": "doit-lambda-zip", "version": __version__}
                ]
            },
            "component": subject,
        },
        "components": components,
        "dependencies": [
            {"ref": subject["bom-ref"], "dependsOn": [c["bom-ref"] for c in components]}
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
    text = json.dumps(bom, indent=2, ensure_ascii=False) + "\n"
    h = hashlib.sha256(text.encode()).hexdigest()
    return f"urn:uuid:{h[:8]}-{h[8:12]}-8{h[13:16]}-8{h[17:20]}-{h[20:32]}"


def _subject(one: Layer) -> Json:
    """Return the component that a ZIP is."""
    variant = one.variant
    subject: Json = {
        "type": "application",
        "bom-ref": f"lambda:{variant.id}",
        "name": variant.function.name,
    }
    if one.written:
        subject["hashes"] = [{"alg": "SHA-256", "content": one.written.sha256}]
    subject["properties"] = [
        {"name": "aws:lambda:runtime", "value": RUNTIMES[variant.python].identifier},
        {"name": "aws:lambda:architecture", "value": variant.architecture},
    ]
    return subject


def _layer(layer: Layer) -> Json:
    """Return a layer that is built here: its ZIP, and its components."""
    subject = _subject(layer)
    prefix = f"{subject['bom-ref']}/"
    return subject | {"components": [_below(prefix, one) for one in _contents(layer)]}


def _below(prefix: str, component: Json) -> Json:
    """Return a component for another place in the bill: each reference is unique there."""
    moved = component | {"bom-ref": prefix + component["bom-ref"]}
    if "components" in component:
        moved["components"] = [_below(prefix, one) for one in component["components"]]
    return moved


def _deployed(arn: str) -> Json:
    """Return a layer that another project deploys; its content is not known here."""
    name, version = arn.split(":")[-2:]
    return {
        "type": "application",
        "bom-ref": arn,
        "name": name,
        "version": version,
        "properties": [{"name": "aws:lambda:layer", "value": arn}],
    }


def _contents(one: Layer) -> Iterator[Json]:
    """Yield the packages of a ZIP with their own components, and the machine code of none."""
    packages: dict[str, list[str]] = one.inputs["environment"]["packages"]
    found = bundled.find(one.path, one.written.sha256) if one.written else bundled.NOTHING
    for name, pin in packages.items():
        component = _component(name, pin, found.metadata.get(canonical_name(name)))
        if inside := bundled.components(found, name, component["bom-ref"]):
            component["components"] = inside
        yield component
    yield from bundled.components(found, "", "")


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
