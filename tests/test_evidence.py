"""A bill of materials and a statement of provenance, as reproducible as the ZIP."""

import hashlib
import io
import json
import shutil
import zipfile
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import resource_descriptor, statement, statement_pb2

from tests.conftest import HANDLER, Index, Repository, wheel
from tests.test_sdists import add_sdist

MANIFEST = "version: 1\ndefaults: {evidence: true}\nlambdas:\n  api:\n    handler: app.handler\n"
NAMES = {"api.cdx.json", "api.intoto.json"}


@pytest.fixture
def evident(dependent: Repository, index: Index) -> Repository:
    """Give a function with `evidence` and dependencies with every kind of licence."""
    for name, lines in {
        "new-style": "License-Expression: MIT OR Apache-2.0\nLicense: other\n",
        "classified": "Classifier: Programming Language :: Python\n"
        "Classifier: License :: OSI Approved :: MIT License\nLicense: MIT\n",
        "free_text": "License: BSD-ish, see the site\n",
        "whole-text": "License: MIT\n        Permission is hereby granted\n",
    }.items():
        file, content = wheel(name.replace("-", "_"))
        index.files[file] = with_metadata(content, lines)
    dependent.write({
        "lambdas.yaml": MANIFEST,
        "lambdas/api/requirements.txt": "beta\nnew-style\nclassified\nfree_text\nwhole-text\n",
    })  # fmt: skip
    return dependent


def with_metadata(content: bytes, lines: str) -> bytes:
    """Return a wheel with additional lines in its METADATA."""
    output = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as before,
        zipfile.ZipFile(output, "w") as after,
    ):
        for name in before.namelist():
            data = before.read(name)
            if name.endswith("/METADATA"):
                data += lines.encode()
            if name.endswith("/RECORD"):
                rows = data.decode().splitlines()
                data = "".join(
                    (row.split(",")[0] + ",," if "METADATA" in row else row) + "\n" for row in rows
                ).encode()
            after.writestr(name, data)
    return output.getvalue()


def read(repository: Repository, name: str = "api") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the bill of materials and the statement, after checking both against their formats
    and against the ZIP in dist/.
    """
    dist = repository.root / "dist"
    text = (dist / f"{name}.cdx.json").read_text()
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert problem is None, problem
    bom, provenance = json.loads(text), json.loads((dist / f"{name}.intoto.json").read_text())
    digest = hashlib.sha256((dist / f"{name}.zip").read_bytes()).hexdigest()
    assert bom["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert provenance["subject"] == [{"name": f"dist/{name}.zip", "digest": {"sha256": digest}}]
    check_statement(provenance)
    return bom, provenance


def check_statement(value: dict[str, Any]) -> None:
    """Check a statement with the library of the format's authors, which rejects unknown fields."""
    assert value["_type"] == statement.STATEMENT_TYPE_URI
    assert value["predicateType"] == "https://slsa.dev/provenance/v1"
    message = json_format.ParseDict(value, statement_pb2.Statement())
    statement.Statement.copy_from_pb(message).validate()
    predicate = json_format.ParseDict(value["predicate"], provenance_pb2.Provenance())
    for descriptor in predicate.build_definition.resolved_dependencies:
        resource_descriptor.ResourceDescriptor.copy_from_pb(descriptor).validate()


def test_bill_of_materials(evident: Repository, index: Index) -> None:
    """The bill lists every package with name, version, package URL, hash and licence."""
    evident.doit()
    bom, _ = read(evident)
    found = {component["name"]: component for component in bom["components"]}
    assert sorted(found) == ["alpha", "beta", "classified", "free_text", "new_style", "whole_text"]
    (content,) = (data for name, data in index.files.items() if name.startswith("beta-"))
    assert found["beta"] == {
        "type": "library",
        "bom-ref": "pkg:pypi/beta@1.0",
        "name": "beta",
        "version": "1.0",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}],
        "purl": "pkg:pypi/beta@1.0",
    }
    assert found["free_text"]["purl"] == "pkg:pypi/free-text@1.0"
    assert found["new_style"]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert found["classified"]["licenses"] == [{"license": {"name": "MIT License"}}]
    assert found["free_text"]["licenses"] == [{"license": {"name": "BSD-ish, see the site"}}]
    assert "licenses" not in found["whole_text"]
    (dependency,) = bom["dependencies"]
    assert sorted(dependency["dependsOn"]) == sorted(c["purl"] for c in found.values())


def test_several_files_of_one_release(evident: Repository, index: Index) -> None:
    """If the lock allows several files, the bill names all their hashes, as candidates."""
    index.add("alpha", tag="cp313-cp313-manylinux_2_17_x86_64")
    evident.doit()
    bom, provenance = read(evident)
    alpha = next(c for c in bom["components"] if c["name"] == "alpha")
    assert "hashes" not in alpha
    assert len(alpha["externalReferences"][0]["hashes"]) == 2
    inputs = provenance["predicate"]["buildDefinition"]["resolvedDependencies"]
    (alpha,) = (entry for entry in inputs if entry["name"] == "alpha")
    assert len(alpha["annotations"]["sha256"]) == 2


