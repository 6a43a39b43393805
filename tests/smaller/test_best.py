"""`compression: best`: its members never mix with those of another level."""

import hashlib

import pytest

from buildlib import contract
from tests.conftest import HANDLER, Index, Repository
from tests.test_cli import answer

# Text that the two levels compress to different bytes.
TEXT = b"".join(
    b"%d %s\n" % (n, hashlib.sha256(b"%d" % (n % 97)).digest()[:9]) for n in range(9000)
)
VALUES = ("deflate", "best", "stored")


@pytest.fixture
def texts(repository: Repository, index: Index) -> Repository:
    """Give a repository with a dependency and an own file that compress well."""
    index.add("texts", files={"texts/__init__.py": "T = 1\n", "texts/data.txt": TEXT})
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({
        "lambdas/api/requirements.txt": "texts\n",
        "lambdas/api/own.txt": TEXT + b"own",
    })  # fmt: skip
    return repository


def manifest(compression: str) -> dict[str, str]:
    """Return a manifest of one function."""
    text = f"version: 1\nlambdas:\n  api: {{handler: app.handler, compression: {compression}}}\n"
    return {"lambdas.yaml": text}


def test_levels() -> None:
    """`best` is the highest level of the encoder, and the encoder's name in the key says so."""
    assert (contract.level("deflate"), contract.level("best")) == (6, 12)
    assert contract.encoder() == contract.encoder("deflate") != contract.encoder("best")
    assert contract.encoder("best").endswith(" level 12")
    assert contract.encoder("stored") == ""


def test_never_mixed(texts: Repository) -> None:
    """A ZIP is the same after a build at another level, with and without the previous ZIP."""
    found = {}
    for value in VALUES:
        texts.write(manifest(value))
        texts.doit(LAMBDA_ZIP_CACHE=f"cold-{value}")
        found[value] = texts.sha256()["api"]
        texts.doit("clean")
    assert len({*found.values()}) == len(VALUES)
    sizes = {}
    for value in (*VALUES, "best", "deflate"):  # each after another one, with its packs and its ZIP
        texts.write({**manifest(value), "lambdas/api/app.py": HANDLER + "# edited\n"})
        texts.doit(LAMBDA_ZIP_CACHE="one")
        sizes[value] = texts.index()["api"]["size"]
        texts.write({"lambdas/api/app.py": HANDLER})
        texts.doit(LAMBDA_ZIP_CACHE="two")  # with no ZIP to take, but with the packs
        assert texts.sha256()["api"] == found[value], value
    assert sizes["best"] < sizes["deflate"] < sizes["stored"]


def test_the_contents_are_the_same(texts: Repository) -> None:
    """Any reader of ZIPs unpacks the members of `best`."""
    texts.write(manifest("best"))
    texts.doit()
    members = texts.members("api")
    assert (members["texts/data.txt"], members["own.txt"]) == (TEXT, TEXT + b"own")


def test_reason_size_and_verify(texts: Repository) -> None:
    """`why` names both values, `size` the bytes that it saves, and `verify` agrees."""
    texts.write(manifest("deflate"))
    texts.doit()
    usual = texts.index()["api"]["size"]
    texts.write(manifest("best"))
    assert "compression deflate -> best" in texts.lambdas("why").output
    texts.doit()
    saved = usual - texts.index()["api"]["size"]
    shown = f"{saved / 1024:.1f} kB" if saved >= 1024 else f"{saved} B"
    line = f"Saved in api: {shown} zipped by 'compression: best' (over deflate)"
    assert line in texts.lambdas("size").output.splitlines()
    (found,) = answer(texts.lambdas("size", "--json").output)["variants"]
    assert found["saved"] == [{"option": "compression: best", "size": saved}]
    assert "are equal, sha256" in texts.lambdas("verify").output
