"""`lambdas size` names the libraries that a ZIP has more than once."""

import pytest

from tests import elf_files
from tests.conftest import Index, Repository
from tests.test_cli import answer

TAG = "cp313-cp313-manylinux2014_x86_64"


def library(soname: str = "", needed: tuple[str, ...] = (), text: bytes = b"\xc3") -> bytes:
    """Return a shared object."""
    return elf_files.make((*elf_files.dynamic(soname, needed), elf_files.Part(".text", text)))


@pytest.fixture
def twice(repository: Repository, index: Index) -> Repository:
    """Give a package that has a library under three names, and two that bring another each."""
    one, other = library("libone.so.2"), library("libgomp-0123abcd.so.1", text=b"other")
    index.add("one", tag=TAG, files={
        "one/core.so": library(needed=("libone.so.2",)),
        "one/libone.so": one, "one/libone.so.2": one, "one/libone.so.2.0": one,
        "one.libs/libgomp-89abcdef.so.1.0.0": other,
    })  # fmt: skip
    index.add("two", tag=TAG, files={"two.libs/libgomp-0123abcd.so.1.0.0": other + b"more"})
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({"lambdas/api/requirements.txt": "one\ntwo\n"})
    return repository


def test_named_with_the_bytes(twice: Repository) -> None:
    """The paths of a library are on one line with the bytes of the copies."""
    twice.doit()
    lines = twice.lambdas("size").output.splitlines()
    (same,) = (line for line in lines if line.startswith("The same library in api: "))
    names = "one/libone.so, one/libone.so.2, one/libone.so.2.0; the copies take "
    assert names in same
    assert 2 * len(library("libone.so.2")) // 1024 == int(same.split("take ")[1].split(".")[0])
    (builds,) = (line for line in lines if line.startswith("Builds of one library in api: "))
    assert "one.libs/libgomp-89abcdef.so.1.0.0, two.libs/libgomp-0123abcd.so.1.0.0" in builds
    (found,) = answer(twice.lambdas("size", "--json").output)["variants"]
    assert [one["same_content"] for one in found["duplicates"]] == [True, False]


def test_the_advice_works(twice: Repository) -> None:
    """The names that no machine code loads can be excluded, as written; the needed one stays."""
    twice.doit()
    start = "No machine code in api loads these: "
    lines = twice.lambdas("size").output.splitlines()
    (advice,) = (line.removeprefix(start) for line in lines if line.startswith(start))
    assert advice == 'exclude: ["/one/libone.so", "/one/libone.so.2.0"]'
    manifest = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"
    twice.write({"lambdas.yaml": f"{manifest}    {advice}\n"})
    assert "has these libraries" not in twice.doit().output
    assert [path for path in twice.members("api") if "libone" in path] == ["one/libone.so.2"]
    assert "The same library" not in twice.lambdas("size").output


def test_a_library_that_code_opens(repository: Repository, index: Index) -> None:
    """Of a library that no other file needs, the path with its own name stays."""
    lone = library("liblone.so.1")
    index.add("lone", tag=TAG, files={"lone/liblone.so": lone, "lone/liblone.so.1": lone})
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({"lambdas/api/requirements.txt": "lone\n"})
    repository.doit()
    output = repository.lambdas("size").output
    assert 'No machine code in api loads these: exclude: ["/lone/liblone.so"]\n' in output


def test_modules_are_not_spare(repository: Repository, index: Index) -> None:
    """Equal modules are named, and no advice says to leave one out: Python loads both by name."""
    module = library()
    index.add("one", tag=TAG, files={"one/a.so": module, "one/b.so": module})
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({"lambdas/api/requirements.txt": "one\n"})
    repository.doit()
    output = repository.lambdas("size").output
    assert "The same library in api: one/a.so, one/b.so; " in output
    assert "No machine code" not in output
