"""`bytecode: true`, from the manifest to a Python that imports the ZIP."""

import json
import marshal
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import CodeType

import pytest

from buildlib.lock import lockfile
from tests.conftest import HANDLER, Index, Repository

PYTHON = "{}.{}".format(*sys.version_info[:2])
VERSION = platform.python_version()
TAG = sys.implementation.cache_tag

APP = """\
import alpha
import alpha.space.deep


def handler(event, context):
    if event == "fail":
        raise ValueError(alpha.A)
    return event in {"red", "green", "blue"}
"""


def manifest(more: str = "", version: str = "") -> str:
    """Return a manifest of one function with bytecode, for this Python."""
    compiler = f"    compiler: '{version}'\n" if version else ""
    return (
        "version: 1\nlambdas:\n  api:\n    handler: app.handler\n    bytecode: true\n"
        f"    python: '{PYTHON}'\n{compiler}{more}"
    )


@pytest.fixture
def coded(repository: Repository, index: Index) -> Repository:
    """Give a repository with a function that has bytecode, and a dependency."""
    files = {
        "alpha/__init__.py": "A = 'alpha'\n",
        "alpha/space/deep.py": "D = frozenset({'x', 'y'})\n",  # a namespace package
        "alpha/templates/{{name}}/app.py": "class {{name}}: pass\n",
        "alpha/tests/test_a.py": "T = 1\n",
        "alpha/a-script.py": "S = 1\n",
        "alpha/skeleton/plain.py": "P = 1\n",
    }
    index.add("alpha", files=files)
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({
        "lambdas.yaml": manifest(),
        "lambdas/api/app.py": APP,
        "lambdas/api/other.py": "O = 1\n",
        "lambdas/api/requirements.txt": "alpha\n",
    })  # fmt: skip
    return repository


def code_of(content: bytes) -> CodeType:
    """Return the code in a .pyc that Python does not compare with its source (PEP 552)."""
    assert content[4:8] == b"\1\0\0\0"
    found = marshal.loads(content[16:])  # noqa: S302 - of a ZIP that was just built
    assert isinstance(found, CodeType)
    return found


def names(repository: Repository) -> list[str]:
    """Return the modules and their bytecode in the ZIP."""
    return [name for name in repository.members("api") if ".dist-info/" not in name]


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """Give the folder to which `python` unpacks the ZIP."""
    return tmp_path / "task"


def python(repository: Repository, folder: Path, program: str, *zips: str) -> str:
    """Return the output of a program that has the files of ZIPs on its path; it may fail."""
    for name in zips or ("api",):
        with zipfile.ZipFile(repository.root / f"dist/{name}.zip") as archive:
            archive.extractall(folder)
    start = "import sys; sys.path[:0] = sys.argv[1:]\n"
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", start + program, str(folder), f"{folder}/python"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_every_module(coded: Repository) -> None:
    """Each source has bytecode beside it, but what does not compile, and that is said."""
    output = coded.doit().output
    problem = "no bytecode for alpha/templates/{{name}}/app.py (line 1: "
    assert problem in output
    assert f"Python {PYTHON} cannot compile it" in output
    assert names(coded) == sorted([
        f"__pycache__/app.{TAG}.pyc",
        f"__pycache__/other.{TAG}.pyc",
        f"alpha/__pycache__/__init__.{TAG}.pyc",
        f"alpha/__pycache__/a-script.{TAG}.pyc",
        f"alpha/space/__pycache__/deep.{TAG}.pyc",
        f"alpha/tests/__pycache__/test_a.{TAG}.pyc",
        f"alpha/skeleton/__pycache__/plain.{TAG}.pyc",
        *("alpha/__init__.py", "alpha/a-script.py", "alpha/space/deep.py"),
        "alpha/skeleton/plain.py",
        *("alpha/templates/{{name}}/app.py", "alpha/tests/test_a.py", "app.py", "other.py"),
    ])  # fmt: skip
    members = coded.members("api")
    for name in filter(lambda name: name.endswith(".pyc"), members):
        source = re.sub(rf"__pycache__/(.*)\.{TAG}\.pyc", r"\1.py", name)
        code = code_of(members[name])
        assert code.co_filename == f"/var/task/{source}"
        assert code == compile(members[source], "x", "exec", dont_inherit=True)
    assert coded.doit().ran == []
    sizes = [
        line.split(":")[0].strip() for line in coded.lambdas("size", "api").output.splitlines()
    ]
    assert not [line for line in sizes if "pycache" in line]
    assert "equal" in coded.doit("verify:api").output


