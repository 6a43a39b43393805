"""The same lock gives the same bytes with either installer."""

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Index, Repository
from tests.docker.conftest import IMAGES, manifest

EXAMPLES = Path(__file__).parents[2] / "lambdas"

EVERYTHING: dict[str, str | bytes] = {
    "alpha/__init__.py": "A = 1\n",
    "alpha/__pycache__/stray.cpython-311.pyc": b"bytecode that a wheel should not have",
    "alpha-1.0.data/purelib/alpha/pure.py": "P = 1\n",
    "alpha-1.0.data/platlib/alpha/plat.py": "P = 2\n",
    "alpha-1.0.data/data/share/alpha/data.txt": "data\n",
    "alpha-1.0.data/data/etc/alpha.conf": "conf\n",
    "alpha-1.0.data/data/lib/libalpha.so.1": b"a library",
    "alpha-1.0.data/data/lib/alpha/more.so": b"another library",
    "alpha-1.0.data/headers/alpha.h": "#define ALPHA 1\n",
    "alpha-1.0.data/scripts/alpha-run": "#!python\nprint('run')\n",
    "alpha-1.0.dist-info/entry_points.txt": "[console_scripts]\nalpha = alpha:main\n",
    "alpha-1.0.dist-info/licenses/LICENSE": "free\n",
}


def both(repository: Repository, python: str, **options: Any) -> tuple[str, str]:  # noqa: ANN401
    """Build `api` in a container, then from wheels; return the sha256 of the ZIPs."""
    repository.write({"lambdas.yaml": manifest(python, **options)})
    repository.doit("zip:api")
    contained, members = repository.sha256()["api"], repository.members("api")
    text = manifest(python, **{**options, "install": "wheels"}).splitlines()
    repository.write({"lambdas.yaml": "\n".join(text[:-1]) + "\n"})
    repository.doit("zip:api")
    assert members == repository.members("api")
    return contained, repository.sha256()["api"]


def test_every_part_of_a_wheel(
    contained: Repository, bridge_index: Index, pythons: list[str]
) -> None:
    """Data, headers, scripts, entry points and stray bytecode end up alike, as does RECORD."""
    bridge_index.add("alpha", files=EVERYTHING)
    first, second = both(contained, pythons[0])
    assert first == second
    members = contained.members("api")
    assert members["share/alpha/data.txt"] == b"data\n"
    assert members["lib/libalpha.so.1"] == b"a library"
    record = members["alpha-1.0.dist-info/RECORD"].decode()
    assert "share/alpha/data.txt,sha256=" in record
    assert not any("bin/" in line or ".." in line for line in record.splitlines())


@pytest.mark.parametrize(
    ("example", "which"), [("team_keys", 1), ("sales_report", 1), ("team_keys", 0)]
)
def test_examples(public: Repository, pythons: list[str], example: str, which: int) -> None:
    """The examples' requirements with native wheels give one ZIP with both installers."""
    for name in ("requirements.txt", "requirements.lock"):
        if (EXAMPLES / example / name).exists():
            shutil.copy(EXAMPLES / example / name, public.root / "lambdas/api" / name)
    first, second = both(public, pythons[which])
    assert first == second
    assert any(name.endswith(".so") for name in public.members("api"))


def test_highest_manylinux_of_the_runtime(public: Repository, pythons: list[str]) -> None:
    """The image's newer glibc does not admit a wheel that the runtime cannot load."""
    public.write({
        "lambdas.yaml": manifest("3.11"),
        "lambdas/api/requirements.txt": "cryptography\n",
    })  # fmt: skip
    assert pythons[0] == "3.11", "the image has another Python than Amazon Linux 2"
    public.doit("zip:api")
    members = public.members("api")
    names = [n for n in members if n.startswith("cryptography-") and n.endswith("/WHEEL")]
    wheel = members[names[0]].decode()
    assert "manylinux_2_17_x86_64" in wheel
    log = (public.root / "build/logs/venv-api.log").read_text()
    assert "manylinux_2_34" not in log


def test_tree_is_ours_and_private(contained: Repository) -> None:
    """Files from a container belong to the user of doit, and none is world-writable."""
    os.umask(0o022)
    contained.doit("zip:api")
    for path in (contained.root / "build").rglob("*"):
        status = path.lstat()
        assert (status.st_uid, status.st_gid) == (os.getuid(), os.getgid()), path
        assert not status.st_mode & stat.S_IWOTH or path.is_symlink(), path


def test_image_name_is_not_in_the_bytes(contained: Repository, pythons: list[str]) -> None:
    """No member of the ZIP names the image, the container's folders or its user."""
    contained.doit("zip:api")
    for name, content in contained.members("api").items():
        for word in (IMAGES, "/doit-lambda-zip", "10001", pythons[0] + "-"):
            assert word.encode() not in content, name
