"""Dependencies that are declared, but that no lock is made from, are never missing in silence."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import HANDLER, Index, Repository

MANIFEST = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"
USES_ALPHA = f"import alpha\n{HANDLER}"
PROJECT = '[project]\nname = "api"\nversion = "1"\ndependencies = ["alpha>=1"]\n'
SETUP = (
    "from setuptools import setup\nNEEDS = ['alpha>=1']\nsetup(name='x', install_requires=NEEDS)\n"
)

# Files that declare `alpha`, and from which a lockfile is made.
READ = {
    "pyproject.toml": PROJECT,
    "pyproject.toml of Poetry": '[tool.poetry.dependencies]\npython = "^3.12"\nalpha = "^1.0"\n',
    "pyproject.toml with markers": (
        '[project]\nname = "x"\nversion = "1"\n'
        "dependencies = [\"alpha; sys_platform == 'linux'\", \"beta; sys_platform == 'win32'\"]\n"
    ),
    "Pipfile": '[packages]\nalpha = "*"\n[dev-packages]\npytest = "*"\n',
}

# Files that declare `alpha`, and that are not read.
DECLARATIONS = {
    "pyproject.toml of Flit": '[tool.flit.metadata]\nrequires = ["alpha"]\n',
    "pylock.prod.toml": 'lock-version = "1.0"\n[[packages]]\nname = "alpha"\nversion = "1.0"\n',
    "setup.py": SETUP,
    "setup.cfg": "[options]\ninstall_requires =\n  alpha>=1  # why\n",
    "environment.yml": "dependencies:\n  - python=3.13\n  - conda-forge::alpha=1.0\n",
    "environment.yml with pip": "dependencies:\n  - pip\n  - pip:\n    - alpha==1.0\n",
    "requirements.in": "alpha\n",
    "requirements-prod.txt": "alpha==1.0\n",
    "requirements/base.txt": "# ours\nalpha\n",
}

# Files of the same names that need nothing in Lambda.
OTHERS = {
    "pyproject.toml": '[tool.ruff]\nline-length = 100\n[project]\nname = "x"\nversion = "1"\n',
    "pyproject.toml with groups": '[dependency-groups]\ndev = ["pytest"]\n',
    "pyproject.toml with extras": (
        '[project]\nname = "x"\nversion = "1"\n[project.optional-dependencies]\nx = ["alpha"]\n'
    ),
    "pyproject.toml of Poetry": (
        '[tool.poetry.dependencies]\npython = "^3.12"\n'
        '[tool.poetry.group.dev.dependencies]\npytest = "*"\n'
    ),
    "pyproject.toml for Windows": (
        '[project]\nname = "x"\nversion = "1"\ndependencies = ["a; sys_platform == \'win32\'"]\n'
    ),
    "uv.lock": 'version = 1\n[[package]]\nname = "x"\nversion = "0"\nsource = { virtual = "." }\n',
    "poetry.lock": '[[package]]\nname = "pytest"\nversion = "1.0"\ngroups = ["dev"]\n',
    "Pipfile": '[dev-packages]\npytest = "*"\n',
    "setup.py": "from setuptools import setup\nsetup(name='x')\n",
    "setup.cfg": "[flake8]\nmax-line-length = 100\n[metadata]\nname = x\n",
    "environment.yml": "production:\n  url: https://example.com\n",
    "requirements-dev.txt": "pytest\n",
    "dev-requirements.txt": "pytest\n",
    "requirements/test.txt": "pytest\n",
    "requirements/__init__.py": "",
}


@pytest.fixture
def alpha(repository: Repository, index: Index) -> Repository:
    """Give a repository whose function imports `alpha`, which the index has."""
    index.add("alpha", "1.0", files={"alpha.py": "A = 1\n"})
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({"lambdas/api/app.py": USES_ALPHA})
    return repository


def listed(message: str) -> str:
    """Return the lines that a message lists for a requirements file."""
    return "".join(f"{line}\n" for line in re.findall(r"^  (\S.*)$", message, re.MULTILINE))


# Lockfiles of other tools with `alpha`, whose hash stands in the place of HASH.
LOCKS = {
    "uv.lock": (
        'version = 1\n[[package]]\nname = "api"\nversion = "0"\nsource = { virtual = "." }\n'
        'dependencies = [{ name = "alpha" }]\n[[package]]\nname = "alpha"\nversion = "1.0"\n'
        'source = { registry = "https://pypi.org/simple" }\n'
        'wheels = [{ url = "https://x/alpha-1.0-py3-none-any.whl", hash = "sha256:HASH" }]\n'
    ),
    "poetry.lock": (
        '[[package]]\nname = "alpha"\nversion = "1.0"\ngroups = ["main"]\n'
        'files = [{file = "alpha-1.0-py3-none-any.whl", hash = "sha256:HASH"}]\n'
        '[[package]]\nname = "pytest"\nversion = "1.0"\ngroups = ["dev"]\n'
        '[metadata]\nlock-version = "2.1"\n'
    ),
    "pdm.lock": (
        '[metadata]\nlock_version = "4.5.1"\n'
        '[[package]]\nname = "alpha"\nversion = "1.0"\ngroups = ["default"]\n'
        'files = [{file = "alpha-1.0-py3-none-any.whl", hash = "sha256:HASH"}]\n'
    ),
    "pylock.toml": (
        'lock-version = "1.0"\n[[packages]]\nname = "alpha"\nversion = "1.0"\n'
        'wheels = [{name = "alpha-1.0-py3-none-any.whl", hashes = {sha256 = "HASH"}}]\n'
    ),
    "Pipfile.lock": (
        '{"default": {"alpha": {"version": "==1.0", "hashes": ["sha256:HASH"]}}, "develop": {}}'
    ),
}


def check_whole(repository: Repository) -> None:
    """Check that the ZIP has `alpha`, and no file of a tool."""
    members = repository.members("api")
    assert "alpha.py" in members
    assert "alpha-1.0.dist-info/METADATA" in members
    assert not [path for path in members if path.endswith((".toml", ".lock", ".cfg", "file"))]


@pytest.mark.parametrize("kind", READ)
def test_a_declaration_is_locked(alpha: Repository, kind: str) -> None:
    """The only declaration in a function's folder is locked, beside it, and built."""
    name = kind.partition(" ")[0]
    alpha.write({f"lambdas/api/{name}": READ[kind]})
    alpha.doit()
    check_whole(alpha)
    lock = alpha.root / f"lambdas/api/{name.partition('.')[0].lower()}.requirements.lock"
    assert "alpha==1.0" in lock.read_text()
    assert alpha.doit().ran == []
    alpha.write({f"lambdas/api/{name}": READ[kind].replace("alpha", "ALPHA")})
    assert "lock:api" in alpha.doit().ran


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_used(alpha: Repository, index: Index, name: str) -> None:
    """The only lockfile in a function's folder is used as it is; a wrong hash is refused."""
    wheel = hashlib.sha256(index.files["alpha-1.0-py3-none-any.whl"]).hexdigest()
    alpha.write({f"lambdas/api/{name}": LOCKS[name].replace("HASH", wheel)})
    assert "lock:api" not in alpha.doit().ran
    check_whole(alpha)
    assert not (alpha.root / "lambdas/api/requirements.lock").exists()
    assert alpha.doit().ran == []
    alpha.write({f"lambdas/api/{name}": LOCKS[name].replace("HASH", "0" * 64)})
    assert "hash" in alpha.fails().message.lower()
    alpha.write({f"lambdas/api/{name}": LOCKS[name].replace("HASH", "")})
    assert "alpha 1.0 has no sha256" in alpha.fails().message


