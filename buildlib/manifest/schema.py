"""The JSON Schema and the reference page of the manifest, generated from the table of keys."""

import json
import re
from collections.abc import Iterator
from typing import Any

from buildlib.manifest.keys import (
    DEFAULT_KEYS,
    DEPLOYED_KEYS,
    DOCKER_KEYS,
    FILES_KEYS,
    INCLUDE_KEYS,
    LAMBDA_KEYS,
    LAYER_KEYS,
    NAME,
    NAME_RULE,
    REQUIREMENTS_KEYS,
    SIZE,
    Key,
)
from buildlib.runtimes import UNZIPPED_LIMIT

_SIZE = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": UNZIPPED_LIMIT},
        {"type": "string", "pattern": f"^{SIZE}$"},
    ]
}


def schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12), with which editors complete and check the file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lambdas.yaml",
        "description": "AWS Lambda functions in Python to build as reproducible ZIPs.",
        "type": "object",
        "required": ["version"],
        "anyOf": [{"required": [key]} for key in ("lambdas", "layers", "manifests")],
        "additionalProperties": False,
        "properties": {
            "version": {"const": 1, "description": "The version of this format."},
            "defaults": {
                "description": "Default values for all lambdas.",
                **_mapping(DEFAULT_KEYS),
            },
            "lambdas": {
                "description": "The functions, by name.",
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                "patternProperties": {f"^{NAME}$": _mapping(LAMBDA_KEYS)},
            },
            "layers": {
                "description": "The layers that functions use, by name.",
                "type": "object",
                "additionalProperties": False,
                "patternProperties": {
                    f"^{NAME}$": {"anyOf": [_mapping(LAYER_KEYS), _mapping(DEPLOYED_KEYS)]}
                },
            },
            "manifests": {
                "description": "Patterns of other manifests, relative to the repository's root.",
                "type": "array",
                "items": {"type": "string"},
                "uniqueItems": True,
            },
        },
    }


def text() -> str:
    """Return the text of the schema file in the package."""
    return json.dumps(schema(), indent=2) + "\n"


def _mapping(keys: dict[str, Key]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _property(key) for name, key in keys.items()},
    }


def _property(key: Key) -> dict[str, Any]:
    return {**_shape(key), "description": key.doc}


def _shape(key: Key) -> dict[str, Any]:
    if key.boolean or key.size:
        return _SIZE if key.size else {"type": "boolean"}
    if key.items or key.keys:
        return _nested(key)
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
        }
    if not key.many:
        return item
    several = {"type": "array", "items": item, "uniqueItems": True}
    return several if key.only_list else {"anyOf": [item, {**several, "minItems": 1}]}


def _nested(key: Key) -> dict[str, Any]:
    """Return the schema of mappings, and of a text in their place."""
    keys = key.items or key.keys or {}
    mapping = _mapping(keys)
    if not key.short:
        return mapping
    text = _shape(keys[key.short])
    either = {"anyOf": [*text.get("anyOf", [text]), mapping]}
    return {"type": "array", "items": either, "uniqueItems": True} if key.items else either


def _marked(text: str) -> str:
    """Return a text with its quoted parts as Markdown code."""
    return re.sub(r"(?<!\w)'([^']+)'(?!\w)", r"`\1`", text)


_HEAD = f"""\
# lambdas.yaml

<!-- Made by `lambdas manifest`; edit buildlib/manifest/keys.py. -->

The manifest is a YAML file in the repository's root. Keys that are not listed here are errors.
All problems are reported at once, with line and column, before anything runs. Editors that support
JSON Schema complete and check the file with
[buildlib/lambdas.schema.json](../../buildlib/lambdas.schema.json).

```yaml file=lambdas.yaml
version: 1                 # of this format
defaults:                  # for all lambdas
  python: "3.13"
lambdas:
  api:                     # the name
    handler: app.handler
  team_keys:
    handler: app.handler
    python: ["3.12", "3.13"]
    architecture: [x86_64, arm64]
    exclude: ["tests/", "*.md"]
```

A name consists of {_marked(NAME_RULE)}.

A lambda with one Python and one architecture is one *variant*, whose id is the lambda's name. With
several, each combination is a variant with the id `<name>-py<version>-<architecture>`, such as
`team_keys-py3.13-arm64`.

`layers:` declares [layers](../how-to/layers.md), each with the keys of a lambda but for `handler`,
`layers`, `prune`, `gitignore` and `allow_missing_imports`. The default `source` of a layer is
`layers/<name>`, if it exists; without a source, a layer has its dependencies and `include`.

With `manifests: [services/*/lambdas.yaml]`, each of these files is read, too, so that teams have
their own. Paths in them are relative to their folders, and `defaults` there come before those of
the root.

Paths use `/` and must stay inside the repository. Python versions must be quoted strings: YAML
reads `3.10` as the number 3.1.
"""


def page() -> Iterator[str]:
    """Yield the lines of docs/reference/manifest.md."""
    yield from _HEAD.splitlines()
    yield from ("", "## Keys of a lambda")
    yield from _sections(LAMBDA_KEYS, "defaults")
    for name, keys in (
        ("requirements", REQUIREMENTS_KEYS),
        ("include", INCLUDE_KEYS),
        ("files", FILES_KEYS),
        ("docker", DOCKER_KEYS),
    ):
        yield from ("", f"## Keys of {name}")
        yield from _sections(keys, "")
    only = {name: key for name, key in DEFAULT_KEYS.items() if name not in LAMBDA_KEYS}
    yield from ("", "## Keys of a layer that is deployed already")
    yield from _sections(DEPLOYED_KEYS, "")
    yield from ("", "## Keys of defaults only")
    yield from _sections(only, "")


def _sections(keys: dict[str, Key], shared: str) -> Iterator[str]:
    for name, key in keys.items():
        yield from ("", f"### `{name}`", "", _marked(key.doc), "")
        yield f"- takes {_takes(name, key)}"
        if not key.keys or key.short:
            yield f"- default: {_marked(key.default_text) or _default(key)}"
        if shared:
            yield f"- in `{shared}`: {'yes' if key.shared else 'no'}"


def _takes(name: str, key: Key) -> str:
    """Describe the values that a key takes."""
    if inner := key.keys or key.items:
        before = "text, a list of texts, or " if key.short else ""
        before = "a list; each: text, or " if key.items else before
        return f"{before}[keys and values](#keys-of-{name}): {', '.join(f'`{i}`' for i in inner)}"
    if key.boolean:
        return "`true` or `false`"
    if key.size:
        return "a number, or text"
    if key.named:
        return _marked(f"a mapping of names to texts: {key.rule}")
    item = " or ".join(map(_value, key.choices)) or _marked(key.rule) or "text"
    if key.many:
        return f"a list; each: {item}" if key.only_list else f"{item}, or a list of them"
    return item


def _default(key: Key) -> str:
    if isinstance(key.default, bool):
        return f"`{json.dumps(key.default)}`"
    value = key.default[0] if key.default and key.many else key.default
    return _value(value) if value else "none"


def _value(text: str) -> str:
    """Return a text as YAML, with quotes if it looks like a number."""
    return f'`"{text}"`' if text[0].isdigit() else f"`{text}`"
