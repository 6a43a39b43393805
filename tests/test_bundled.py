"""The bill of materials lists what is inside of wheels, and the layers of a function."""

import hashlib
import json
import os
import time
from typing import Any

import pytest

from tests.conftest import HANDLER, Index, Repository
from tests.test_evidence import read
from tests.unit.environment.test_libraries import shared_object

MANIFEST = "version: 1\ndefaults: {evidence: true}\nlambdas:\n  api: {handler: app.handler}\n"
LAYERED = """\
version: 1
defaults: {evidence: true}
layers:
  common:
    requirements: layers/common.txt
    include: [libs/acme.py]
  traces: {arn: "arn:aws:lambda:eu-west-1:123456789012:layer:otel:7", provides: [otel]}
lambdas:
  api: {handler: app.handler, layers: [common, traces]}
"""
TAG = "cp313-cp313-manylinux_2_28_x86_64"
LIBRARY = shared_object("libc.so.6", soname="libtree.so.5")
MODULE = shared_object("libtree-0a1b.so.5.1") + b"\0PyInit__trees\0"
BILL = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.4",
    "metadata": {
        "timestamp": "2026-10-16T20:10:55Z",
        "component": {
            "type": "library",
            "name": "Tree_s",
            "purl": "pkg:pypi/Tree_s@1.0?file_name=x",
        },
    },
    "components": [
        {"type": "library", "name": "Tree_s", "purl": "pkg:pypi/Tree_s@1.0?file_name=x"},
        {
            "type": "library",
            "bom-ref": "path+file:///home/me/libtree",
            "name": "libtree",
            "version": "5.1-3.el8",
            "purl": "pkg:rpm/almalinux/libtree@5.1-3.el8",
            "licenses": [{"license": {"id": "NEWER-THAN-THE-SCHEMA"}}],
            "hashes": [{"alg": "SHA-256", "content": "0" * 64}, {"alg": "SHA-256", "content": "x"}],
            "components": [{"type": "library", "name": "leaf", "version": "2"}],
        },
        {"type": "library", "name": "libtree", "purl": "pkg:rpm/almalinux/libtree@5.1-3.el8"},
    ],
}


def trees(bill: object = None, name: str = "sboms/auditwheel.cdx.json") -> dict[str, str | bytes]:
    """Return the files of a wheel with a module, a library, and a bill of materials."""
    files: dict[str, str | bytes] = {
        "tree_s/__init__.py": "",
        "tree_s/_trees.cpython-313-x86_64-linux-gnu.so": MODULE,
        "tree_s.libs/libtree-0a1b.so.5.1": LIBRARY,
    }
    if bill is not None:
        text = bill if isinstance(bill, str | bytes) else json.dumps(bill)
        files[f"tree_s-1.0.dist-info/{name}"] = text
    return files


@pytest.fixture
def grown(dependent: Repository, index: Index) -> Repository:
    """Give a function with a dependency that has machine code."""
    index.add("tree_s", files=trees(BILL), tag=TAG)
    dependent.write({"lambdas.yaml": MANIFEST, "lambdas/api/requirements.txt": "tree-s\n"})
    return dependent


def inside(repository: Repository, name: str = "tree_s") -> list[dict[str, Any]]:
    """Return the components inside of a package."""
    bom, _ = read(repository)
    (package,) = (one for one in bom["components"] if one["name"] == name)
    found: list[dict[str, Any]] = package.get("components", [])
    return found


def names(components: list[dict[str, Any]]) -> list[str]:
    return [one["name"] for one in components]


def test_a_library_without_a_bill(grown: Repository, index: Index) -> None:
    """A library is listed by path, sha256 and SONAME, as unknown; a module of Python is not."""
    index.add("tree_s", files=trees(), tag=TAG)
    grown.doit()
    assert inside(grown) == [
        {
            "type": "file",
            "bom-ref": "pkg:pypi/tree-s@1.0#file:tree_s.libs/libtree-0a1b.so.5.1",
            "name": "tree_s.libs/libtree-0a1b.so.5.1",
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(LIBRARY).hexdigest()}],
            "properties": [
                {"name": "lambda-zip:identity", "value": "unknown"},
                {"name": "lambda-zip:soname", "value": "libtree.so.5"},
            ],
        }
    ]