def test_two_locks(alpha: Repository) -> None:
    """Of two lockfiles none is taken by chance; the message names the key that chooses."""
    alpha.write({f"lambdas/api/{name}": LOCKS[name] for name in ("uv.lock", "poetry.lock")})
    message = alpha.fails().message
    assert "set 'requirements' to one of them: poetry.lock, uv.lock" in message


@pytest.mark.parametrize("kind", DECLARATIONS)
def test_the_remedy_builds(alpha: Repository, kind: str) -> None:
    """A file in the function's folder is an error, and what it says to do gives a whole ZIP."""
    name = kind.partition(" ")[0]
    alpha.write({f"lambdas/api/{name}": DECLARATIONS[kind]})
    message = alpha.fails().message
    assert f"lambdas/api/{name}: its dependencies were not read" in message
    if setting := re.search(r"Set 'requirements: (\S+)'", message):
        alpha.write({"lambdas.yaml": f"{MANIFEST}    requirements: {setting[1]}\n"})
    else:
        assert "Write them to lambdas/api/requirements.txt:\n" in message
        alpha.write({"lambdas/api/requirements.txt": listed(message)})
    alpha.doit()
    check_whole(alpha)


@pytest.mark.parametrize("kind", OTHERS)
def test_no_false_alarm(repository: Repository, kind: str) -> None:
    """A file that declares nothing which Lambda needs is no reason for an error or a warning."""
    name = kind.partition(" ")[0]
    for folder in ("", "lambdas/", "lambdas/api/"):
        repository.write({f"{folder}{name}": OTHERS[kind]})
    output = repository.doit().output
    assert "warning" not in output
    assert "not read" not in output


