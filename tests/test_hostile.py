"""Inputs that were written to do harm: they get a message, in time, and reach nothing else."""

import contextlib
import json
import os
import stat
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import HANDLER, Repository

MANIFEST = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"


@pytest.mark.parametrize(
    "pattern", ["*a*a*a*a*a*a*a*a*a*a*b", "**/a/**/a/**/a/**/a/**/b", "x/*a*a*a*a*b/y"]
)
def test_a_pattern_that_never_ends(repository: Repository, pattern: str) -> None:
    """A pattern that takes long to match is refused, with the remedy."""
    repository.write({
        "lambdas.yaml": f"{MANIFEST}    exclude: ['{pattern}']\n",
        f"lambdas/api/{'a' * 120}.txt": "",
    })  # fmt: skip
    began = time.monotonic()
    assert "write several patterns" in repository.doit(code=1).output
    assert time.monotonic() - began < 10


def test_many_patterns(repository: Repository) -> None:
    """A manifest of thousands of patterns is read in time in proportion to them."""
    patterns = "".join(f"      - 'file{number}.txt'\n" for number in range(5_000))
    repository.write({"lambdas.yaml": f"{MANIFEST}    exclude:\n{patterns}"})
    repository.doit()
    assert set(repository.sha256()) == {"api"}


@pytest.mark.parametrize("size", ["9" * 5_000, f"'{'9' * 400} MB'", f"'{'9' * 5_000} MB'"])
def test_a_size_of_many_digits(repository: Repository, size: str) -> None:
    """A number of thousands of digits is a mistake with a place, like any other."""
    repository.write({"lambdas.yaml": f"{MANIFEST}    size_limit: {size}\n"})
    output = repository.doit("list", code=3).output
    assert "lambdas.yaml:5:17: lambda 'api': size_limit: expected 1 to 262144000 bytes" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("path", ["lambdas.hashes.json", "dist/lambdas.json", "build/settled.json"])
def test_deep_json(repository: Repository, path: str) -> None:
    """JSON that is nested deeper than Python reads counts as damaged."""
    repository.doit()
    before = repository.sha256()
    repository.write({path: "[" * 100_000})
    assert "Traceback" not in repository.doit().output
    assert repository.sha256() == before


def test_names_command_nobody(repository: Repository) -> None:
    """A name with control characters reaches no terminal and no log as such."""
    name = "a\x1b[2J\n::error::owned\r##[command].py"
    try:
        repository.write({f"lambdas/api/{name}": "def broken(:\n"})
    except OSError:
        pytest.skip("the file system refuses the name")
    for environment in ({}, {"GITHUB_ACTIONS": "true"}, {"CI": "true"}):
        for command in ([], ["why:api"], ["size"]):
            output = repository.doit(*command, code=None, **environment).output
            assert "\x1b" not in output
            assert "\r" not in output
            assert not any(
                line.lstrip().startswith("::error::owned") for line in output.split("\n")
            )
            assert "##[" not in output


def test_values_of_the_manifest_command_nobody(repository: Repository) -> None:
    """Neither do the values and keys that a message quotes."""
    for line in (
        '    handler: "a\\e[2J\\n::error::owned"\n',
        '    "k\\e[2J\\n::error::owned": 1\n',
        '    python: "3\\e[2J\\n::error::owned"\n',
    ):
        repository.write({"lambdas.yaml": "version: 1\nlambdas:\n  api:\n" + line})
        output = repository.doit(code=None, GITHUB_ACTIONS="true").output
        assert "\x1b" not in output
        assert not any(text.lstrip().startswith("::error::owned") for text in output.split("\n"))


@contextlib.contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Let nobody write to a folder; root may write wherever a mount does not forbid it."""
    if os.getuid():
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
        yield
        folder.chmod(stat.S_IRWXU)
        return
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.name == "nt", reason="folders of Windows have no modes")
def test_clean_where_nothing_can_be_removed(repository: Repository) -> None:
    """`doit clean` of a folder that cannot be written is one message and exit code 1."""
    repository.doit()
    with unwritable(repository.root / "dist"):
        output = repository.doit("clean", code=1).output
    assert output.count("doit clean stopped: ") == 1
    assert "Traceback" not in output


def test_a_small_zip_that_claims_much(repository: Repository, tmp_path: Path) -> None:
    """`diff` does not unpack what Lambda would not take."""
    for name in ("a", "b"):
        with (
            zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("zeros", "w", force_zip64=True) as stream,
        ):
            for _ in range(300):
                stream.write(bytes(1 << 20))
            stream.write(name.encode())
    done = repository.buildlib("diff", str(tmp_path / "a"), str(tmp_path / "b"))
    assert done.code == 2
    assert "'zeros' has 300.0 MB, more than Lambda takes; it was not unpacked" in done.output


def test_aliases_of_aliases(repository: Repository) -> None:
    """`init` does not read a template whose aliases stand for billions of values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    lines += ["Resources:", "  F:", "    Type: AWS::Serverless::Function", "    Properties:"]
    lines += ["      Handler: *a9", "      Runtime: python3.13", "      CodeUri: src"]
    repository.write({"template.yaml": "\n".join(lines), "src/app.py": HANDLER})
    (repository.root / "lambdas.yaml").unlink()
    output = repository.buildlib("init", "--print").output
    assert "template.yaml: not read: with its aliases expanded it has more than" in output


def test_json_of_a_query(repository: Repository) -> None:
    """A query of Terraform that is nested too deep is a message."""
    done = repository.buildlib("external", "[" * 100_000)
    assert done.code == 1
    assert "Traceback" not in done.output
    assert json.dumps({}) not in done.output


def test_a_module_too_large_to_read(repository: Repository) -> None:
    """A warning says that the imports of a huge module are not checked; the others are."""
    huge = HANDLER + "import absent\nX = 1\n" + "# of no use\n" * 250_000
    repository.write({"lambdas/api/app.py": huge})
    result = repository.doit()
    warning = "the imports of a module over 2.5 MB are not checked (lambdas/api/app.py)"
    assert warning in result.output
    repository.write({"lambdas/api/app.py": HANDLER + "import huge\nimport absent\n"})
    repository.write({"lambdas/api/huge.py": huge})
    assert "'absent'" in repository.fails().message
