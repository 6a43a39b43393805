"""Distributions built from source, where the manifest allows it."""

import io
import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

from tests.conftest import Index, Repository
from tests.test_store import clone

# A build backend (PEP 517) inside the distribution, so that building needs no other packages.
BACKEND = """
import zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "sauce-1.0-TAG.whl"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as archive:
        archive.writestr("sauce.py", CONTENT)
        archive.writestr("sauce-1.0.dist-info/METADATA",
                         "Metadata-Version: 2.1\\nName: sauce\\nVersion: 1.0\\n")
        archive.writestr("sauce-1.0.dist-info/WHEEL",
                         "Wheel-Version: 1.0\\nGenerator: t\\nTag: TAG\\n")
        archive.writestr("sauce-1.0.dist-info/RECORD",
                         "sauce.py,,\\nsauce-1.0.dist-info/METADATA,,\\n"
                         "sauce-1.0.dist-info/WHEEL,,\\nsauce-1.0.dist-info/RECORD,,\\n")
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "sauce"
version = "1.0"
"""
MANIFEST = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"


def add_sdist(index: Index, tag: str, content: str = r"'S = 1\n'", project: str = PROJECT) -> None:
    """Publish a source distribution; its wheel has this tag, and `code` generates its content."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w:gz") as archive:
        for name, text in (
            ("pyproject.toml", project),
            ("backend.py", BACKEND.replace("TAG", tag).replace("CONTENT", content)),
            ("PKG-INFO", "Metadata-Version: 2.1\nName: sauce\nVersion: 1.0\n"),
        ):
            info = tarfile.TarInfo(f"sauce-1.0/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    index.files["sauce-1.0.tar.gz"] = output.getvalue()


def test_only_what_is_named_is_built(dependent: Repository, index: Index) -> None:
    """Without `allow_sdist`, a source distribution is refused; with it, a pure one is built."""
    add_sdist(index, "py3-none-any")
    dependent.write({"lambdas/api/requirements.txt": "sauce\nbeta\n", "lambdas.yaml": MANIFEST})
    message = dependent.fails("zip:api").message
    assert "lambdas/api/requirements.txt:1: sauce: has no wheels" in message
    assert "beta" not in message
    assert "'allow_sdist: [sauce]'" in message
    dependent.write({"lambdas.yaml": MANIFEST + "    allow_sdist: [sauce]\n"})
    dependent.doit("zip:api")
    assert dependent.members("api")["sauce.py"] == b"S = 1\n"
    before = dependent.sha256()
    dependent.doit("clean")
    dependent.doit("zip:api")
    assert dependent.sha256() == before


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs /dev/shm")  # noqa: S108
def test_in_shared_memory(dependent: Repository, index: Index) -> None:
    """A checkout below /dev/shm can be built, and the build sees nothing else there."""
    add_sdist(index, "py3-none-any", "repr(sorted(__import__('os').listdir('/dev/shm')))")
    dependent.write({
        "lambdas/api/requirements.txt": "sauce\n",
        "lambdas.yaml": MANIFEST + "    allow_sdist: [sauce]\n",
    })  # fmt: skip
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        there = clone(dependent, str(Path(folder) / "other"))
        there.environment["UV_CACHE_DIR"] = f"{folder}/uv"
        there.doit("zip:api")
        seen = there.members("api")["sauce.py"].decode()
    if os.geteuid() == 0:
        assert seen == repr([Path(folder).name])


def test_what_is_compiled_here_is_refused(dependent: Repository, index: Index) -> None:
    """A source distribution that turns out not to be pure Python never reaches a ZIP."""
    add_sdist(index, "cp313-cp313-manylinux_2_17_x86_64")
    dependent.write({
        "lambdas/api/requirements.txt": "sauce\n",
        "lambdas.yaml": MANIFEST + "    allow_sdist: [sauce]\n",
    })  # fmt: skip
    message = dependent.fails("zip:api").message
    assert "sauce" in message
    assert "install: docker" in message


# An expression for the content of the built module: what a thief or a vandal would look at. The
# system of a container may refuse namespaces, so the module itself says what was isolated.
SPY = """__import__("json").dumps({
    "names": sorted(__import__("os").environ),
    "home": __import__("os").path.expanduser("~"),
    "temporary": __import__("os").listdir(__import__("tempfile").gettempdir()),
    "undone": [p for p in MOUNTS if not __import__("ctypes").CDLL(None).umount2(p.encode(), 2)],
    "seen": [path for path in PATHS if __import__("os").path.exists(path)],
    "writable": [path for path in FOLDERS if __import__("os").access(path, 2)],
    "own": __import__("os").access(".", 2),
    "processes": __import__("glob").glob("/proc/[0-9]*"),
    "network": __import__("socket").socket().connect_ex(("127.0.0.1", PORT)),
})"""


def test_an_allowed_build_sees_no_secrets(
    dependent: Repository, index: Index, tmp_path: Path
) -> None:
    """A build backend has neither credentials nor the user's home; on Linux also no network."""
    home = Path(dependent.environment["HOME"])
    (home / ".netrc").write_text("machine example.com password hunter2\n")
    dependent.write({"state.tfstate": "hunter2"})
    paths = [str(home / ".netrc"), str(dependent.root / "state.tfstate")]
    # The folder of this test is neither in the home nor in the repository.
    folders = [
        str(tmp_path),
        str(dependent.root / "lambdas"),
        dependent.environment["UV_CACHE_DIR"],
    ]
    spy = SPY.replace("PATHS", repr(paths)).replace("FOLDERS", repr(folders))
    spy = spy.replace("MOUNTS", repr([str(home), str(dependent.root)]))
    add_sdist(index, "py3-none-any", spy.replace("PORT", str(index.port)))
    dependent.environment |= {"AWS_SECRET_ACCESS_KEY": "hunter2"}
    dependent.write({
        "lambdas/api/requirements.txt": "sauce\n",
        "lambdas.yaml": MANIFEST + "    allow_sdist: [sauce]\n",
    })  # fmt: skip
    dependent.doit("zip:api")
    found = json.loads(dependent.members("api")["sauce.py"])
    assert not {n for n in found["names"] if n.startswith(("AWS", "UV", "PIP", "LAMBDA"))}
    assert found["home"] != str(home)
    assert found["temporary"] == []
    assert found["own"]
    if sys.platform == "linux" and os.geteuid() == 0:
        assert found["network"] != 0
        assert found["undone"] == found["seen"] == []
        assert found["processes"] == []
        assert found["writable"] == []


