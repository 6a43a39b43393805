"""The package as users get it: a wheel that is itself reproducible, and the command in it."""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import HANDLER
from tests.documents import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.network]


def built(folder: Path, umask: int, **environment: str) -> Path:
    """Build a wheel from a copy of the committed files, and return it."""
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    source = folder / "source"
    for name in filter(None, files.split("\0")):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copyfile(ROOT / name, target)
    subprocess.run(
        [sys.executable, "-m", "build", "-q", "-w", "-n", "-o", folder / "out", source],
        check=True,
        umask=umask,
        env=os.environ | environment,
        cwd=folder,
    )
    (wheel,) = (folder / "out").glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a wheel of this project."""
    return built(tmp_path_factory.mktemp("wheel"), 0o022)


def test_the_wheel_is_reproducible(wheel: Path, tmp_path: Path) -> None:
    """Another folder, umask, time zone and hash seed give the same wheel, byte for byte."""
    other = built(tmp_path / "a deeper folder", 0o077, TZ="Asia/Tokyo", PYTHONHASHSEED="7")
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (wheel, other)]
    assert digests[0] == digests[1]


def test_contents(wheel: Path) -> None:
    """The wheel has the Terraform modules, the schemas and the templates, and no tests."""
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        *("buildlib/terraform/main.tf", "buildlib/terraform/external/main.tf"),
        "buildlib/terraform/external/arguments/main.tf",
        *("buildlib/lambdas.schema.json", "buildlib/output.schema.json"),
        *("buildlib/commands/report/page.html", "buildlib/py.typed"),
    } <= names
    assert not any(name.startswith(("tests", "docs")) for name in names)


def test_the_first_minutes(wheel: Path, tmp_path: Path) -> None:
    """In an empty environment: install, `init`, `build`, the Terraform module, and doit."""
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv/bin"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV", "CI"))}

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command, cwd=repository, env=environment, capture_output=True, text=True, check=False
        )
        assert not done.returncode, (done.stdout, done.stderr)
        return done.stdout

    repository = tmp_path / "repository"
    (repository / "lambdas/api").mkdir(parents=True)
    (repository / "lambdas/api/app.py").write_text(f"import requests\n{HANDLER}")
    (repository / "lambdas/api/requirements.txt").write_text("requests\n")
    run(programs / "pip", "install", "-q", wheel)
    assert "Created lambdas.yaml with 1 function" in run(programs / "lambdas", "init")
    assert "api: built" in run(programs / "lambdas", "build")
    assert run(programs / "lambdas") == "1 unchanged\n"
    assert run(programs / "lambdas", "report").endswith("dist/report.html\n")
    run(programs / "lambdas", "terraform-module", "infra/lambdas")
    assert (repository / "infra/lambdas/main.tf").exists()
    assert run(programs / "doit") == "1 unchanged\n"


def test_tools_that_install_commands(wheel: Path, tmp_path: Path) -> None:
    """`uvx` finds the command by the name of the package, and `uv tool install` both names."""
    from uv import find_uv_bin

    uv: str = find_uv_bin()
    folders = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    environment = os.environ | folders
    uvx = [uv, "tool", "run", str(wheel), "--version"]
    done = subprocess.run(uvx, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("doit-lambda-zip ")
    install = [uv, "tool", "install", "-q", str(wheel)]
    subprocess.run(install, env=environment, capture_output=True, check=True)
    assert {"lambdas", "doit-lambda-zip"} <= {path.name for path in (tmp_path / "bin").iterdir()}
