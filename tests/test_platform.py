"""A wheel whose tag lies is found by what is in it, before its environment is used."""

import shutil
import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.conftest import HANDLER, Index, Repository
from tests.unit.environment.test_elf import AARCH64, shared_object

MANIFEST = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"


@pytest.fixture
def native(repository: Repository, index: Index) -> Repository:
    """Give the repository with one function that requires `native`, which is not published yet."""
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({"lambdas/api/requirements.txt": "native\n"})
    return repository


@pytest.mark.parametrize(
    ("tag", "name", "content", "text"),
    [
        (
            "cp313-cp313-manylinux_2_28_x86_64",
            "native/x.cpython-313-x86_64-linux-gnu.so",
            shared_object(AARCH64),
            "is machine code for AARCH64, the runtime is x86_64",
        ),
        (
            "cp313-abi3-manylinux_2_34_x86_64",
            "native/x.abi3.so",
            shared_object(versions=("GLIBC_2.39",)),
            "needs glibc 2.39, Amazon Linux 2023 has 2.34",
        ),
        (
            "cp313-cp313-manylinux_2_17_x86_64",
            "native/x.cpython-312-x86_64-linux-gnu.so",
            shared_object(),
            "is for cpython-312-x86_64-linux-gnu, which Python 3.13 does not import",
        ),
        (
            "py3-none-any",
            "native.libs/libnative-1234.so.2",
            shared_object(AARCH64),
            "is machine code for AARCH64, the runtime is x86_64",
        ),
    ],
    ids=["machine", "glibc", "Python", "library"],
)
def test_a_wheel_that_lies(  # noqa: PLR0913, PLR0917
    native: Repository, index: Index, tag: str, name: str, content: bytes, text: str
) -> None:
    """It stops the step `venv` with package, file, what it is, what the runtime has, and a remedy;
    nothing of it stays, and another run says the same.
    """
    files: dict[str, str | bytes] = {"native/__init__.py": "", name: content}
    index.add("native", files=files, tag=tag)
    for _ in range(2):
        result = native.fails()
        assert f"  native 1.0: {name} {text}\n" in result.output
        assert "Python 3.13 on x86_64 (Amazon Linux 2023, glibc 2.34)" in result.message
        assert "Ask for another release in lambdas/api/requirements.txt" in result.message
        assert not (native.root / "dist").exists()
        assert not list(native.root.glob("build/env/*"))


def test_all_at_once(native: Repository, index: Index) -> None:
    """Whoever has two wrong packages reads of both."""
    index.add("native", files={"native.so": shared_object(AARCH64)}, requires=("other",))
    index.add("other", files={"other.so": shared_object(versions=("GLIBC_2.35",))})
    message = native.fails().message
    assert "native 1.0: native.so" in message
    assert "other 1.0: other.so" in message


def test_what_is_excluded_may_be_wrong(native: Repository, index: Index) -> None:
    """A file that is not in the ZIP may be for anything; a variant that shares the environment and
    does not exclude the file stops all the same.
    """
    index.add("native", files={"native/__init__.py": "", "native/arm.so": shared_object(AARCH64)})
    manifest = MANIFEST + "    exclude: [/native/arm.so]\n"
    native.write({"lambdas.yaml": manifest})
    native.doit()
    assert sorted(native.members("api"))[:2] == ["app.py", "native-1.0.dist-info/METADATA"]
    native.write({
        "lambdas.yaml": manifest + "  jobs:\n    handler: app.handler\n",
        "lambdas/jobs/app.py": HANDLER,
        "lambdas/jobs/requirements.txt": "native\n",
    })  # fmt: skip
    result = native.fails()
    assert "native 1.0: native/arm.so is machine code for AARCH64" in result.message
    assert "lambda 'jobs'" in result.message
    assert list(native.sha256()) == ["api"]


@pytest.mark.network
@pytest.mark.parametrize(
    ("python", "platform", "text"),
    [
        ("3.13", "aarch64-manylinux_2_28", "is machine code for AARCH64, the runtime is x86_64"),
        ("3.12", "x86_64-manylinux_2_28", "is for cpython-312-x86_64-linux-gnu, which Python 3.13"),
    ],
    ids=["arm64", "cp312"],
)
def test_real_wheels(  # noqa: PLR0913, PLR0917
    native: Repository, index: Index, tmp_path: Path, python: str, platform: str, text: str
) -> None:
    """What real projects compiled for something else is recognised under a tag that lies."""
    folder = tmp_path / "real"
    subprocess.run(
        [
            *(find_uv_bin(), "pip", "install", "-q", "--target", str(folder), "--no-deps"),
            *("--only-binary", ":all:", "--python-version", python, "--python-platform", platform),
            *("--link-mode", "copy", "markupsafe", "cffi"),
        ],
        check=True,
        timeout=120,
    )
    files: dict[str, str | bytes] = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".dist-info" not in str(path)
    }
    assert len([name for name in files if name.endswith(".so")]) == 2
    index.add("native", files=files, tag="cp313-cp313-manylinux_2_28_x86_64")
    message = native.fails().message
    for line in ("native 1.0: markupsafe/_speedups.cpython-31", "native 1.0: _cffi_backend."):
        assert line in message
    assert message.count(text) == 2
    shutil.rmtree(folder)