def test_nothing_on_purpose(alpha: Repository) -> None:
    """A function that needs nothing of the file says so, and builds."""
    alpha.write({"lambdas/api/app.py": HANDLER, "lambdas/api/pyproject.toml": PROJECT})
    alpha.doit()
    assert "alpha.py" in alpha.members("api")
    setting = "allow_unread: [lambdas/api/pyproject.toml]"
    alpha.write({"lambdas.yaml": f"{MANIFEST}    {setting}\n"})
    assert "warning" not in alpha.doit().output
    assert list(alpha.members("api")) == ["app.py"]


@pytest.mark.parametrize(("declared", "is_error"), [("boto3>=1.34", False), ("boto3-stubs", True)])
def test_what_the_runtime_has(repository: Repository, declared: str, *, is_error: bool) -> None:
    """What the runtime has is a warning: the function starts, with the runtime's version."""
    setup = SETUP.replace("alpha>=1", declared)
    repository.write({"lambdas/api/setup.py": setup})
    if is_error:
        assert "its dependencies were not read" in repository.fails().message
    else:
        assert (
            "so the function gets the runtime's version of (boto3>=1.34)"
            in repository.doit().output
        )


def uv_lock(repository: Repository, folder: str = "") -> None:
    """Lock the project in a folder with uv."""
    uv = str(Path(sys.executable).with_name("uv"))
    environment = repository.environment | {"UV_PYTHON_DOWNLOADS": "never"}
    place = repository.root / folder
    subprocess.run([uv, "lock", "-q"], cwd=place, env=environment, check=True)


REQUIRES = f'requires-python = ">={sys.version_info[0]}.{sys.version_info[1]}"\n'


def test_a_lock_of_uv(alpha: Repository) -> None:
    """The lock that uv writes is used as it is, also from an index of one's own."""
    alpha.write({"lambdas/api/pyproject.toml": PROJECT + REQUIRES})
    uv_lock(alpha, "lambdas/api")
    assert "lock:api" not in alpha.doit().ran
    check_whole(alpha)


def workspace(repository: Repository) -> None:
    """Write a workspace: the function `api` needs its member `common`, and that needs `alpha`."""
    member = PROJECT.replace("alpha>=1", "common") + REQUIRES
    common = PROJECT.replace('"api"', '"common"') + REQUIRES
    repository.write({
        "pyproject.toml": '[tool.uv.workspace]\nmembers = ["lambdas/api", "libs/common"]\n',
        "lambdas/api/pyproject.toml": member + "[tool.uv.sources]\ncommon.workspace = true\n",
        "lambdas/api/app.py": f"import common\n{HANDLER}",
        "libs/common/pyproject.toml": common,
        "libs/common/src/common/__init__.py": "import alpha\n",
        "libs/common/src/common/data.txt": "1\n",
    })  # fmt: skip


def test_a_member_of_a_workspace(alpha: Repository) -> None:
    """The lock of a workspace gives a function its part, with the members that it needs."""
    workspace(alpha)
    uv_lock(alpha)
    assert "lock:api" not in alpha.doit().ran
    check_whole(alpha)
    assert {"common/__init__.py", "common/data.txt"} <= alpha.members("api").keys()
    before = alpha.sha256()
    assert alpha.doit().ran == []
    alpha.write({"libs/common/src/common/data.txt": "2\n", "libs/common/src/common/new.py": ""})
    alpha.doit()
    assert alpha.members("api")["common/data.txt"] == b"2\n"
    assert "common/new.py" in alpha.members("api")
    alpha.write({"libs/common/src/common/data.txt": "1\n"})
    (alpha.root / "libs/common/src/common/new.py").unlink()
    alpha.doit()
    assert alpha.sha256() == before


def test_a_workspace_without_a_lock(alpha: Repository) -> None:
    """Without uv.lock, the dependencies of a function and of its members are locked here."""
    workspace(alpha)
    alpha.doit()
    check_whole(alpha)
    assert "common/__init__.py" in alpha.members("api")
    alpha.write({"libs/common/src/common/data.txt": "2\n"})
    assert alpha.doit().ran[0] == "stage:api"
    assert alpha.members("api")["common/data.txt"] == b"2\n"


def many(repository: Repository, count: int, code: str = HANDLER) -> None:
    """Declare `count` functions without requirements."""
    names = [f"f{number}" for number in range(count)]
    text = "".join(f"  {name}: {{handler: app.handler}}\n" for name in names)
    repository.write({"lambdas.yaml": f"version: 1\nlambdas:\n{text}"})
    repository.write({f"lambdas/{name}/app.py": f"{code}# {name}\n" for name in names})


