"""The shape of the package: who may import whom, and what a start of doit costs."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import buildlib

PACKAGE = Path(buildlib.__file__).parent

# A room is a folder, or a module at the top. It imports from the rows above its own; modules of one
# room may import each other. The rows follow the data path, from values to commands.
ROWS = (
    ("text",),
    ("", "errors"),
    ("error_kinds", "model", "contract", "runtimes", "layout", "console", "progress"),
    ("programs", "workers"),
    ("files",),
    ("recipe",),
    ("cache", "manifest", "uv"),
    ("lock", "docker", "archive", "code", "bytecode"),
    ("environment",),
    ("tree",),
    ("remote", "aws"),
    ("artifacts",),
    ("project",),
    ("steps",),
    ("commands", "defects"),
    ("plugin",),
    ("tasks", "cli"),
    ("__main__",),
)

# The modules that alone may import a package of others.
OWNERS = {
    "click": {"cli"},
    "doit": {"plugin"},
    "yaml": {
        *("manifest.nodes", "manifest.reader", "manifest.functions", "commands.init.templates"),
        "lock.declared",
    },
    "hcl2": {"commands.init.hcl.files"},
    "docker": {"docker.container", "docker.engine", "docker.images"},
    # docker's errors are these packages' errors.
    "requests": {"docker.container", "docker.engine"},
    "urllib3": {"docker.engine"},
    "pip": {"environment.in_container"},  # the image's own
    "uv": {"uv.run"},
    "deflate": {"archive", "contract"},
    "filelock": {"files.locks"},
    "obstore": {"remote.bucket"},
    "cryptography": {"remote.signing"},
    "sigstore": {"remote.keyless"},
    "boto3": {"aws.account"},
    "botocore": {"aws"},
    "dask": {"commands.farm.cluster"},
    "distributed": {"commands.farm.cluster"},
    "watchfiles": {"commands.watch"},
    "rich": {"plugin.screen"},
    "pathspec": {"files.gitignore", "tree.patterns"},
    "ruff": {"code.syntax", "code.unused"},
    "stdlibs": {"code.available"},
    "tree_sitter": {
        *("code.clients", "code.conditions", "code.places", "code.reader"),
        *(
            "commands.init.cdk.python",
            "commands.init.cdk.python_values",
            "commands.init.cdk.syntax",
        ),
        *("commands.init.cdk.typescript", "commands.init.cdk.typescript_imports"),
    },
    "tree_sitter_python": {"code.reader"},
    "tree_sitter_typescript": {"commands.init.cdk.typescript"},
    "packaging": {
        *("environment.damage", "lock.lockfile", "lock.choice", "lock.formats", "lock.graph"),
        *(
            "lock.demands",
            "lock.upgrades",
            "commands.what_if",
            "commands.ready.pins",
            "cli.inspect",
        ),
    },
    "elftools": {"environment.elf"},
    "jinja2": {"commands.report.page"},
    "platformdirs": {"cache.machine"},
    "markupsafe": {"commands.report.page"},
}

# What takes long to import, or has no business where nothing is built.
HEAVY = {
    *("docker", "rich", "watchfiles", "hcl2", "elftools"),
    *("filelock", "pathspec", "packaging", "uv", "jsonschema"),
    *("obstore", "cryptography", "sigstore", "buildlib.remote.cache"),
    *("boto3", "botocore", "buildlib.aws"),
    *("dask", "distributed", "buildlib.commands.farm"),
    *("ruff", "stdlibs", "tree_sitter", "tree_sitter_python", "tree_sitter_typescript"),
    *("jinja2", "markupsafe", "buildlib.commands.report"),
    *("buildlib.tree.secrets", "buildlib.environment.elf", "buildlib.archive.reader"),
    *("buildlib.commands.verify", "buildlib.commands.invoke", "buildlib.commands.init"),
    *("requests", "urllib3", "http.client", "http.server", "urllib.request", "ssl", "asyncio"),
}


def modules() -> dict[str, Path]:
    """Return the modules of the package, by their names in it."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found[name.removesuffix("__init__").removesuffix(".")] = path
    return found


