"""`strip: true`, from the manifest to the ZIP."""

import base64
import csv
import hashlib
import io
import sys
from pathlib import Path

import pytest

from buildlib.environment import symbols
from tests import elf_files
from tests.conftest import HANDLER, Index, Repository
from tests.test_cli import answer

TAG = "cp313-cp313-manylinux2014_x86_64"
LIBRARY, PATCHED = elf_files.make(), elf_files.make(elf_files.PATCHED)
PROGRAM = elf_files.make(segments=(elf_files.INTERP,))
FILES: dict[str, str | bytes] = {
    "native/__init__.py": "N = 1\n",
    "native/core.so": LIBRARY,
    "native.libs/libtwo.so.1": PATCHED,
    "native/helper": PROGRAM,
}


def manifest(more: str = "    strip: true\n") -> str:
    """Return a manifest of one function."""
    return f"version: 1\nlambdas:\n  api:\n    handler: app.handler\n{more}"


@pytest.fixture
def native(repository: Repository, index: Index) -> Repository:
    """Give a repository with a dependency of machine code, and machine code of its own."""
    index.add("native", files=FILES, tag=TAG)
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({
        "lambdas.yaml": manifest(),
        "lambdas/api/requirements.txt": "native\n",
        "lambdas/api/own.so": LIBRARY,
    })  # fmt: skip
    return repository


def records(content: bytes) -> dict[str, tuple[str, str]]:
    """Return the digest and the size of each file in a RECORD."""
    rows = csv.reader(io.StringIO(content.decode(), newline=""))
    return {row[0]: (row[1], row[2]) for row in rows}


def test_dependencies_only(native: Repository) -> None:
    """Shared objects of dependencies lose their symbols; programs and own files stay."""
    output = native.doit().output
    assert "warning" not in output
    members = native.members("api")
    assert members["native/core.so"] == symbols.cut(LIBRARY).content != LIBRARY
    assert members["native.libs/libtwo.so.1"] == symbols.cut(PATCHED).content != PATCHED
    assert members["native/helper"] == PROGRAM
    assert members["own.so"] == LIBRARY
    assert native.doit().ran == []


def test_record(native: Repository) -> None:
    """RECORD has the digests and the sizes of the files that ship."""
    native.doit()
    members = native.members("api")
    rows = records(members["native-1.0.dist-info/RECORD"])
    for path in ("native/core.so", "native.libs/libtwo.so.1", "native/helper"):
        content = members[path]
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        assert rows[path] == (f"sha256={digest}", str(len(content)))


def test_the_installers_cache_keeps_its_files(native: Repository) -> None:
    """Uv links files from its cache; those keep their symbols, and a build without `strip` too."""
    native.doit()
    cache = Path(native.environment["UV_CACHE_DIR"])
    cached = {path.read_bytes() for path in cache.rglob("core.so")}
    assert LIBRARY in cached
    assert symbols.cut(LIBRARY).content not in cached
    native.write({"lambdas.yaml": manifest("")})
    native.doit()
    assert native.members("api")["native/core.so"] == LIBRARY
    native.write({"lambdas.yaml": manifest()})
    native.doit()
    assert native.members("api")["native/core.so"] == symbols.cut(LIBRARY).content


def test_the_reason_and_the_savings(native: Repository) -> None:
    """`why` names the option, the summary and `size` the bytes; both builds of `verify` agree."""
    native.write({"lambdas.yaml": manifest("")})
    native.doit()
    assert "Saved" not in native.doit("size").output
    native.write({"lambdas.yaml": manifest()})
    assert "strip none -> rules 1" in native.lambdas("why").output
    saved = sum(len(c) - len(symbols.cut(c).content) for c in (LIBRARY, PATCHED)) / 1024
    assert f"unzipped (-{saved:.1f} kB)" in native.doit().message
    line = f"Saved in api: {saved:.1f} kB unzipped by 'strip' (2 shared objects)"
    assert line in native.lambdas("size").output.splitlines()
    assert "are equal, sha256" in native.lambdas("verify").output
    (found,) = answer(native.lambdas("size", "--json").output)["variants"]
    (part,) = found["saved"]
    assert part == {"option": "strip", "unzipped_size": round(saved * 1024)}


def test_a_file_that_keeps_its_symbols(native: Repository, index: Index) -> None:
    """A file with data after its sections ships as it is, and the build names it and the reason."""
    appended = elf_files.make(after=b"payload")
    index.add("native", "2.0", files={**FILES, "native/more.so": appended}, tag=TAG)
    output = native.doit().output
    assert native.members("api")["native/more.so"] == appended
    text = "'strip' leaves the symbols in native/more.so, which has data after its last section"
    assert text in output


