"""The JSON Schema says the same as the reader."""

from importlib.resources import files
from pathlib import Path

import jsonschema  # or its stubs are installed
import pytest
import yaml

from buildlib.errors import ManifestError
from buildlib.manifest import keys, reader, schema
from tests.unit.conftest import write

TOP = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"


def test_shipped() -> None:
    """The file in the package is what the table gives."""
    shipped = files("buildlib").joinpath("lambdas.schema.json").read_text(encoding="utf-8")
    assert shipped == schema.text()


def test_valid() -> None:
    """The schema is one, of the version that it names."""
    jsonschema.Draft202012Validator.check_schema(schema.schema())
    assert schema.schema()["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]


def test_every_key_is_explained() -> None:
    """An editor can show a description for every key."""
    properties = schema.schema()["properties"]
    (function,) = properties["lambdas"]["patternProperties"].values()
    assert function["properties"].keys() == keys.LAMBDA_KEYS.keys()
    assert properties["defaults"]["properties"].keys() == keys.DEFAULT_KEYS.keys()
    for key in [*function["properties"].values(), *properties["defaults"]["properties"].values()]:
        assert key["description"].endswith(".")


ALIKE = {
    "least": (TOP, True),
    "lists": (TOP + "    python: ['3.12', '3.14']\n    architecture: [arm64]\n", True),
    "texts": (TOP + "    python: '3.10'\n    architecture: arm64\n    compression: stored\n", True),
    "empty lists": (TOP + "    exclude: []\n    include: []\n    allow_sdist: []\n", True),
    "handler in a package": (TOP.replace("app.", "my-pkg/app."), True),
    "dotted handler": (TOP.replace("app.", "pkg.app."), True),
    "defaults": ("defaults: {frozen: no, python: ['3.12']}\n" + TOP, True),
    "size": (TOP + "    size_limit: 80 MB\n", True),
    "size in bytes": (TOP + "    size_limit: 80000000\n", True),
    "size without a unit": (TOP + "    size_limit: '80'\n", False),
    "size of nothing": (TOP + "    size_limit: 0\n", False),
    "more than Lambda takes": (TOP + "    size_limit: 262144001\n", False),
    "evidence": (TOP + "    evidence: true\n    allow_secrets: [/.env]\n", True),
    "evidence is text": (TOP + "    evidence: 'true'\n", False),
    "sdist": (TOP + "    allow_sdist: [doc-opt, a]\n", True),
    "name": (TOP.replace("api", "9_a-b"), True),
    "no version": (TOP.removeprefix("version: 1\n"), False),
    "version 2": (TOP.replace("1", "2"), False),
    "version is text": (TOP.replace("1", "'1'"), False),
    "no lambdas": ("version: 1\n", False),
    "empty lambdas": ("version: 1\nlambdas: {}\n", False),
    "nothing": ("version: 1\nlambdas:\n  api:\n", False),
    "list": ("- 1\n", False),
    "unknown top key": ("x: 1\n" + TOP, False),
    "unknown key": (TOP + "    memory: 128\n", False),
    "unknown default": ("defaults: {source: x}\n" + TOP, False),
    "frozen is text": ("defaults: {frozen: 'true'}\n" + TOP, False),
    "number": (TOP + "    python: 3.12\n", False),
    "numbers": (TOP + "    python: [3.12]\n", False),
    "unknown Python": (TOP + "    python: '2.7'\n", False),
    "empty list": (TOP + "    architecture: []\n", False),
    "twice": (TOP + "    architecture: [arm64, arm64]\n", False),
    "pattern twice": (TOP + "    exclude: [a, a]\n", False),
    "text for a list": (TOP + "    exclude: a\n", False),
    "list for a text": (TOP + "    source: [lambdas/api]\n", False),
    "empty text": (TOP + "    source: ''\n", False),
    "blank text": (TOP + "    exclude: ['  ']\n", False),
    "handler": (TOP.replace("app.handler", "handler"), False),
    "sdist with a space": (TOP + "    allow_sdist: ['a b']\n", False),
    "bad name": (TOP.replace("api", "API"), False),
    "name like a variant": (TOP.replace("api", "api-py3.12-arm64"), False),
    "nothing for a text": (TOP + "    compression:\n", False),
}


@pytest.mark.parametrize(("text", "good"), ALIKE.values(), ids=ALIKE)
def test_alike(tmp_path: Path, text: str, good: bool) -> None:
    """The schema and the reader accept the same manifests, and refuse the same."""
    write(tmp_path, {"lambdas.yaml": text})
    for name in ("api", "9_a-b"):
        (tmp_path / "lambdas" / name).mkdir(parents=True)
    validator = jsonschema.Draft202012Validator(schema.schema())
    assert validator.is_valid(yaml.safe_load(text)) is good
    try:
        reader.read(tmp_path)
    except ManifestError:
        assert not good
    else:
        assert good