def imports(path: Path) -> Iterator[str]:
    """Yield the full names of what a module imports, at its top and inside functions."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                yield from (f"{module}.{alias.name}" for alias in aliases)
            case ast.ImportFrom():
                pytest.fail(f"{path}:{node.lineno}: relative imports are not used here")


def own(name: str) -> str | None:
    """Return the module of ours that an imported name is or is in; None if it is not ours."""
    head, _, rest = name.partition(".")
    if head != "buildlib":
        return None
    known = modules()
    while rest not in known:
        rest = rest.rpartition(".")[0]
    return rest


def room(module: str) -> str:
    """Return the room of a module: its folder, or itself at the top."""
    return module.partition(".")[0]


def row(module: str) -> int:
    """Return the row of a module."""
    for number, names in enumerate(ROWS):
        if room(module) in names:
            return number
    pytest.fail(f"buildlib.{module} has no row in {__file__}: say where it belongs")


MODULES = modules()


def test_rows_exist() -> None:
    """Every row names rooms that there are."""
    for name in (name for names in ROWS for name in names):
        assert name in MODULES


@pytest.mark.parametrize("module", MODULES)
def test_arrows(module: str) -> None:
    """A module imports from rooms in rows above its own only, or from its own room."""
    for name in imports(MODULES[module]):
        other = own(name)
        if other is None or room(other) == room(module):
            continue
        assert row(other) < row(module), f"{module} imports {name}"


@pytest.mark.parametrize("module", MODULES)
def test_owners(module: str) -> None:
    """What others wrote is behind one module, or a few, of ours."""
    for name in imports(MODULES[module]):
        owners = OWNERS.get(name.partition(".")[0])
        assert owners is None or owners & {module, room(module)}, f"{module} imports {name}"


@pytest.mark.parametrize("module", MODULES)
def test_dependencies_are_known(module: str) -> None:
    """Nothing is imported that neither Python has nor an owner is named for."""
    heads = {name.partition(".")[0] for name in imports(MODULES[module])}
    assert heads <= sys.stdlib_module_names | OWNERS.keys() | {"buildlib"}


# Programs of their own, which other programs read.
_PROGRAMS = {
    "commands.invoke.driver",
    "bytecode.in_compiler",
    "environment.in_container",
    "uv.described",
}


@pytest.mark.parametrize("module", MODULES)
def test_only_console_writes(module: str) -> None:
    """Text goes to the streams of this process through `console` alone, which makes it harmless."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    calls = (ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call))
    found = [call for call in calls if re.match(r"sys\.(__)?std(out|err)(__)?\.write", call)]
    assert not found or module in _PROGRAMS


@pytest.mark.parametrize("module", MODULES)
def test_house_style(module: str) -> None:
    """No `print`, no `sys.exit`, no asserts: errors are exceptions, output is doit's."""
    refused = {"print", "sys.exit", "exit", "os._exit"}
    if module == "uv.described":  # only so can a handler of atexit set the exit code
        refused.remove("os._exit")
    for node in ast.walk(ast.parse(MODULES[module].read_bytes())):
        assert not isinstance(node, ast.Assert)
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in refused


def loaded(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after `code`."""
    code = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    return set(json.loads(done.stdout))


def test_start_loads_nothing_heavy() -> None:
    """Loading the tasks imports what every run needs.

    doit itself loads `socket`, `email`, `multiprocessing`, `pdb` and `dbm`; of those none is ours.
    From Python 3.14 on, `pdb` loads `asyncio`.
    """
    assert loaded("import buildlib.tasks") & HEAVY <= loaded("import pdb")


def test_manifest_needs_no_heavy_import(tmp_path: Path) -> None:
    """A manifest without `exclude`, and sources without dependencies, import nothing heavy."""
    (tmp_path / "lambdas/api").mkdir(parents=True)
    (tmp_path / "lambdas/api/app.py").write_text("def handler(event, context): ...\n")
    manifest = "version: 1\nlambdas:\n  api: {handler: app.handler}\n"
    (tmp_path / "lambdas.yaml").write_text(manifest)
    code = (
        "from pathlib import Path\n"
        "from buildlib.project.project import Project\n"
        "from buildlib.steps.pending import pending\n"
        f"project = Project(Path({str(tmp_path)!r}))\n"
        "assert pending(project, project.variants['api'])\n"
    )
    assert loaded(code) & HEAVY == set()


def test_core_knows_nothing_of_doit() -> None:
    """Everything up to the steps works without doit."""
    found = loaded("import buildlib.steps.run, buildlib.manifest.schema")
    assert not [name for name in found if name.partition(".")[0] == "doit"]
