"""`lambdas coldstart`: real starts under AWS's client and emulator, and their causes."""

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from buildlib import cli
from buildlib.commands.coldstart import kept
from buildlib.layout import Layout
from tests.conftest import Index, Repository

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(sys.platform != "linux", reason="AWS's emulator is a program for Linux"),
]

SCHEMA = json.loads(Path(cli.__file__).parents[1].joinpath("output.schema.json").read_text())
MACHINE = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), "x86_64")
PYTHON = "{}.{}".format(*sys.version_info[:2])

# Imports take at least this long, whatever else the machine does.
SLOW = "import time\ntime.sleep(0.06)\n"
APP = "import helper\nimport slow\nimport json\n\n\ndef handler(event, context):\n    json.x()\n"


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with AWS's client and emulator, installed once for all tests."""
    return tmp_path_factory.mktemp("invoke")


def manifest(**keys: str) -> str:
    """Return the manifest of two functions; `keys` are of the first."""
    lines = "".join(f"    {name}: {value}\n" for name, value in keys.items())
    return (
        f"version: 1\ndefaults:\n  python: '{PYTHON}'\n  architecture: {MACHINE}\n"
        f"  handler: app.handler\nlambdas:\n  api:\n    source: lambdas/api\n{lines}  jobs: {{}}\n"
    )


@pytest.fixture
def slow(repository: Repository, tools: Path) -> Repository:
    """Give a function with a slow module that it uses, and one that it imports in vain."""
    names = ("PYTHON", "COV", "CI")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(names)}
    repository.environment = environment | {"LAMBDA_ZIP_CACHE": "off"}
    repository.write({
        "lambdas.yaml": manifest(),
        "lambdas/api/app.py": APP.replace("json.x()", "helper.x()"),
        "lambdas/api/helper/__init__.py": "from helper.inner import x\n",
        "lambdas/api/helper/inner.py": SLOW + "def x():\n    raise SystemExit(9)\n",
        "lambdas/api/slow.py": SLOW,
        "lambdas/jobs/app.py": "def handler(event, context):\n    return 1\n",
    })  # fmt: skip
    (repository.root / "build").mkdir()
    (repository.root / "build/invoke").symlink_to(tools)
    return repository