def test_no_code_runs_while_locking(dependent: Repository, index: Index, tmp_path: Path) -> None:
    """A package that only its own code describes is not built; the error names it."""
    ran = tmp_path / "ran"
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w:gz") as archive:
        text = f"open({str(ran)!r}, 'w')\nfrom setuptools import setup\nsetup(name='spy')\n"
        info = tarfile.TarInfo("spy-1.0/setup.py")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text.encode()))
    index.files["spy-1.0.tar.gz"] = output.getvalue()
    index.add("carrier", requires=("spy",))
    dependent.write({"lambdas/api/requirements.txt": "carrier\nalpha\n", "lambdas.yaml": MANIFEST})
    message = dependent.fails("lock:api").message
    assert "spy" in message
    assert "no release that fits has a wheel" in message
    assert not ran.exists()
    assert not (dependent.root / "lambdas/api/requirements.lock").exists()


def test_build_tools_that_contradict_ours(dependent: Repository, index: Index) -> None:
    """A package that pins another build tool than ours is an error that names both."""
    project = PROJECT.replace("requires = []", 'requires = ["wheel==0.37.0"]')
    add_sdist(index, "py3-none-any", project=project)
    index.add("wheel", "0.37.0")
    index.add("wheel", "0.45.1")
    dependent.write({
        "lambdas/api/requirements.txt": "sauce\n",
        "lambdas.yaml": MANIFEST + "    allow_sdist: [sauce]\n",
    })  # fmt: skip
    result = dependent.fails("zip:api")
    assert "sauce 1.0 needs wheel==0.37.0 to be built, but builds here use wheel==0.45.1" in (
        result.message
    )  # fmt: skip
    assert "errors sdist-failed" in result.message


def test_a_build_that_fails(dependent: Repository, index: Index) -> None:
    """A failed build is told as one, with its output, when it wants a compiler with the remedy."""
    add_sdist(index, "py3-none-any", "exec('raise SystemExit(\"no network\")')")
    dependent.write({
        "lambdas/api/requirements.txt": "sauce\n",
        "lambdas.yaml": MANIFEST + "    allow_sdist: [sauce]\n",
    })  # fmt: skip
    message = dependent.fails("zip:api").message
    assert "the build of sauce 1.0 failed. It ran with pinned build tools" in message
    assert "no network" in message
    assert "connection" not in message
    add_sdist(index, "py3-none-any", "exec('raise SystemExit(\"pg_config executable not found\")')")
    dependent.doit("lock:api", "--upgrade")
    message = dependent.fails("zip:api").message
    assert "sauce 1.0 is not pure Python" in message
    assert "set 'install: docker'" in message


def test_a_wheel_wins_over_an_allowed_build(dependent: Repository, index: Index) -> None:
    """`allow_sdist` builds only where no wheel fits the target, whatever glibc its tag names."""
    add_sdist(index, "py3-none-any")
    tag = "cp311-cp311-manylinux_2_25_x86_64"
    index.add("sauce", files={"sauce.py": "wheel"}, tag=tag)
    dependent.write({
        "lambdas/api/requirements.txt": "sauce\n",
        "lambdas.yaml": MANIFEST + "    python: ['3.11', '3.12']\n    allow_sdist: [sauce]\n",
    })  # fmt: skip
    dependent.doit("zip:api")
    assert dependent.members("api-py3.11-x86_64")["sauce.py"] == b"wheel"
    assert dependent.members("api-py3.12-x86_64")["sauce.py"] == b"S = 1\n"