def test_a_name_that_commands_a_terminal(native: Repository, index: Index) -> None:
    """The name of a section is shown, and no terminal obeys it."""
    part = elf_files.Part(".rela\x1b[31m", bytes(24), elf_files.RELA, link=".symtab", info=".text")
    content = elf_files.make((*elf_files.LIBRARY, part))
    index.add("native", "2.0", files={**FILES, "native/more.so": content}, tag=TAG)
    output = native.doit().output
    assert "native/more.so, which has a section '.rela\\x1b[31m' that needs the symbols" in output
    assert "\x1b" not in output


@pytest.mark.parametrize(
    ("name", "checksum"),
    [("core.so", "core.chk"), ("liba.so.2", ".liba.so.2.hmac"), ("fips.so", "openssl.cnf")],
)
def test_a_library_with_a_checksum(
    native: Repository, index: Index, name: str, checksum: str
) -> None:
    """A library for FIPS refuses to load if its file has changed, so it ships as it is."""
    files = {**FILES, f"native/fips/{name}": LIBRARY, f"native/fips/{checksum}": "1234"}
    index.add("native", "2.0", files=files, tag=TAG)
    output = native.doit().output
    members = native.members("api")
    assert members[f"native/fips/{name}"] == LIBRARY
    assert members["native/core.so"] == symbols.cut(LIBRARY).content
    text = f"native/fips/{name}, which is compared with a checksum when it is loaded"
    assert text in output


def test_a_damaged_cache(native: Repository) -> None:
    """A file that differs from RECORD in uv's cache is downloaded again before it is cut."""
    native.write({"lambdas.yaml": manifest("")})
    native.doit()
    cache = Path(native.environment["UV_CACHE_DIR"])
    paths = [path for path in cache.rglob("core.so") if path.read_bytes() == LIBRARY]
    assert paths
    for path in paths:
        path.chmod(0o755)
        with path.open("r+b") as stream:
            stream.seek(LIBRARY.index(elf_files.TEXT.content))
            stream.write(b"\xcc")
    native.write({"lambdas.yaml": manifest()})
    native.doit()
    assert native.members("api")["native/core.so"] == symbols.cut(LIBRARY).content


def test_layers(native: Repository) -> None:
    """A layer has the option, too."""
    native.write({
        "lambdas.yaml": (
            "version: 1\nlayers:\n  common: {requirements: common.txt, strip: true}\n"
            "lambdas:\n  api: {handler: app.handler, layers: [common]}\n"
        ),
        "common.txt": "native\n",
        "lambdas/api/requirements.txt": "",
        "lambdas/api/app.py": f"import native\n{HANDLER}",
    })  # fmt: skip
    native.doit()
    assert native.members("common")["python/native/core.so"] == symbols.cut(LIBRARY).content
    assert "native/core.so" not in native.members("api")


def test_with_bytecode(native: Repository, index: Index) -> None:
    """Both options together give both: symbols are gone, and modules have bytecode."""
    python = "{}.{}".format(*sys.version_info[:2])
    tag = "cp{0}{1}-cp{0}{1}-manylinux2014_x86_64".format(*sys.version_info[:2])
    index.add("native", "2.0", files=FILES, tag=tag)
    more = f"    strip: true\n    bytecode: true\n    python: '{python}'\n"
    native.write({"lambdas.yaml": manifest(more)})
    native.doit()
    members = native.members("api")
    assert members["native/core.so"] == symbols.cut(LIBRARY).content
    assert f"native/__pycache__/__init__.{sys.implementation.cache_tag}.pyc" in members


def test_arm64(native: Repository, index: Index) -> None:
    """Code for the other processor is cut in the same way, on every host."""
    library = elf_files.make(elf_files.PATCHED, machine=elf_files.AARCH64)
    index.add("other", files={"other.so": library}, tag=TAG.replace("x86_64", "aarch64"))
    native.write({
        "lambdas.yaml": manifest("    strip: true\n    architecture: arm64\n"),
        "lambdas/api/requirements.txt": "other\n",
        "lambdas/api/own.so": library,
    })  # fmt: skip
    native.doit()
    assert native.members("api")["other.so"] == symbols.cut(library).content != library


def test_nothing_to_strip(native: Repository) -> None:
    """An option that saves nothing has no line about it."""
    native.write({
        "lambdas/api/requirements.txt": "",
        "lambdas.yaml": manifest("    strip: true\n    compression: best\n"),
    })  # fmt: skip
    native.doit()
    assert "by 'strip'" not in native.lambdas("size").output
    assert "Saved in api: 0 B" not in native.lambdas("size").output
