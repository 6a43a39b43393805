"""Small trees in the shapes of public repositories: `init`, `doit`, and every handler imports.

Each file of tests/corpus is a tree. `#` says what it shows, `> <lambda>: <handler>` is a function
that must be built (with ` - <module>` for a module of somebody else's layer, and ` + <layers>` for
those of the tree), and `== <path>` begins a file.
After `!! <text>`, which the first build must say, come the files that follow the message: the tree
is led there, and all others build without an edit. `{alpha}` is the sha256 of that wheel.
"""

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Index, Repository

CORPUS = Path(__file__).parent / "corpus"
PACKAGES = {
    "alpha": "",
    "beta": "",
    "jinja": "",
    "mangum": "class Mangum:\n    def __init__(self, app): ...\n",
    "chalice": "class Chalice:\n    def __init__(self, app_name): ...\n",
}


class Shape(NamedTuple):
    """A tree: its functions, modules of layers, files, and the edit that a message asks for."""

    handlers: dict[str, str]
    layers: dict[str, list[str]]
    absent: set[str]
    files: dict[str, str]
    message: str
    edit: dict[str, str]


def read(path: Path, hashes: dict[str, str]) -> Shape:
    """Read a file of the corpus."""
    shape = Shape({}, {}, set(), {}, "", {})
    current: list[str] = []
    files = shape.files
    name = ""
    for line in [*path.read_text().splitlines(), "== "]:
        if line.startswith(("== ", "!! ")):
            if name:
                files[name] = "".join(f"{row}\n" for row in current)
            if line.startswith("!! "):
                shape = shape._replace(message=line.removeprefix("!! "))
                files, name = shape.edit, ""
            else:
                name = line.removeprefix("== ")
            current = []
        elif not name and line.startswith("> "):
            function, _, handler = line.removeprefix("> ").partition(": ")
            handler, _, absent = handler.partition(" - ")
            handler, _, layers = handler.partition(" + ")
            shape.layers[function] = layers.split()
            shape.handlers[function] = handler
            shape.absent.update(absent.split())
        elif name:
            current.append(re.sub(r"\{(alpha|beta)\}", lambda m: hashes[m[1]], line))
    return shape


def check_imports(repository: Repository, name: str, handler: str, shape: Shape) -> None:
    """Import a handler from the unpacked ZIP, as the runtime does; modules of layers are empty."""
    target = repository.root.parent / f"unpacked-{name}"
    for one in (name, *shape.layers[name]):
        place = target if one == name else target / "opt"
        with zipfile.ZipFile(repository.root / f"dist/{one}.zip") as archive:
            archive.extractall(place)
    if (target / handler).is_file():
        return
    module, _, function = handler.replace("/", ".").rpartition(".")
    program = (
        "import importlib, sys, types\n"
        f"sys.path[:0] = [{str(target)!r}, {str(target / 'opt/python')!r}]\n"
        "class Any(types.ModuleType):\n"
        "    def __getattr__(self, name): return None\n"
        f"sys.modules.update((name, Any(name)) for name in {sorted(shape.absent)!r})\n"
        f"getattr(importlib.import_module({module!r}), {function!r})\n"
    )
    done = subprocess.run(
        [interpreter(), "-S", "-c", program],
        cwd=target.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{name}: {done.stderr}"


def interpreter() -> str:
    """Return the newest Python of this machine: functions are for 3.12 and newer."""
    found = sorted(Path.home().glob(".pyenv/versions/3.1[2-9].*/bin/python"))
    return str(found[-1]) if found else sys.executable


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.txt")), ids=lambda path: str(path.stem))
def test_shape(repository: Repository, index: Index, path: Path) -> None:
    """`init` proposes exactly these functions, and the build gives ZIPs that start."""
    for name, code in PACKAGES.items():
        index.add(name, "1.0", files={f"{name}.py": code})
    index.add("PyYAML", "1.0", files={"yaml/__init__.py": ""})
    hashes = {
        name: hashlib.sha256(index.files[f"{name}-1.0-py3-none-any.whl"]).hexdigest()
        for name in ("alpha", "beta")
    }
    repository.environment["UV_INDEX_URL"] = index.url
    for name in ("lambdas.yaml", "dodo.py", "lambdas/api/app.py"):
        (repository.root / name).unlink()
    (repository.root / "lambdas/api").rmdir()
    (repository.root / "lambdas").rmdir()
    shape = read(path, hashes)
    repository.write(shape.files)
    result = repository.buildlib("init")
    assert result.code == 0, result.output
    if shape.message:
        assert shape.message in repository.fails().message
        repository.write(shape.edit)
    output = repository.doit().output
    found = {name: entry["handler"] for name, entry in repository.index().items()}
    assert found == shape.handlers, f"{result.output}\n{output}"
    for name, handler in found.items():
        check_imports(repository, name, handler, shape)
        assert repository.index()[name].get("layers", []) == shape.layers[name]
    assert repository.doit().ran == []