def measured(repository: Repository, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """Return what `--json` says about each function."""
    result = repository.lambdas("coldstart", "-n", "2", "--json", *arguments, code=code)
    value = json.loads(result.output)
    jsonschema.validate(value, SCHEMA)
    found: list[dict[str, Any]] = value["functions"]
    return found


def flat(tree: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return all modules of a tree, by their names."""
    found = {tree["name"]: tree}
    for below in tree["imports"]:
        found |= flat(below)
    return found


def test_starts_and_their_causes(slow: Repository) -> None:
    """Each start takes as long as the imports; the tree says which, and who imported them."""
    api, jobs = measured(slow)
    assert (api["id"], jobs["id"]) == ("api", "jobs")
    assert len(api["starts_ms"]) == 2
    assert min(api["starts_ms"]) > 120  # two modules that sleep
    assert api["imports"]["name"] == "app"
    modules = flat(api["imports"])
    assert "helper.inner" in flat(modules["helper"])
    assert modules["slow"]["own_ms"] >= 60
    assert modules["helper"]["all_ms"] >= 60
    owners = {one["name"]: one["modules"] for one in api["packages"]}
    assert owners["helper"] == 2
    assert owners["app"] == 1
    assert api["uncompiled_modules"] == 4
    assert (api["limit_ms"], api["over_limit"]) == (None, False)


def test_an_unused_import(slow: Repository) -> None:
    """A slow module that is imported and never used is named; a fast one is not."""
    text = slow.lambdas("coldstart", "api", "-n", "1").output
    assert "  lambdas/api/app.py:2: 'slow' is imported and never used: " in text
    assert text.count("never used") == 1
    assert "each start compiles 4 modules; 'bytecode: true' saves that" in text
    assert "api: 1 cold start on this machine, by " in text


def test_bytecode_needs_no_compiling(slow: Repository) -> None:
    """A function with bytecode is not told to compile."""
    slow.write({"lambdas.yaml": manifest(bytecode="true", compiler=platform.python_version())})
    text = slow.lambdas("coldstart", "api", "-n", "1").output
    assert "each start compiles" not in text


# Python compiles these many times slower than it reads their bytecode.
LONG = "".join(f"def f{n}(a, b=({n}, 'x')):\n    return [a, b, {n}]\n" for n in range(12000))


def test_bytecode_compared(slow: Repository) -> None:
    """Starts with bytecode and without take turns; the ZIP stays as it is, and `invoke` knows."""
    slow.write({"lambdas/api/app.py": LONG + "\ndef handler(event, context):\n    return 1\n"})
    hint = "'lambdas coldstart api --compare bytecode' measures the gain of bytecode"
    assert hint in slow.lambdas("invoke", "api", "--where", "host").errors
    (api,) = measured(slow, "api", "--compare", "bytecode")
    compared = api["compared"]
    assert len(compared["starts_ms"]) == len(api["starts_ms"]) == 2
    assert (api["bytecode"], compared["clear"]) == (False, True)
    assert 0 < compared["saved_ms"] < api["median_ms"]
    assert compared["bytecode_size"] > 100_000
    assert not [name for name in slow.members("api") if name.endswith(".pyc")]
    said = slow.lambdas("invoke", "api", "--where", "host").errors
    assert hint not in said
    saved = f"bytecode saves {compared['saved_ms']:.1f} ms of each start"
    assert saved in said
    slow.write({"lambdas/api/app.py": "def handler(event, context):\n    return 1\n"})
    assert saved not in slow.lambdas("invoke", "api", "--where", "host").errors


def test_bytecode_left_out(slow: Repository) -> None:
    """A ZIP with bytecode is compared with the same one without; one without sources is not."""
    keys = {"bytecode": "true", "compiler": platform.python_version()}
    slow.write(
        {
            "lambdas.yaml": manifest(**keys),
            "lambdas/api/app.py": LONG + "\ndef handler(event, context):\n    return 1\n",
        }
    )
    assert "bytecode" not in slow.lambdas("invoke", "api", "--where", "host").errors
    (api,) = measured(slow, "api", "--compare", "bytecode")
    assert (api["bytecode"], api["compared"]["clear"]) == (True, True)
    assert api["compared"]["saved_ms"] > 0
    text = slow.lambdas("coldstart", "api", "-n", "1", "--compare", "bytecode").output
    assert "    init without bytecode " in text
    slow.write({"lambdas.yaml": manifest(**keys, sources="false")})
    failed = slow.lambdas("coldstart", "api", "--compare", "bytecode", code=1)
    assert "lambda 'api': its ZIP has no sources, so its bytecode cannot be left" in failed.errors


def test_earlier_measurements(slow: Repository) -> None:
    """Earlier ones of the same surroundings are shown, each with the ZIP that it measured."""
    (first,) = measured(slow, "jobs")
    assert first["earlier"] == []
    text = slow.lambdas("coldstart", "jobs", "-n", "1").output
    assert "  measured before, in the same surroundings:\n" in text
    assert text.count(", this ZIP ") == 1
    slow.write({"lambdas/jobs/app.py": "def handler(event, context):\n    return 2\n"})
    slow.lambdas("report")
    page = (slow.root / "dist/report.html").read_text()
    assert page.count("<td>not measured</td>") == 2  # neither `api` nor the new ZIP
    layout = Layout(slow.root)
    one = kept.read(layout, "jobs")[0]
    strange = one._replace(surroundings=one.surroundings._replace(cpu="Another One"))
    kept.keep(layout, "jobs", strange)
    (now,) = measured(slow, "jobs")
    names = ("time", "zips", "cpu", "starts_ms")
    assert [now["earlier"][0][name] for name in names] == [first[name] for name in names]
    assert [one["cpu"] for one in now["earlier"]] == [first["cpu"], first["cpu"], "Another One"]
    assert now["zips"] != first["zips"]
    slow.lambdas("report")
    page = (slow.root / "dist/report.html").read_text()
    assert f'<td class="number">{now["median_ms"]:.1f} ms</td>' in page
    assert f"<td><code>{first['zips'][0][:12]}</code></td>" in page
    text = slow.lambdas("coldstart", "jobs", "-n", "1").output
    assert text.count(f", ZIP {first['zips'][0][:12]} ") == 2
    assert text.count(", this ZIP ") == 1
    slow.write({"lambdas.yaml": manifest().replace("  jobs: {}\n", "")})
    slow.lambdas("build")
    assert kept.read(layout, "jobs") == []


def test_a_limit(slow: Repository) -> None:
    """A function fails if even its fastest start is over its limit; only limited ones are run."""
    slow.write({"lambdas.yaml": manifest(start_limit="100 ms")})
    result = slow.lambdas("coldstart", "-n", "2", code=1)
    assert "lambda 'api': even the fastest of 2 starts took " in result.errors
    assert "over its 'start_limit' of 100 ms" in result.errors
    assert "jobs:" not in result.output
    slow.write({"lambdas.yaml": manifest(start_limit="900 s")})
    (api,) = measured(slow)
    assert (api["limit_ms"], api["over_limit"]) == (900_000, False)


def test_a_start_over_the_limit_of_lambda(slow: Repository) -> None:
    """It is said, even if the function's own limit allows more."""
    slow.write({
        "lambdas.yaml": manifest(start_limit="20 s"),
        "lambdas/api/slow.py": "import time\ntime.sleep(10.1)\n",
    })  # fmt: skip
    text = slow.lambdas("coldstart", "-n", "1").output
    assert "  1 of 1 starts took longer than 10 s: Lambda then stops the init phase, and " in text


def test_a_module_that_cannot_be_imported(slow: Repository) -> None:
    """The error is that of the import, with the exit code 1."""
    slow.write({"lambdas/api/slow.py": "raise ValueError('at import')\n"})
    result = slow.lambdas("coldstart", "api", code=1)
    assert "error: api: the function does not start: ValueError: at import" in result.errors
    assert '  |   File "/var/task/slow.py", line 1, in <module>' in result.errors


def test_variables(slow: Repository) -> None:
    """A function that reads a variable at import starts with `--env-file`; without it, a hint."""
    code = "import os\nTABLE = {}\n\ndef handler(event, context):\n    return 1\n"
    slow.write({
        "lambdas/api/app.py": code.format("os.environ['TABLE']"),
        "lambdas/jobs/app.py": code.format("{}['TABLE']"),
        "local.env": "TABLE=orders\n",
    })  # fmt: skip
    failed = slow.lambdas("coldstart", "-n", "1", code=1).errors
    assert "error: api: the function does not start: KeyError: 'TABLE'" in failed
    assert failed.count("Set the variable 'TABLE' with '--env-file', as the function has it") == 1
    slow.lambdas("coldstart", "api", "-n", "1", "--env-file", "local.env")
    there = ("--env-file", "../local.env")
    slow.lambdas("coldstart", "api", "-n", "1", *there, folder="lambdas")
    slow.write({"local.env": "AWS_LAMBDA_FUNCTION_NAME=x\n"})
    wrong = slow.lambdas("coldstart", "api", "--env-file", "local.env", code=1).errors
    assert "local.env:1: Lambda sets AWS_LAMBDA_FUNCTION_NAME; remove this line" in wrong


ENDS = ("sys.exit('good bye')", "print('good bye', flush=True); os._exit(1)")


@pytest.mark.parametrize("end", ENDS)
def test_a_process_that_ends(slow: Repository, end: str) -> None:
    """What the function wrote and how it ended is said, as by `invoke`."""
    slow.write({"lambdas/api/app.py": f"import os, sys\n{end}\nhandler = print\n"})
    failed = slow.lambdas("coldstart", "api", "-n", "1", code=1).errors
    said = "its process ended: exit status 1"
    assert f"error: api: the function does not start: {said}\n  | good bye\n" in failed
    failed = slow.lambdas("invoke", "api", "--where", "host", code=1).errors
    assert "  | good bye\n" in failed
    assert f"error: api: {said}\n" in failed


def test_a_missing_module(slow: Repository) -> None:
    """The message names the function's module, not the one that imports it."""
    lines = "name = 'absent'\n__import__(name)\nhandler = print\n"
    slow.write({"lambdas/api/app.py": lines})
    failed = slow.lambdas("coldstart", "api", "-n", "1", code=1).errors
    assert "Unable to import module 'app': No module named 'absent'" in failed


def test_a_handler_that_is_a_file(slow: Repository) -> None:
    """It is skipped, unless it was named."""
    slow.write({
        "lambdas.yaml": manifest(handler="run.sh"),
        "lambdas/api/run.sh": "exec python app.py\n",
    })  # fmt: skip
    done = slow.lambdas("coldstart", "-n", "1")
    assert "skipped api: its handler is a file that a layer runs; only the start of " in done.errors
    assert "jobs: 1 cold start" in done.output
    assert "error: api: its handler is" in slow.lambdas("coldstart", "api", code=1).errors


OTHER = "arm64" if MACHINE == "x86_64" else "x86_64"


def test_the_others_are_measured(slow: Repository) -> None:
    """A function that does not start, or is not built, leaves the others their measurements."""
    slow.write({"lambdas/api/slow.py": "raise ValueError('at import')\n"})
    (jobs,) = measured(slow, code=1)
    assert jobs["id"] == "jobs"
    result = slow.lambdas("coldstart", "-n", "1", "--json", code=1)
    (error,) = json.loads(result.output)["errors"]
    assert error["id"] == "api"
    assert error["error"].startswith("api: the function does not start: ValueError: at import")
    assert f"error: {error['error']}" in result.errors
    slow.write({"lambdas/api/app.py": "def handel(event, context):\n    pass\n"})
    result = slow.lambdas("coldstart", "-n", "1", code=1)
    assert "jobs: 1 cold start on this machine" in result.output
    assert "error: not built, so not measured: api\n" in result.errors
    result = slow.lambdas("coldstart", "-n", "1", "--json", code=1)
    value = json.loads(result.output)
    jsonschema.validate(value, SCHEMA)
    assert [one["id"] for one in value["functions"]] == ["jobs"]
    assert "does not define 'handler'" in value["errors"][0]["error"]


def test_another_architecture(slow: Repository) -> None:
    """A variant for another one is left out, unless nothing else was asked for."""
    both = f"[{MACHINE}, {OTHER}]"
    slow.write({"lambdas.yaml": manifest(architecture=both, start_limit="900 s")})
    reason = f"for {OTHER} on Linux, but this machine is {platform.machine()} on Linux; only "
    for names in ((), ("api",)):
        result = slow.lambdas("coldstart", *names, "-n", "1")
        assert f"skipped api-py{PYTHON}-{OTHER}: {reason}" in result.errors
        assert f"api-py{PYTHON}-{MACHINE}: 1 cold start" in result.output
    result = slow.lambdas("coldstart", "api", "-n", "1", "--json")
    value = json.loads(result.output)
    jsonschema.validate(value, SCHEMA)
    assert [one["id"] for one in value["functions"]] == [f"api-py{PYTHON}-{MACHINE}"]
    assert [one["id"] for one in value["skipped"]] == [f"api-py{PYTHON}-{OTHER}"]
    result = slow.lambdas("coldstart", f"api-py{PYTHON}-{OTHER}", "jobs", "-n", "1", code=1)
    assert f"error: api-py{PYTHON}-{OTHER}: {reason}" in result.errors
    assert "and use '--where image'" in result.errors
    assert "jobs: 1 cold start" in result.output
    slow.write({"lambdas.yaml": manifest(architecture=OTHER, start_limit="900 s")})
    result = slow.lambdas("coldstart", "--json", code=1)
    assert json.loads(result.output)["errors"] == [{"id": "api", "error": result.errors.split(
        "error: api: ")[1].strip()}]  # fmt: skip
    assert f"'api' is {reason}" in slow.lambdas("invoke", "api", "--where=host", code=1).errors


def test_mistakes(slow: Repository) -> None:
    """A wrong limit, number, name or interpreter is said before anything starts."""
    assert "'jbos'" in slow.lambdas("coldstart", "jbos", code=3).errors
    assert "-n" in slow.lambdas("coldstart", "-n", "0", code=None).errors
    both = slow.lambdas("coldstart", "--python", sys.executable, "--image", "x", code=2)
    assert "an image has its own" in both.errors
    both = slow.lambdas("coldstart", "--where", "host", "--image", "x", code=2)
    assert "'--image': does not go together with '--where host'" in both.errors
    wrong = slow.lambdas("coldstart", "--python", "/bin/true", code=1)
    assert "--python /bin/true is not a working Python" in wrong.errors
    slow.write({"lambdas.yaml": manifest(start_limit="fast")})
    wanted = "'fast' is not allowed; expected a duration longer than 0, such as '800 ms' or '1.5 s'"
    assert wanted in slow.lambdas("build", code=3).errors


def test_files_that_are_fetched_for_nothing(slow: Repository, index: Index) -> None:
    """Services that the code does not name are shown, in the ZIP of the function or of a layer."""
    slow.lambdas("coldstart", "jobs", "-n", "1")  # installs the emulator from the other index
    data = {f"botocore/data/{name}/1/service-2.json": "x" * 400_000 for name in ("s3", "sqs")}
    index.add("botocore", files={"botocore/__init__.py": "", **data})
    slow.environment["UV_INDEX_URL"] = index.url
    client = "import boto3\n\n\ndef handler(event, context):\n    boto3.client('s3')\n"
    slow.write({
        "lambdas/api/requirements.txt": "botocore\n",
        "lambdas/api/boto3.py": "",
        "lambdas/api/app.py": client,
    })  # fmt: skip
    text = slow.lambdas("coldstart", "api", "-n", "1").output
    one = "'aws_services: [s3]' saves 390.6 kB unzipped (1 service that its code and packages do "
    assert f"  Lambda unpacks the code before a start: {one}" in text
    layer = "layers:\n  common:\n    requirements: layers/common/requirements.txt\n"
    slow.write({
        "lambdas.yaml": manifest(layers="[common]") + layer,
        "layers/common/requirements.txt": "botocore\n",
        "lambdas/api/requirements.txt": "",
    })  # fmt: skip
    text = slow.lambdas("coldstart", "api", "-n", "1").output
    assert "'aws_services' saves 781.2 kB unzipped (2 services in all; name those that are " in text
    assert "called) in layer 'common'\n" in text
    (api,) = measured(slow, "api")
    (found,) = api["possible"]
    assert (found["id"], found["option"]) == ("common", "aws_services")


def test_layers(slow: Repository) -> None:
    """Modules of a layer are imported from it, and count."""
    slow.write({
        "lambdas.yaml": manifest(layers="[common]")
        + "layers:\n  common:\n    include: [layers/common/shared.py]\n",
        "layers/common/shared.py": SLOW,
        "lambdas/api/app.py": "import shared\n\ndef handler(event, context):\n    shared.x()\n",
    })  # fmt: skip
    (api,) = measured(slow, "api")
    assert flat(api["imports"])["shared"]["own_ms"] >= 60


def test_the_name_of_a_layer(slow: Repository) -> None:
    """A layer does not start: the message names the functions that use it."""
    layer = "layers:\n  common:\n    include: [layers/common/shared.py]\n"
    slow.write({
        "lambdas.yaml": manifest(layers="[common]") + layer + layer[8:].replace("common:", "more:"),
        "layers/common/shared.py": "",
    })  # fmt: skip
    result = slow.lambdas("coldstart", "common", "more", "jobs", "--json", code=3)
    common = "layer 'common' does not start by itself; name a function that uses it: api\n"
    more = "layer 'more' does not start by itself; add it to the 'layers' of a function, and name "
    assert f"error: {common}{more}" in result.errors
    assert json.loads(result.output)["error"].startswith(common)
    slow.write({"lambdas.yaml": "version: 1\n" + layer})
    result = slow.lambdas("coldstart")
    assert result.errors == "nothing to start: lambdas.yaml declares no function\n"


def test_bytecode_of_a_layer(slow: Repository) -> None:
    """Modules of a layer count for it; both forms of it are compared, too."""
    keys = {"bytecode": "true", "compiler": platform.python_version(), "layers": "[common]"}
    layer = "layers:\n  common:\n    include: [layers/common/shared.py]\n"
    slow.write({
        "lambdas.yaml": manifest(**keys) + layer,
        "layers/common/shared.py": LONG,
        "lambdas/api/app.py": "import shared\n\ndef handler(event, context):\n    shared.f0(1)\n",
    })  # fmt: skip
    text = slow.lambdas("coldstart", "api", "-n", "1").output
    assert "each start compiles 1 module of layer 'common'; 'bytecode: true' there saves " in text
    assert text.count("each start compiles") == 1
    assert "--compare bytecode" in slow.lambdas("invoke", "api", "--where", "host").errors
    (api,) = measured(slow, "api", "--compare", "bytecode")
    assert api["uncompiled"] == [{"id": "common", "modules": 1}]
    assert (api["bytecode"], api["compared"]["clear"]) == (False, True)
    assert api["compared"]["saved_ms"] > 0
    assert api["compared"]["bytecode_size"] > 100_000
    both = layer + "".join(f"    {name}: {keys[name]}\n" for name in ("bytecode", "compiler"))
    slow.write({"lambdas.yaml": manifest(**keys) + both})
    (api,) = measured(slow, "api", "--compare", "bytecode")
    assert api["uncompiled"] == []
    assert (api["bytecode"], api["compared"]["clear"]) == (True, True)
    assert api["compared"]["saved_ms"] > 0
    assert api["compared"]["bytecode_size"] > 100_000