def test_the_bill_of_a_wheel(grown: Repository) -> None:
    """The components of a wheel's bill are listed once, without the wheel, its paths and times."""
    grown.doit()
    libtree, leaf, file = inside(grown)
    source = {"name": "lambda-zip:sbom", "value": "tree_s-1.0.dist-info/sboms/auditwheel.cdx.json"}
    assert libtree == {
        "type": "library",
        "bom-ref": "pkg:pypi/tree-s@1.0#pkg:rpm/almalinux/libtree@5.1-3.el8",
        "name": "libtree",
        "version": "5.1-3.el8",
        "purl": "pkg:rpm/almalinux/libtree@5.1-3.el8",
        "hashes": [{"alg": "SHA-256", "content": "0" * 64}],
        "licenses": [{"license": {"name": "NEWER-THAN-THE-SCHEMA"}}],
        "properties": [source],
    }
    assert (leaf["name"], leaf["version"], leaf["properties"]) == ("leaf", "2", [source])
    assert file["type"] == "file"


@pytest.mark.parametrize(
    "bill",
    [
        *(b"\xff\xfe", b"", b"[1]", b"null", b'{"bomFormat": "SPDX"}', b"[" * 100_000),
        {"bomFormat": "CycloneDX"},
        {"bomFormat": "CycloneDX", "components": {"a": 1}, "metadata": "x"},
        {"bomFormat": "CycloneDX", "components": [1, None, {}, {"name": 7}, {"name": ""}]},
    ],
)
def test_a_bill_that_says_nothing(grown: Repository, index: Index, bill: object) -> None:
    """A bill of another format, or a damaged one, adds nothing and stops nothing."""
    index.add("tree_s", files=trees(bill), tag=TAG)
    grown.doit()
    assert names(inside(grown)) == ["tree_s.libs/libtree-0a1b.so.5.1"]


def test_wrong_fields(grown: Repository, index: Index) -> None:
    """Fields with wrong shapes are left out, and so is a password; the bill is valid. A terminal
    obeys no character of a name.
    """
    odd = {
        "type": "spaceship",
        "name": "odd\x1b[2J\ud800\u202e",
        "version": 5,
        "purl": "pkg:generic/odd@1?download_url=https://me:hunter2@example.com/odd",
        "licenses": [{"expression": 1}, {"license": []}, {"license": {"id": ["MIT"]}}, "MIT"],
        "hashes": [{"alg": "CRC", "content": "00"}, {"alg": ["MD5"], "content": "0"}, 1],
        "bom-ref": 3,
        "components": "none",
    }
    index.add("tree_s", files=trees({"bomFormat": "CycloneDX", "components": [odd]}), tag=TAG)
    grown.doit()
    found, _ = inside(grown)
    name = r"odd\x1b[2J\ud800\u202e"
    assert (found["type"], found["name"], "version" in found) == ("library", name, False)
    assert not {"licenses", "hashes"} & found.keys()
    assert "hunter2" not in (grown.root / "dist/api.cdx.json").read_text()


def test_a_record_that_is_no_table(grown: Repository) -> None:
    """A RECORD among the function's own files may hold anything; the bill and `size` ignore it."""
    grown.write({"lambdas/api/own-1.dist-info/RECORD": f'"{"x" * 200_000}",,\n'})
    grown.doit()
    assert read(grown)[0]["components"]
    assert "app.py" not in grown.lambdas("size", "api").errors


def test_machine_code_of_no_package(grown: Repository) -> None:
    """A function's own shared object is a component of the function."""
    grown.write({"lambdas/api/lib/libown.so.1": shared_object(soname="libown.so.1")})
    grown.doit()
    bom, _ = read(grown)
    own = bom["components"][-1]
    assert (own["type"], own["bom-ref"]) == ("file", "file:lib/libown.so.1")
    assert {"name": "lambda-zip:soname", "value": "libown.so.1"} in own["properties"]