@pytest.mark.parametrize("folder", ["", "lambdas/"])
@pytest.mark.parametrize("processes", [("-n", "0"), ("-n", "2", "-P", "process")])
def test_one_report_for_many(
    repository: Repository, folder: str, processes: tuple[str, ...]
) -> None:
    """A file above many functions that start without it is one warning, settled in one place."""
    many(repository, 6)
    repository.write({f"{folder}pyproject.toml": PROJECT.replace("alpha>=1", 'a", "b')})
    output = repository.doit(*processes).output
    (warning,) = [line for line in output.splitlines() if "warning" in line]
    assert warning.startswith(
        f"warning: {folder}pyproject.toml: not read, so the ZIP lacks its dependencies (a, b)."
    )
    assert warning.endswith("(f0, f1, f2, 3 more)")
    assert "warning" not in repository.doit().output
    setting = re.search(r"set '(allow_unread: \[\S+\])' in 'defaults'", warning)
    assert setting
    manifest = (repository.root / "lambdas.yaml").read_text()
    repository.write({"lambdas.yaml": f"{manifest}defaults:\n  {setting[1]}\n"})
    assert "warning" not in repository.doit().output


def test_a_function_that_needs_it(alpha: Repository) -> None:
    """A function that imports what a file above declares is an error that names the file."""
    alpha.write({"pyproject.toml": PROJECT})
    message = alpha.fails().message
    assert "import of 'alpha'" in message
    assert "pyproject.toml declares dependencies (alpha>=1), but is not read" in message
    alpha.write({"lambdas/api/requirements.txt": "alpha>=1\n"})
    assert "warning" not in alpha.doit().output
    assert "alpha.py" in alpha.members("api")


def test_optional_dependencies_of_a_project(alpha: Repository) -> None:
    """Optional dependencies are no error, unless an import is missing: then they are named."""
    alpha.write({"pyproject.toml": OTHERS["pyproject.toml with extras"]})
    assert "pyproject.toml declares dependencies (alpha), but is not read" in alpha.fails().message
    alpha.write({"lambdas/api/app.py": HANDLER})
    assert "warning" not in alpha.doit().output


SHARED = {
    "lambdas.yaml": f"{MANIFEST}    include: [libs/acme/src/acme]\n",
    "libs/acme/src/acme/__init__.py": "",
    "libs/acme/src/acme/more.py": "import alpha\n",
    "libs/acme/pyproject.toml": (
        '[project]\nname = "acme"\nversion = "1"\n'
        'dependencies = ["ALPHA>=1", "boto3", "beta; sys_platform == \'win32\'"]\n'
    ),
}


def test_a_shared_package(alpha: Repository) -> None:
    """A package that is included names what it needs: a warning, or part of a missing import."""
    alpha.write({**SHARED, "lambdas/api/app.py": f"import acme\n{HANDLER}"})
    note = "libs/acme/pyproject.toml: not read, so the ZIP lacks its dependencies (ALPHA>=1)."
    assert f"warning: {note}" in alpha.doit().output
    alpha.write({"lambdas/api/app.py": f"import acme.more\n{HANDLER}"})
    message = alpha.fails().message
    assert "import of 'alpha'" in message
    assert "libs/acme/pyproject.toml declares dependencies (ALPHA>=1), but is not read" in message
    alpha.write({"lambdas/api/requirements.txt": "alpha\n"})
    assert "warning" not in alpha.doit().output
    assert {"acme/more.py", "alpha.py"} <= alpha.members("api").keys()


@pytest.mark.parametrize("name", ["requirements.txt", "setup.py"])
def test_a_shared_folder(alpha: Repository, name: str) -> None:
    """So does a folder that is included with its own requirements or setup.py inside."""
    text = SETUP if name == "setup.py" else "alpha>=1\n"
    alpha.write({
        "lambdas.yaml": f"{MANIFEST}    include: [libs/acme]\n",
        f"libs/acme/{name}": text,
        "libs/acme/__init__.py": "",
        "lambdas/api/app.py": HANDLER,
    })  # fmt: skip
    assert f"warning: libs/acme/{name}: not read, so the ZIP lacks" in alpha.doit().output
    assert f"acme/{name}" not in alpha.members("api")


def test_shared_packages_of_a_workspace(alpha: Repository) -> None:
    """A package that is included as well is not missing."""
    for name, needs in (("one", "two"), ("two", "alpha")):
        project = f'[project]\nname = "{name}"\nversion = "1"\ndependencies = ["{needs}"]\n'
        alpha.write({f"libs/{name}/{name}.py": "", f"libs/{name}/pyproject.toml": project})
    alpha.write({
        "lambdas.yaml": f"{MANIFEST}    include: [libs/one/one.py, libs/two/two.py]\n",
        "lambdas/api/requirements.txt": "alpha\n",
    })  # fmt: skip
    assert "warning" not in alpha.doit().output
