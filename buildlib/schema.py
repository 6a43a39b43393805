"""The JSON Schema of the manifest, made from the table that reads it."""

import json
from typing import Any

from buildlib.manifest import DEFAULT_KEYS, LAMBDA_KEYS, NAME, SIZE, Key
from buildlib.runtimes import UNZIPPED_LIMIT

_SIZE = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": UNZIPPED_LIMIT},
        {"type": "string", "pattern": f"^{SIZE}$"},
    ]
}


def schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12), for editors to complete and check with."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lambdas.yaml",
        "description": "AWS Lambda functions in Python to build as reproducible ZIPs.",
        "type": "object",
        "required": ["version", "lambdas"],
        "additionalProperties": False,
        "properties": {
            "version": {"const": 1, "description": "The version of this format."},
            "defaults": {
                "description": "Values for every lambda that does not say otherwise.",
                **_mapping(DEFAULT_KEYS),
            },
            "lambdas": {
                "description": "The functions, by name.",
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                "patternProperties": {f"^{NAME}$": _mapping(LAMBDA_KEYS)},
            },
        },
    }


def text() -> str:
    """Return the schema as the text of the file that ships in the package."""
    return json.dumps(schema(), indent=2) + "\n"


def _mapping(keys: dict[str, Key]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _property(key) for name, key in keys.items()},
    }


def _property(key: Key) -> dict[str, Any]:
    if key.boolean or key.size:
        return {**(_SIZE if key.size else {"type": "boolean"}), "description": key.doc}
    if key.keys:
        return {**_mapping(key.keys), "description": key.doc}
    item: dict[str, Any] = {"type": "string"}
    if key.choices:
        item = {"enum": list(key.choices)}
    else:
        item["pattern"] = f"^({key.pattern})$" if key.pattern else r"\S"
    if key.named:
        return {
            "type": "object",
            "additionalProperties": False,
            "patternProperties": {f"^({key.named})$": item},
            "description": key.doc,
        }
    if not key.many:
        return {**item, "description": key.doc}
    several = {"type": "array", "items": item, "uniqueItems": True}
    if not key.one:
        return {**several, "description": key.doc}
    return {"anyOf": [item, {**several, "minItems": 1}], "description": key.doc}