@pytest.fixture
def layered(grown: Repository, index: Index) -> Repository:
    """Give a function with a layer that is built here, and one that is deployed."""
    index.add("alpha", "1.0")
    grown.write({
        "lambdas.yaml": LAYERED,
        "layers/common.txt": "tree-s\n",
        "libs/acme.py": "A = 1\n",
        "lambdas/api/requirements.txt": "alpha\n",
        "lambdas/api/app.py": f"import acme, tree_s\n{HANDLER}",
    })  # fmt: skip
    return grown


def references(components: list[dict[str, Any]]) -> list[str]:
    """Return the references of components, and of those inside of them."""
    found = []
    for one in components:
        found += [one["bom-ref"], *references(one.get("components", []))]
    return found


def test_layers(layered: Repository) -> None:
    """A layer built here has its ZIP's hash and its own components; a deployed one has its ARN."""
    layered.doit()
    bom, _ = read(layered)
    alpha, common, traces = bom["components"]
    assert alpha["name"] == "alpha"
    own, _ = read(layered, "common")
    sha256 = hashlib.sha256((layered.root / "dist/common.zip").read_bytes()).hexdigest()
    assert common["hashes"] == [{"alg": "SHA-256", "content": sha256}]
    inner = references(common["components"])
    assert inner == [f"lambda:common/{one}" for one in references(own["components"])]
    assert len(inner) == 4
    every = references(bom["components"])
    assert len({*every}) == len(every)
    assert (traces["name"], traces["version"]) == ("otel", "7")
    assert bom["dependencies"][0]["dependsOn"] == [
        *(alpha["bom-ref"], "lambda:common", "arn:aws:lambda:eu-west-1:123456789012:layer:otel:7")
    ]
    assert layered.doit().ran == []
    assert "are equal" in layered.doit("verify:api").message


def test_an_edited_layer(layered: Repository) -> None:
    """An edit of a layer renews the function's bill in the same run, and builds no function."""
    layered.doit()
    time.sleep(2.1)  # from then on, the status of the files is enough
    layered.doit()
    before = layered.sha256()["api"]
    layered.write({"libs/acme.py": "A = 2\n"})
    ran = layered.doit().ran
    assert "zip:common" in ran
    assert [name for name in ran if name.endswith(":api")] == ["hash:api"]
    bom, _ = read(layered)
    sha256 = hashlib.sha256((layered.root / "dist/common.zip").read_bytes()).hexdigest()
    assert bom["components"][1]["hashes"][0]["content"] == sha256
    assert layered.sha256()["api"] == before
    assert layered.doit().ran == []


def test_another_version_of_this_package(grown: Repository) -> None:
    """Evidence that another version noted is made again; the ZIP is not."""
    grown.doit()
    stamp = grown.root / "build/evidence/api.json"
    stamp.write_text(stamp.read_text().replace("0.1.0", "0.0.9"))
    assert grown.doit().ran == ["hash:api"]
    assert grown.doit().ran == []


@pytest.mark.network
def test_real_wheels(repository: Repository) -> None:
    """Wheels of PyPI say which packages of the system, crates and C libraries they have inside."""
    repository.environment = {**os.environ, "CI": "", "LAMBDA_ZIP_CACHE": "off"}
    repository.write({
        "lambdas.yaml": MANIFEST,
        "lambdas/api/app.py": HANDLER,
        "lambdas/api/requirements.txt": "cryptography==50.0.2\nnumpy==2.5.5\npillow==13.0.0\n"
        "psycopg2-binary==2.9.13\n",
    })  # fmt: skip
    repository.doit()
    by_name = {one["name"]: one for one in inside(repository, "psycopg2-binary")}
    assert by_name["krb5-libs"]["version"] == "1.15.1-55.el7_9"
    assert by_name["psycopg2_binary.libs/libpq-a17e3caa.so.5.17"]["type"] == "file"
    versions = {one["name"]: one.get("version") for one in inside(repository, "cryptography")}
    assert (versions["openssl"], "pyo3" in versions) == ("4.0.3", True)
    assert "numpy.libs/libscipy_openblas64_-4b78795a.so" in names(inside(repository, "numpy"))
    assert {"libXau", "FreeType"} <= {*names(inside(repository, "pillow"))}
