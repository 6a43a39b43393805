"""What the tests of installed trees share."""

import base64
import csv
import io
from pathlib import Path

import pytest

from buildlib.environment import damage
from tests.unit.conftest import file, write


def row(name: str, content: str | bytes = b"") -> str:
    """Return the row of a RECORD."""
    hexadecimal = file(name, content).sha256
    value = base64.urlsafe_b64encode(bytes.fromhex(hexadecimal)).rstrip(b"=").decode()
    return f"{name},sha256={value},{len(content)}\n"


def install(tree: Path, name: str, contents: dict[str, str], extra: str = "") -> None:
    """Put a distribution into `tree`, with a RECORD that is not sorted; `extra` are rows of it."""
    info = f"{name}-1.0.dist-info"
    contents = contents | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
        f"{info}/licenses/LICENSE": "MIT",
    }
    rows = [row(path, content) for path, content in sorted(contents.items(), reverse=True)]
    write(tree, dict(contents))
    write(tree, {f"{info}/RECORD": "".join(rows) + extra + f"{info}/RECORD,,\n"})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give an installed tree as uv and pip leave them, with all that is unwanted."""
    tree = tmp_path / "tree"
    extra = "".join(
        row(name)
        for name in (
            "../../bin/alpha",
            "bin/alpha",
            "alpha-1.0.dist-info/INSTALLER",
            "alpha-1.0.dist-info/REQUESTED",
            "alpha/__pycache__/x.cpython-313.pyc",
            "alpha/gone.py",
        )
    )
    install(tree, "alpha", {"alpha/__init__.py": "A = 1\n", "alpha/data/x.bin": "x" * 99}, extra)
    unwanted = ["alpha/__pycache__/x.cpython-313.pyc", "alpha/stray.pyc", "bin/alpha", ".lock"]
    unwanted += [f"alpha-1.0.dist-info/{name}" for name in damage.INSTALLER_FILES]
    unwanted += ["alpha/.DS_Store", "alpha/.git/config", "Scripts/alpha.exe"]
    return write(tree, dict.fromkeys(unwanted, "#!/home/me/python\n"))


WANTED = [
    "alpha-1.0.dist-info/METADATA",
    "alpha-1.0.dist-info/RECORD",
    "alpha-1.0.dist-info/WHEEL",
    "alpha-1.0.dist-info/entry_points.txt",
    "alpha-1.0.dist-info/licenses/LICENSE",
    "alpha/__init__.py",
    "alpha/data/x.bin",
]


def rows(content: bytes) -> list[list[str]]:
    """Return the rows of a RECORD."""
    return list(csv.reader(io.StringIO(content.decode(), newline="")))