def test_provenance(evident: Repository) -> None:
    """The statement names every input, the key, and the tools that determine the bytes."""
    evident.doit()
    _, provenance = read(evident)
    definition = provenance["predicate"]["buildDefinition"]
    app = hashlib.sha256(HANDLER.encode()).hexdigest()
    inputs = definition["resolvedDependencies"]
    assert {"name": "app.py", "digest": {"sha256": app}} in inputs
    assert {"alpha", "beta", "free-text"} <= {entry["name"] for entry in inputs}
    key = json.loads((evident.root / "build/zip/api.json").read_text())["record"]["key"]
    assert definition["internalParameters"]["key"] == key
    assert definition["externalParameters"]["handler"] == "app.handler"
    builder = provenance["predicate"]["runDetails"]["builder"]
    assert builder["version"].keys() == {"doit-lambda-zip", "deflate"}
    text = (evident.root / "dist/api.intoto.json").read_text()
    assert str(evident.root) not in text
    assert "metadata" not in provenance["predicate"]["runDetails"]  # it would hold times


def evidence(repository: Repository) -> dict[str, bytes]:
    """Return the evidence in dist/."""
    return {path.name: path.read_bytes() for path in (repository.root / "dist").glob("*.json")
            if path.name != "lambdas.json"}  # fmt: skip


def test_reproducible(evident: Repository) -> None:
    """The evidence has the same bytes from another checkout, folder, time and time zone."""
    evident.doit()
    before = evidence(evident)
    assert before.keys() == NAMES
    other = Repository(evident.root.parent / "else/where", dict(evident.environment))
    ignored = shutil.ignore_patterns("build", "dist", "__pycache__")
    shutil.copytree(evident.root, other.root, ignore=ignored)
    other.doit("-n", "2", TZ="Asia/Kathmandu", PYTHONHASHSEED="7", SOURCE_DATE_EPOCH="1")
    assert evidence(other) == before
    assert "are equal" in evident.doit("verify").message


def test_off_by_default(dependent: Repository) -> None:
    """Without `evidence`, there is no evidence file and no task for one."""
    dependent.doit()
    assert evidence(dependent) == {}


def test_switched_on_and_off(evident: Repository) -> None:
    """Enabling evidence writes it without a build; disabling it removes it."""
    evident.write({"lambdas.yaml": MANIFEST.replace("true", "false")})
    evident.doit()
    assert evidence(evident) == {}
    evident.write({"lambdas.yaml": MANIFEST})
    assert evident.doit().ran == ["hash:api"]
    read(evident)
    assert evident.doit().ran == []
    evident.write({"lambdas.yaml": MANIFEST.replace("true", "false")})
    assert evident.doit().ran == ["hash:api"]
    assert evidence(evident) == {}
    assert evident.doit().ran == []


def test_it_changes_with_the_zip(evident: Repository) -> None:
    """After an edit, and after a revert to a ZIP from the cache, the evidence matches the ZIP."""
    evident.doit()
    before = evidence(evident)
    evident.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    evident.doit("zip:api")
    read(evident)
    assert evidence(evident) != before
    evident.write({"lambdas/api/app.py": HANDLER})
    assert evident.doit().ran == ["hash:api"]
    assert evidence(evident) == before
    shutil.rmtree(evident.root / "build/env")
    shutil.rmtree(evident.root / "dist")
    assert evident.doit().ran == ["hash:api"]
    assert not (evident.root / "build/env").exists()
    assert evidence(evident) == before


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_damage_is_mended(evident: Repository, name: str, damage: str) -> None:
    """A missing or modified evidence file is restored."""
    evident.doit()
    before = evidence(evident)
    path = evident.root / "dist" / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(before[name].replace(b"api", b"xyz"))
    assert evident.doit().ran == ["hash:api"]
    assert evidence(evident) == before


def test_clean_and_undeclared(evident: Repository) -> None:
    """Evidence is removed together with its ZIP."""
    evident.doit()
    evident.doit("clean")
    assert not (evident.root / "dist").exists()
    evident.doit()
    evident.write({
        "lambdas.yaml": MANIFEST.replace("api", "jobs"), "lambdas/jobs/requirements.txt": "",
    })  # fmt: skip
    evident.doit()
    assert evidence(evident).keys() == {name.replace("api", "jobs") for name in NAMES}


def test_pinned_by_address(dependent: Repository, index: Index) -> None:
    """A package from a URL has that URL in its package URL; its password comes from ~/.netrc."""
    add_sdist(index, "py3-none-any")
    file, content = wheel("direct", "3.0")
    index.files[file] = content
    digest = hashlib.sha256(content).hexdigest()
    address = f"http://127.0.0.1:{index.port}/files/{file}"
    index.credentials = "me:" + "hunter2"
    netrc = f"machine 127.0.0.1 login me password {'hunter' + '2'}\n"
    home = dependent.root.parent / "home"
    home.mkdir()
    (home / ".netrc").write_text(netrc)
    dependent.environment["HOME"] = str(home)
    dependent.write({
        "lambdas.yaml": MANIFEST,
        "lambdas/api/requirements.txt": f"direct @ {address}#sha256={digest}\n",
    })  # fmt: skip
    dependent.doit()
    bom, provenance = read(dependent)
    (component,) = bom["components"]
    assert (component["name"], component["version"]) == ("direct", "3.0")
    assert component["purl"].startswith("pkg:pypi/direct@3.0?download_url=http%3A%2F%2F127.0.0.1")
    assert "hunter2" not in json.dumps([bom, provenance])