def test_it_is_used(coded: Repository, unpacked: Path) -> None:
    """Python runs the bytecode, whatever the times of the files, and whatever the source says."""
    coded.doit()
    python(coded, unpacked, "")
    (unpacked / "app.py").write_text("handler = None\n")
    os.utime(unpacked / "app.py", (1, 1))
    output = python_in(unpacked, "import app; print(app.handler('red', None), app.__cached__)")
    assert output == f"True {unpacked}/__pycache__/app.{TAG}.pyc\n"


def python_in(folder: Path, program: str) -> str:
    """Return the output of a program in a folder that is unpacked already."""
    command = [sys.executable, "-B", "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_without_sources(coded: Repository, unpacked: Path) -> None:
    """Bytecode takes the place of modules; it is imported, and tracebacks show Lambda's paths."""
    coded.write({"lambdas.yaml": manifest("    sources: false\n")})
    coded.doit()
    assert names(coded) == sorted([
        *("alpha/__init__.pyc", "alpha/space/deep.pyc", "alpha/tests/test_a.pyc"),
        *(f"alpha/__pycache__/a-script.{TAG}.pyc", "alpha/a-script.py"),
        *(f"alpha/skeleton/__pycache__/plain.{TAG}.pyc", "alpha/skeleton/plain.py"),
        *("alpha/templates/{{name}}/app.py", "app.pyc", "other.pyc"),
    ])  # fmt: skip
    record = coded.members("api")["alpha-1.0.dist-info/RECORD"].decode()
    listed = [line.partition(",")[0] for line in record.splitlines()]
    assert "alpha/__init__.py" not in listed
    assert "alpha/__init__.pyc" in listed
    assert "alpha/a-script.py" in listed
    output = python(
        coded, unpacked, "import app; print(app.handler('red', 0)); app.handler('fail', 0)"
    )
    assert output.startswith("True\n")
    assert 'File "/var/task/app.py", line 7, in handler' in output
    assert "equal" in coded.doit("verify:api").output
    coded.write({"lambdas/api/app.py": APP + "X = 1\n"})
    coded.doit()
    edited = coded.sha256()
    coded.doit("clean")
    coded.doit()
    assert coded.sha256() == edited  # members that were copied, and none
    coded.write({"lambdas.yaml": manifest()})
    assert "sources replaced by bytecode -> none" in coded.doit().output
    assert "app.py" in names(coded)


def entries(repository: Repository) -> dict[str, int]:
    """Return the times of the entries of bytecode in the cache."""
    folder = repository.root / "build/cache/bytecode-v1"
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*/*")}


def test_an_edit_compiles_one_file(coded: Repository) -> None:
    """After an edit, one file is compiled; after a new environment, none that is known."""
    coded.doit()
    first = entries(coded)
    before = coded.members("api")
    coded.write({"lambdas/api/app.py": APP + "X = 1\n"})
    coded.doit()
    second = entries(coded)
    assert len(second) == len(first) + 1
    assert first.items() <= second.items()
    after = coded.members("api")
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"app.py", f"__pycache__/app.{TAG}.pyc"}
    coded.write({"lambdas/api/app.py": APP})
    coded.doit("run", "-a", "venv", "stage")
    assert entries(coded) == second


def test_the_way_to_the_bytes(coded: Repository) -> None:
    """Cold, warm, edited, forced and restored builds give the same bytes."""
    coded.doit()
    wanted = coded.sha256()
    coded.doit("-a")
    assert coded.sha256() == wanted
    coded.write({"lambdas/api/app.py": APP + "X = 1\n"})
    coded.doit()
    coded.write({"lambdas/api/app.py": APP})
    (coded.root / "dist/api.zip").unlink()
    for folder in ("build/cache/zips-v1", "build/zip"):
        shutil.rmtree(coded.root / folder)
    coded.doit()
    assert coded.sha256() == wanted
    for path in (coded.root / "build/bytecode").rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    for path in (coded.root / "build/env").rglob("*.pyc"):
        path.chmod(0o644)
        path.write_bytes(b"damaged")
    coded.write({"lambdas/api/other.py": "O = 2\n"})
    coded.doit()
    coded.write({"lambdas/api/other.py": "O = 1\n"})
    shutil.rmtree(coded.root / "build/cache/zips-v1")
    coded.doit()
    assert coded.sha256() == wanted


def test_exclude(coded: Repository) -> None:
    """Bytecode follows its source: a pattern for one is a pattern for both."""
    coded.write(
        {"lambdas.yaml": manifest("    exclude: [tests/, a-script.py, '*.pyc', other.py]\n")}
    )
    coded.doit()
    assert names(coded) == sorted([
        f"__pycache__/app.{TAG}.pyc",
        f"alpha/__pycache__/__init__.{TAG}.pyc",
        f"alpha/space/__pycache__/deep.{TAG}.pyc",
        *("alpha/__init__.py", "alpha/space/deep.py", "alpha/templates/{{name}}/app.py", "app.py"),
        *(f"alpha/skeleton/__pycache__/plain.{TAG}.pyc", "alpha/skeleton/plain.py"),
    ])  # fmt: skip


def test_a_credential_is_found_once(coded: Repository) -> None:
    """A permission for a credential in a source holds for its bytecode."""
    key = "AKIA" + "IOSFODNN7" + "ABCDEFG"
    coded.write({
        "lambdas/api/other.py": f"KEY = '{key}'\n",
        "lambdas.yaml": manifest("    allow_secrets: [other.py]\n"),
    })  # fmt: skip
    coded.doit()
    assert f"__pycache__/other.{TAG}.pyc" in names(coded)


# -- the compiler ----------------------------------------------------------------------------------


def pin(repository: Repository, version: str) -> None:
    """Pin another compiler in the lockfile, as a colleague with that version would."""
    path = repository.root / "lambdas/api/requirements.lock"
    text = re.sub("CPython .*", f"CPython {version}", path.read_text())
    text = re.sub("pins-sha256: .*", f"pins-sha256: {lockfile.body_sha256(text)}", text)
    path.write_text(text)


def test_the_lock_pins_it(coded: Repository) -> None:
    """The lockfile, the key and the evidence have the exact version of the compiler."""
    coded.write({"lambdas.yaml": manifest("    evidence: true\n")})
    coded.doit()
    lock = (coded.root / "lambdas/api/requirements.lock").read_text()
    assert f"# compiler: CPython {VERSION}\n" in lock
    statement = json.loads((coded.root / "dist/api.intoto.json").read_text())
    parameters = statement["predicate"]["buildDefinition"]["internalParameters"]
    assert parameters["environment"]["compiler"] == f"CPython {VERSION}"
    assert parameters["environment"]["code_folder"] == "/var/task/"


def test_the_remedy_of_doctor(coded: Repository) -> None:
    """A lockfile pins the compiler; a function without one has to name it."""
    (coded.root / "lambdas/api/requirements.lock").unlink(missing_ok=True)
    found = coded.lambdas("doctor", code=None).output
    assert "run 'lambdas lock', or set 'compiler'" in found
    coded.write({"lambdas/api/requirements.txt": "", "lambdas/api/app.py": HANDLER})
    (coded.root / "lambdas/api/requirements.txt").unlink()
    found = coded.lambdas("doctor", code=None).output
    assert "set 'compiler'" in found
    assert "or set 'compiler'" not in found


def test_another_version(coded: Repository) -> None:
    """Another patch version is refused, keeps the ZIP, and the remedy works when followed."""
    coded.doit()
    before = coded.sha256()
    pin(coded, f"{PYTHON}.99")
    output = coded.fails().output
    assert f"lambdas/api/requirements.lock pins CPython {PYTHON}.99 as the compiler" in output
    assert f"this machine has {VERSION}" in output
    assert f"'uv python install {PYTHON}.99'" in output
    assert coded.sha256() == before
    check = f"CPython {PYTHON}.99 is pinned for bytecode, and not here (here: {VERSION}"
    assert check in coded.lambdas("doctor", code=None).output
    command = re.search("'lambdas (lock --upgrade-package cpython api)'", output)
    assert command
    changes = coded.lambdas(*command[1].split()).output
    assert f"Updated the compiler CPython {PYTHON}.99 -> {VERSION}" in changes
    coded.doit()
    assert coded.sha256() == before


def test_why(coded: Repository) -> None:
    """`why` names a changed compiler, and a build that turns bytecode on says so."""
    coded.write({"lambdas.yaml": manifest().replace("    bytecode: true\n", "")})
    coded.doit()
    coded.write({"lambdas.yaml": manifest()})
    assert f"compiler of bytecode none -> CPython {VERSION}" in coded.doit().output
    pin(coded, f"{PYTHON}.99")
    output = coded.lambdas("why", "api", code=None).output
    assert f"compiler of bytecode CPython {VERSION} -> CPython {PYTHON}.99" in output


def test_a_cached_zip_needs_no_compiler(coded: Repository) -> None:
    """A machine without the compiler takes the ZIP that the cache has."""
    coded.doit()
    wanted = coded.sha256()
    coded.write({"lambdas.yaml": manifest(version=f"{PYTHON}.99")})
    coded.fails()
    coded.write({"lambdas.yaml": manifest()})
    (coded.root / "dist/api.zip").unlink()
    assert "from the cache" in coded.doit().output
    assert coded.sha256() == wanted


def test_a_lock_without_it(coded: Repository) -> None:
    """A lockfile from before lacks the compiler: it is added, or where it is frozen, refused."""
    coded.write({"lambdas.yaml": manifest().replace("    bytecode: true\n", "")})
    coded.doit()
    assert "compiler" not in (coded.root / "lambdas/api/requirements.lock").read_text()
    coded.write({"lambdas.yaml": manifest()})
    assert f"has no compiler for Python {PYTHON}" in coded.fails(CI="true").output
    coded.doit()
    assert "# compiler" in (coded.root / "lambdas/api/requirements.lock").read_text()


def test_without_a_lock(repository: Repository) -> None:
    """A function without requirements names the compiler in the manifest, or is told to."""
    repository.write({"lambdas.yaml": manifest()})
    output = repository.fails().output
    assert "it has no requirements.lock to pin the compiler" in output
    repository.write({"lambdas.yaml": manifest(version="3.98.1")})
    output = repository.fails().output
    assert "'compiler' names CPython 3.98.1, which compiles for another Python than" in output
    repository.write({"lambdas.yaml": manifest(version=VERSION)})
    repository.doit()
    assert names(repository) == [f"__pycache__/app.{TAG}.pyc", "app.py"]
    assert "equal" in repository.doit("verify:api").output
    repository.write({"lambdas.yaml": manifest(version=f"{PYTHON}.99")})
    output = repository.fails().output
    assert f"the manifest names CPython {PYTHON}.99 as the compiler" in output
    assert "or change 'compiler' of lambda 'api'" in output


def test_contradictions(repository: Repository) -> None:
    """Keys that contradict each other are errors, at their places and all at once."""
    repository.write({
        "lambdas.yaml": (
            "version: 1\nlambdas:\n"
            "  api:\n    handler: app.handler\n    sources: false\n"
            "  two:\n    source: lambdas/api\n    handler: app.handler\n    bytecode: true\n"
            "    compiler: ['3.13.1', '3.13.2']\n"
            "  new:\n    source: lambdas/api\n    handler: app.handler\n    bytecode: true\n"
            "    python: '3.15'\n"
        )
    })  # fmt: skip
    output = repository.doit(code=3).output
    assert "lambdas.yaml:5:14: lambda 'api': 'sources: false' requires 'bytecode: true'" in output
    assert "lambdas.yaml:10:15: lambda 'two': compiler: several versions of Python 3.13" in output
    assert "lambdas.yaml:14:15: lambda 'new': no bytecode for Python 3.15" in output


# -- layers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ["", "    sources: false\n"])
def test_a_layer(coded: Repository, unpacked: Path, more: str) -> None:
    """The bytecode of a layer has the paths of /opt, and its functions are built as usual."""
    coded.write({
        "lambdas.yaml": (
            f"version: 1\ndefaults: {{python: '{PYTHON}'}}\nlayers:\n"
            "  common:\n    bytecode: true\n    requirements: layers/common.txt\n"
            f"    include: [libs/acme.py]\n{more}"
            "lambdas:\n  api:\n    handler: app.handler\n    layers: [common]\n"
        ),
        "layers/common.txt": "alpha\n",
        "libs/acme.py": "import traceback\nA = traceback.extract_stack()[-1].filename\n",
        "lambdas/api/app.py": f"import acme\n{APP}",
    })  # fmt: skip
    coded.doit()
    layer = coded.members("common")
    own = "python/acme.pyc" if more else f"python/__pycache__/acme.{TAG}.pyc"
    deep = "deep.pyc" if more else f"__pycache__/deep.{TAG}.pyc"
    assert code_of(layer[own]).co_filename == "/opt/python/acme.py"
    found = code_of(layer[f"python/alpha/space/{deep}"])
    assert found.co_filename == "/opt/python/alpha/space/deep.py"
    assert all(name.startswith("python/") for name in layer)
    assert not [name for name in names(coded) if name.endswith(".pyc")]
    output = python(
        coded, unpacked, "import app; print(app.handler('red', 0), app.acme.A)", "common", "api"
    )
    folder = "/opt/python" if more else f"{unpacked}/python"
    assert output == f"True {folder}/acme.py\n"
    assert "equal" in coded.doit("verify:common").output


def test_one_init(repository: Repository, index: Index) -> None:
    """An `__init__.py` that the function and a dependency share has one bytecode."""
    index.add("corp", files={"corp/__init__.py": "X = 1\n", "corp/b.py": "B = 1\n"})
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({
        "lambdas.yaml": manifest(),
        "lambdas/api/app.py": f"import corp.a, corp.b\n{HANDLER}",
        "lambdas/api/corp/__init__.py": "X = 1\n",
        "lambdas/api/corp/a.py": "A = 1\n",
        "lambdas/api/requirements.txt": "corp\n",
    })  # fmt: skip
    for more in ("", "    sources: false\n"):
        repository.write({"lambdas.yaml": manifest(more)})
        repository.doit()
        assert sum("__init__" in name and "pyc" in name for name in names(repository)) == 1


# -- who builds ------------------------------------------------------------------------------------


def test_no_setting_reaches_the_bytes(coded: Repository, tmp_path: Path) -> None:
    """Variables of Python, which change what is compiled, do not reach the compiler."""
    code = "def f():\n    'a docstring'\n    assert f\n    __debug__\n"
    coded.write({"lambdas/api/other.py": code})
    coded.doit()
    wanted = coded.sha256()
    for folder in ("build", "dist"):
        shutil.rmtree(coded.root / folder)
    coded.environment |= {
        "PYTHONHASHSEED": "4711",
        "PYTHONOPTIMIZE": "2",
        "PYTHONINTMAXSTRDIGITS": "0",
        "LC_ALL": "tr_TR.UTF-8",
        "PYTHON_CPU_COUNT": "1",
        "PYTHONPYCACHEPREFIX": str(tmp_path / "prefix"),
    }
    coded.doit()
    assert coded.sha256() == wanted
