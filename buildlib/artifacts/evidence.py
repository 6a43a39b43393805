"""The evidence of a ZIP: a bill of materials and a statement of provenance.

Both depend on the ZIP, its recipe and its layers alone, not on a clock, a host or chance. So the
same inputs give the same evidence, even if the ZIP comes from a store.

Sources: package URLs (ECMA-427), in-toto Statement v1, SLSA provenance v1.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from buildlib import __version__, contract, recipe
from buildlib.artifacts import bill
from buildlib.layout import Layout
from buildlib.model import Variant, Written
from buildlib.recipe import Recipe

_TOOL = f"pkg:pypi/doit-lambda-zip@{__version__}"


# The type of the build; docs/reference/checks.md documents its parameters.
BUILD_TYPE = f"urn:doit-lambda-zip:byte-contract:{contract.CONTRACT}"


Json = dict[str, Any]


def make(  # noqa: PLR0913, PLR0917 - a description has these parts
    layout: Layout,
    variant: Variant,
    inputs: Recipe,
    written: Written,
    path: Path,
    layers: Sequence[bill.Layer] = (),
) -> dict[Path, bytes]:
    """Return the content of both files for the ZIP at `path`, by their paths."""
    bom, statement = layout.evidence(variant.id)
    return {
        bom: _text(bill.of(bill.Layer(variant, inputs, written, path), layers)),
        statement: provenance(layout, variant, inputs, written),
    }


def provenance(layout: Layout, variant: Variant, inputs: Recipe, written: Written) -> bytes:
    """Return the statement of provenance of a ZIP, as `make` does."""
    subject = layout.relative_zip(variant.id)
    return _text(_provenance(variant, inputs, written, subject))


def _text(value: Json) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


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
        return {"name": name, "uri": bill.purl(name, pin), "digest": {"sha256": hashes[0]}}
    return {"name": name, "uri": bill.purl(name, pin), "annotations": {"sha256": hashes}}
