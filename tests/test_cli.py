"""The command `lambdas`: the same results as doit, with its own words and JSON."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from buildlib import __version__
from buildlib.cli import main as cli
from tests.conftest import HANDLER, Index, Repository

SCHEMA = json.loads(Path(cli.__file__).parents[1].joinpath("output.schema.json").read_text())
COMMANDS = [name for group in cli.GROUPS.values() for name in group]


def answer(text: str) -> dict[str, Any]:
    """Return the JSON of a command, after a check by the shipped schema."""
    value: dict[str, Any] = json.loads(text)
    jsonschema.validate(value, SCHEMA)
    return value


# -- the program ----------------------------------------------------------------------------------


def test_help(repository: Repository) -> None:
    """The help has every command with its purpose, and examples; `-h` is the same."""
    text = repository.lambdas("--help").output
    assert all(re.search(rf"^  {name} +[A-Z]", text, re.MULTILINE) for name in COMMANDS)
    assert "lambdas why api" in text
    assert repository.lambdas("-h").output == text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(repository: Repository, command: str) -> None:
    """Each command explains itself, without a look at the repository."""
    (repository.root / "lambdas.yaml").unlink()
    text = repository.lambdas(command, "--help").output
    assert text.startswith(f"Usage: python -m buildlib {command} ")


def test_version(repository: Repository) -> None:
    """The version is that of this package, not of doit."""
    assert repository.lambdas("--version").output == f"doit-lambda-zip {__version__}\n"


@pytest.mark.parametrize("program", ["lambdas", "doit-lambda-zip"])
def test_console_scripts(repository: Repository, program: str) -> None:
    """The package installs the command under both names."""
    path = Path(sys.executable).with_name(program)
    done = subprocess.run(
        [path, "list"], cwd=repository.root, env=repository.environment, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert "api" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["biuld"], "error: no such command 'biuld'. Did you mean 'build'?"),
        (["build", "--jsn"], "--json"),
        (["build", "-j", "0"], "error: invalid value for '-j' / '--jobs': 0 is not in the range"),
        (["diff", "a.zip"], "error: missing argument 'B.zip'."),
    ],
)
def test_wrong_command_line(repository: Repository, arguments: list[str], message: str) -> None:
    """A mistake on the command line is one line with a hint, and the exit code 2."""
    done = repository.lambdas(*arguments, code=2)
    assert message in done.errors


def test_a_closed_pipe(repository: Repository) -> None:
    """`lambdas errors | head` ends without a message."""
    command = ["sh", "-c", f"{sys.executable} -m buildlib errors | head -1"]
    done = subprocess.run(
        command, cwd=repository.root, capture_output=True, text=True, check=True,
        env=repository.environment,
    )  # fmt: skip
    assert not done.stderr


# -- the repository --------------------------------------------------------------------------------


def test_from_any_folder(repository: Repository) -> None:
    """The manifest is looked for upwards; the output goes to the repository's root."""
    repository.lambdas("build", folder="lambdas/api")
    assert repository.sha256().keys() == {"api"}
    repository.lambdas("-C", "lambdas", "why", "api")


def test_no_manifest(repository: Repository, tmp_path: Path) -> None:
    """Without a manifest the message has the folder and the command that makes one."""
    (repository.root / "lambdas.yaml").rename(repository.root / "lambdas.yml")
    done = repository.lambdas("build", code=3)
    assert "rename it to lambdas.yaml" in done.errors
    (repository.root / "lambdas.yml").unlink()
    done = repository.lambdas("build", code=3)
    assert f"error: could not find lambdas.yaml in {tmp_path}" in done.errors
    assert "run 'lambdas init' to create one" in done.errors


@pytest.mark.parametrize("dodo", [True, False])
def test_the_same_as_doit(dependent: Repository, dodo: bool) -> None:
    """After `lambdas`, doit finds nothing to do, and vice versa; a dodo.py is not needed."""
    if not dodo:
        (dependent.root / "dodo.py").unlink()
        dependent.write({"pyproject.toml": '[tool.doit]\nloader = "lambdas"\n'})
    assert "3 built" in dependent.lambdas().output
    before = dependent.sha256()
    assert not dependent.doit().ran
    shutil.rmtree(dependent.root / "dist")
    shutil.rmtree(dependent.root / "build")
    dependent.doit()
    assert dependent.lambdas("build").output == "3 unchanged\n"
    assert dependent.sha256() == before


def test_named(dependent: Repository) -> None:
    """Functions and variants are named without steps, and only these are built."""
    dependent.lambdas("build", "api", "jobs-py3.12-x86_64")
    assert dependent.sha256().keys() == {"api", "jobs-py3.12-x86_64"}


@pytest.mark.parametrize("command", ["build", "why", "size", "list", "verify", "clean", "lock"])
def test_mistyped_names(dependent: Repository, command: str) -> None:
    """All mistyped names are reported together, with the ones that were meant."""
    done = dependent.lambdas(command, "apy", "nothing", code=3)
    assert "error: lambdas.yaml declares no 'apy'; did you mean 'api'?" in done.errors
    assert "lambdas.yaml declares no 'nothing'; run 'lambdas list' to see the names" in done.errors


def test_force(repository: Repository) -> None:
    """`--force` runs every step again."""
    repository.lambdas("build")
    assert "api: built" in repository.lambdas("build", "--force").output


def test_tasks_of_a_dodo(repository: Repository) -> None:
    """With a dodo.py, the sources that its tasks make are made first, and its settings hold."""
    repository.write({
        "dodo.py": (
            "DOIT_CONFIG = {'verbosity': 0}\nfrom buildlib.tasks import *\n"
            "def task_generate():\n"
            "    return {'targets': ['lambdas/api/made.py'],\n"
            "            'actions': ['echo MADE = 1 > lambdas/api/made.py'], 'uptodate': [True]}\n"
        ),
    })  # fmt: skip
    repository.lambdas("build", "api")
    assert "made.py" in repository.members("api")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os\nos.nothing\n", "dodo.py:2: AttributeError: module 'os' has no"),
        ("x = 1\n)\n", "dodo.py:2: SyntaxError: unmatched ')'"),
        ("import not_there\n", "dodo.py:1: ModuleNotFoundError: No module named 'not_there'"),
    ],
)
def test_a_broken_dodo(repository: Repository, code: str, message: str) -> None:
    """A mistake in a dodo.py is said with its line, and is not taken for one of this package."""
    repository.write({"dodo.py": code})
    errors = repository.lambdas("build", code=3).errors
    assert f"error: {message}" in errors
    assert "defect" not in errors


# -- build -----------------------------------------------------------------------------------------


def test_build_as_json(dependent: Repository) -> None:
    """The JSON tells each variant's outcome, ZIP and sizes; progress goes to stderr."""
    found = answer(dependent.lambdas("build", "--json").output)
    assert {one["id"]: one["outcome"] for one in found["variants"]} == dict.fromkeys(
        ("api", "jobs-py3.12-x86_64", "jobs-py3.13-x86_64"), "built"
    )
    for one in found["variants"]:
        assert one["zip"]["sha256"] == dependent.sha256()[one["id"]]
    dependent.write({"lambdas/api/app.py": f"{HANDLER}# edited\n"})
    found = answer(dependent.lambdas("build", "--json").output)
    api, *jobs = found["variants"]
    assert (api["outcome"], api["reason"]) == ("built", "app.py changed")
    assert api["previous"]["sha256"] != api["zip"]["sha256"]
    assert {one["outcome"] for one in jobs} == {"unchanged"}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        *((name, 3) for name in ("build", "list", "why", "size", "shards 2", "coldstart")),
        *((name, 3) for name in ("ready 3.13", "audit", "drift", "deploy", "publish")),
        *((name, 1) for name in ("rebuild", "promote --bucket s3://b/p", "gc --bucket s3://b/p")),
    ],
)
def test_an_error_as_json(repository: Repository, command: str, code: int) -> None:
    """A command that fails before it has a result says on stdout why, as JSON; as on stderr."""
    name, *options = command.split()
    repository.write({"lambdas.yaml": "version: 1\nlambdas:\n  api: {handlr: app.handler}\n"})
    done = repository.lambdas(name, *options, "--json", code=code)
    found = answer(done.output)
    assert set(found) == {"version", "command", "error"}
    assert found["command"] == name
    assert f"error: {found['error']}" in done.errors
    assert repository.lambdas(name, *options, code=code).output == ""


def test_a_failure_as_json(dependent: Repository) -> None:
    """A function that fails has its message, and the exit code is in the JSON, too."""
    dependent.lambdas("build")
    dependent.write({"lambdas/api/app.py": "def other(event, context): ...\n"})
    done = dependent.lambdas("build", "--json", code=1)
    found = answer(done.output)
    api = found["variants"][0]
    assert (api["outcome"], api["zip"], found["exit_code"]) == ("failed", None, 1)
    assert "does not define 'handler'" in api["error"]
    assert "does not define 'handler'" in done.errors


def test_dry_run(dependent: Repository) -> None:
    """A dry run says how much there is to build, and writes nothing."""
    dependent.lambdas("lock")
    done = dependent.lambdas("build", "--dry-run")
    assert done.output.endswith("3 to build, 0 up to date\n")
    assert not (dependent.root / "dist").exists()
    dependent.lambdas("build")
    assert dependent.lambdas("build", "--dry-run").output == "0 to build, 3 up to date\n"
    found = answer(dependent.lambdas("build", "--dry-run", "--json").output)
    assert all(one["up_to_date"] for one in found["variants"])


def test_frozen(dependent: Repository) -> None:
    """`--frozen` fails where a lockfile would be written."""
    done = dependent.lambdas("build", "--frozen", "api", code=1)
    assert "requirements.lock is missing. '--frozen' is set, so it was not written." in done.output
    assert "Run 'lambdas lock api' and commit the file." in done.output


# -- lock ------------------------------------------------------------------------------------------


def test_lock_keeps_pins(dependent: Repository, index: Index) -> None:
    """`lock` keeps the pins that fit, and `--upgrade` renews them; each change is a line."""
    done = dependent.lambdas("lock")
    assert "lambdas/api/requirements.lock:\n  Locked 2 packages\n" in done.output
    index.add("alpha", "2.0", {"alpha/__init__.py": "A = 2\n"})
    index.add("gamma", files={"gamma.py": "G = 1\n"})
    assert dependent.lambdas("lock").output == "lockfiles: 2 unchanged\n"
    dependent.write({"lambdas/api/requirements.txt": "beta\ngamma\n"})
    done = dependent.lambdas("lock", "api")
    assert "  Added gamma 1.0\n" in done.output
    assert "alpha" not in done.output
    done = dependent.lambdas("lock", "api", "--upgrade")
    assert "  Updated alpha 1.0 -> 2.0\n" in done.output
    dependent.write({"lambdas/api/requirements.txt": "beta\n"})
    assert "  Removed gamma 1.0\n" in dependent.lambdas("lock", "api").output


def test_upgrade_of_one_package(dependent: Repository, index: Index) -> None:
    """`--upgrade-package` moves one package in every lockfile that has it, and nothing else."""
    dependent.lambdas("lock")
    index.add("alpha", "2.0", {"alpha/__init__.py": "A = 2\n"})
    index.add("beta", "2.0", {"beta.py": "B = 2\n"}, requires=("alpha",))
    done = dependent.lambdas("lock", "--upgrade-package", "Beta")
    assert "  Updated beta 1.0 -> 2.0\n" in done.output
    assert "alpha" not in done.output
    assert "alpha==1.0" in (dependent.root / "lambdas/jobs/requirements.lock").read_text()


def test_upgrade_to_a_version(dependent: Repository, index: Index) -> None:
    """A package gets just the version that is named, newer or older, and keeps it."""
    index.add("alpha", "2.0", {"alpha/__init__.py": "A = 2\n"})
    index.add("alpha", "3.0", {"alpha/__init__.py": "A = 3\n"})
    dependent.lambdas("lock")
    lock = dependent.root / "lambdas/jobs/requirements.lock"
    assert "alpha==3.0" in lock.read_text()
    done = dependent.lambdas("lock", "jobs", "-P", "Alpha==2.0")
    assert "  Updated alpha 3.0 -> 2.0\n" in done.output
    assert "alpha==2.0" in lock.read_text()
    dependent.write({"lambdas/jobs/requirements.txt": "alpha\nbeta\n"})
    dependent.lambdas("lock", "jobs")
    assert "alpha==2.0" in lock.read_text()
    dependent.doit("lock:jobs", "--upgrade-package=alpha==1.0")
    assert "alpha==1.0" in lock.read_text()


def test_upgrade_to_an_excluded_version(dependent: Repository, index: Index) -> None:
    """The message has the requirement that holds a pin, as uv names it, and nothing is written."""
    index.add("alpha", "2.0", {"alpha/__init__.py": "A = 2\n"})
    index.add("beta", "2.0", {"beta.py": "B = 2\n"}, requires=("alpha<2",))
    dependent.write({
        "lambdas/api/requirements.txt": "beta==2.0\n",
        "lambdas/jobs/requirements.txt": "alpha<2\n",
    })  # fmt: skip
    dependent.lambdas("lock")
    names = ("api", "jobs")
    locks = [dependent.root / f"lambdas/{name}/requirements.lock" for name in names]
    before = [lock.read_bytes() for lock in locks]
    done = dependent.lambdas("lock", "-P", "alpha==2.0", code=1)
    text = re.sub(r"\s+", " ", done.output.replace("|", ""))
    assert "failed to resolve dependencies with alpha==2.0 for Python 3.1" in text
    assert "you require alpha<2 and alpha==2.0" in text
    assert re.search(r"beta[=>]=2\.0 depends on alpha<2 and alpha==2\.0", text)
    assert "which 'lambdas why --if alpha==2.0' shows" in text
    shown = dependent.lambdas("why", "--if", "alpha==2.0").output
    assert "lambdas/jobs/requirements.txt:1 (alpha<2, which excludes 2.0)" in shown
    assert [lock.read_bytes() for lock in locks] == before


def test_an_upgrade_that_needs_another(dependent: Repository, index: Index) -> None:
    """Where the newest release of a package needs a newer one of another, both move."""
    dependent.lambdas("lock")
    index.add("alpha", "2.0", {"alpha/__init__.py": "A = 2\n"})
    index.add("beta", "2.0", {"beta.py": "B = 2\n"}, requires=("alpha>=2",))
    done = dependent.lambdas("lock", "api", "-P", "beta")
    assert "  Updated alpha 1.0 -> 2.0\n  Updated beta 1.0 -> 2.0\n" in done.output


def test_upgrade_of_an_unknown_package(dependent: Repository) -> None:
    """A package that no lockfile has is an error with a hint, since nothing would happen."""
    dependent.lambdas("lock")
    done = dependent.lambdas("lock", "-P", "alhpa", code=3)
    assert "--upgrade-package: no lockfile has 'alhpa'; did you mean 'alpha'?" in done.errors
    for word in ("alpha>1", "alpha==new", "==1", "alpha==", "cpython==3.13.1"):
        done = dependent.lambdas("lock", "-P", word, code=3)
        assert done.errors.startswith("error: --upgrade-package: ")


def test_lock_in_ci(dependent: Repository) -> None:
    """A lock that is asked for is written in CI, too: a bot does so. `--check` writes nothing."""
    done = dependent.lambdas("lock", "--check", code=1, CI="true")
    assert "requirements.lock is missing; run 'lambdas lock api'" in done.errors
    dependent.lambdas("lock", CI="true")
    dependent.lambdas("lock", "--check", CI="true")
    dependent.write({"lambdas/api/requirements.txt": "alpha\n"})
    done = dependent.lambdas("lock", "--check", code=1)
    assert "requirements.lock is out of date with requirements.txt" in done.errors


# -- why, size, list, verify, diff, invoke ---------------------------------------------------------


def test_why(dependent: Repository) -> None:
    """`why` gives the lines of doit's task, without its frame, and the same as JSON."""
    dependent.lambdas("build")
    dependent.write({"lambdas/api/app.py": f"{HANDLER}# edited\n"})
    done = dependent.lambdas("why", "api")
    assert done.output == "api: stage, touch, zip, hash will run\n  app.py changed\n"
    (found,) = answer(dependent.lambdas("why", "api", "--json").output)["variants"]
    assert not found["up_to_date"]
    assert found["steps"][-1]["step"] == "hash"


def test_why_of_a_forgotten_step(repository: Repository) -> None:
    """`why` knows which steps doit forgot, as doit's own task does."""
    repository.doit()
    repository.doit("forget", "zip:api")
    assert "api: zip will run: forgotten with doit forget" in repository.lambdas("why").output


def test_size(dependent: Repository) -> None:
    """`size` has the bytes of the index, and names what is not built."""
    dependent.lambdas("build", "api")
    found = answer(dependent.lambdas("size", "--json").output)
    (api,) = found["variants"]
    assert (api["size"], api["unzipped_size"]) == tuple(
        dependent.index()["api"][name] for name in ("size", "unzipped_size")
    )
    assert {part["name"] for part in api["parts"]} >= {"alpha 1.0", "beta 1.0"}
    assert found["not_built"] == ["jobs-py3.12-x86_64", "jobs-py3.13-x86_64"]
    assert "beta 1.0" in dependent.lambdas("size", "api").output


def test_list(dependent: Repository) -> None:
    """`list` has a line for each variant, built or not."""
    dependent.lambdas("build", "api")
    found = answer(dependent.lambdas("list", "--json").output)["variants"]
    assert [(one["id"], one["state"]) for one in found] == [
        ("api", "up to date"),
        ("jobs-py3.12-x86_64", "not built"),
        ("jobs-py3.13-x86_64", "not built"),
    ]
    assert found[0]["zip"]["path"] == "dist/api.zip"
    dependent.write({"lambdas/api/app.py": f"{HANDLER}# edited\n"})
    found = answer(dependent.lambdas("list", "api", "--json").output)["variants"]
    assert found[0]["state"] == "out of date"
    assert re.search(r"^api +function +python3.13 ", dependent.lambdas("list").output, re.MULTILINE)


def test_verify(repository: Repository) -> None:
    """`verify` compares, and fails with the command to run where nothing is built."""
    done = repository.lambdas("verify", code=1)
    assert "dist/api.zip does not exist; run 'lambdas build api' first" in done.errors
    repository.lambdas("build")
    assert "api: two builds and dist/api.zip are equal" in repository.lambdas("verify").output


def test_diff(dependent: Repository) -> None:
    """`diff` tells equal from different from unreadable by its exit code."""
    dependent.lambdas("build")
    zips = [f"dist/{name}.zip" for name in ("api", "jobs-py3.12-x86_64")]
    dependent.lambdas("diff", zips[0], zips[0])
    assert "member" in dependent.lambdas("diff", *zips, code=1).output
    dependent.lambdas("diff", zips[0], "lambdas.yaml", code=2)


def test_invoke_of_several(dependent: Repository) -> None:
    """A function with several variants is not enough to invoke; they are named."""
    done = dependent.lambdas("invoke", "jobs", code=3)
    assert "'jobs' has 2 variants; name one of jobs-py3.12-x86_64, jobs-py3.13" in done.errors


# -- doctor, cache, clean, completion, terraform-module --------------------------------------------


def test_doctor(dependent: Repository) -> None:
    """`doctor` says what is there, and for each problem the next step."""
    found = answer(dependent.lambdas("doctor", "--json", DOCKER_HOST="unix:///none.sock").output)
    checks = {check["name"]: check for check in found["checks"]}
    assert checks["version"]["finding"].startswith(f"doit-lambda-zip {__version__}, ")
    assert checks["uv"]["status"] == "ok"
    assert checks["docker"]["status"] == "note"
    assert "unix:///none.sock" in checks["docker"]["finding"]
    assert checks["lockfiles"]["advice"] == "run 'lambdas lock'"
    dependent.lambdas("lock")
    assert "up to date" in dependent.lambdas("doctor").output


def test_doctor_finds_a_broken_manifest(repository: Repository) -> None:
    """A manifest with a mistake is an error, and so is the exit code."""
    repository.write({"lambdas.yaml": "version: 1\nlambdas: {api: {handlr: a.b}}\n"})
    assert "ERROR" in repository.lambdas("doctor", code=1).output


@pytest.mark.parametrize("store", ["s3://bucket/x", "https://example.com/x"])
def test_a_store_that_is_no_folder(repository: Repository, store: str) -> None:
    """An address is refused: it would become the name of a folder."""
    done = repository.lambdas("build", code=3, LAMBDA_ZIP_CACHE=store)
    assert f"LAMBDA_ZIP_CACHE: expected a folder, found the URL '{store}'" in done.errors


def test_cache(dependent: Repository) -> None:
    """`cache size` shows the room of each part, and `cache prune --all` empties them."""
    dependent.lambdas("build")
    before = dependent.sha256()
    assert re.search(
        r"^ZIPs +build/cache/zips-v1 +[1-9]",
        dependent.lambdas("cache", "size").output,
        re.MULTILINE,
    )
    dependent.lambdas("cache", "prune")
    assert dependent.lambdas("build").output == "3 unchanged\n"
    assert dependent.lambdas("cache", "prune", "--all").output.startswith("Freed ")
    assert not (dependent.root / "build/cache/zips-v1").exists()
    assert dependent.lambdas("build").code == 0
    assert dependent.sha256() == before


def test_clean(dependent: Repository) -> None:
    """`clean` removes the output of what is named, or all; lockfiles stay."""
    dependent.lambdas("build")
    dependent.lambdas("clean", "api")
    assert dependent.sha256().keys() == {"jobs-py3.12-x86_64", "jobs-py3.13-x86_64"}
    assert dependent.lambdas("clean").output == "Removed the output of 3 variants\n"
    assert not [*(dependent.root / "dist").glob("*.zip")]
    assert (dependent.root / "lambdas/api/requirements.lock").exists()
    assert "3 built" in dependent.lambdas("build").output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(repository: Repository, shell: str) -> None:
    """There is a script for each shell, for the command by its name."""
    text = repository.lambdas("completion", shell).output
    assert "_LAMBDAS_COMPLETE" in text


def test_completion_of_names(dependent: Repository) -> None:
    """A shell gets commands, options, and the names of functions and variants."""
    script = Path(sys.executable).with_name("lambdas")

    def completed(*words: str) -> set[str]:
        environment = dependent.environment | {
            "_LAMBDAS_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["lambdas", *words]),
            "COMP_CWORD": str(len(words)),
        }
        done = subprocess.run(
            [script], cwd=dependent.root, env=environment, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        return {line.partition(",")[2] for line in done.stdout.splitlines()}

    assert {"build", "lock", "why"} <= completed("")
    assert completed("build", "jo") == {"jobs", "jobs-py3.12-x86_64", "jobs-py3.13-x86_64"}
    assert "--upgrade-package" in completed("lock", "--up")
    assert completed("shards", "2", "--format", "") == {"github", "gitlab"}
    assert completed("shards", "2", "--runner", "docker") == {"docker-x86_64=", "docker-arm64="}


def test_terraform_module(repository: Repository) -> None:
    """The module is written once, and not over files that were edited."""
    repository.lambdas("terraform-module", "infra/lambdas")
    written = repository.root / "infra/lambdas"
    assert (written / "main.tf").exists()
    assert (written / "external/main.tf").exists()
    repository.lambdas("terraform-module", "infra/lambdas")
    (written / "main.tf").write_text("# edited\n")
    done = repository.lambdas("terraform-module", "infra/lambdas", code=1)
    assert f"{Path('infra/lambdas/main.tf')}: differs from this version" in done.errors
    repository.lambdas("terraform-module", "infra/lambdas", "--force")
    assert (written / "main.tf").read_text() != "# edited\n"


# -- doit, where users meet it ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "dodo",
    [
        "DOIT_CONFIG = {'default_tasks': ['mine']}\nfrom buildlib.tasks import *\n",
        "from buildlib.tasks import *\nDOIT_CONFIG = {'default_tasks': ['mine']}\n",
        "from buildlib.tasks import *\nDOIT_CONFIG = {**DOIT_CONFIG, 'default_tasks': ['mine']}\n",
    ],
    ids=["before", "after", "merged"],
)
def test_settings_of_a_dodo(repository: Repository, dodo: str) -> None:
    """DOIT_CONFIG adds to our settings, wherever it is: the state stays in build/."""
    mine = "def task_mine():\n    return {'actions': ['echo mine > mine.txt']}\n"
    repository.write({"dodo.py": dodo + mine})
    repository.doit()
    assert (repository.root / "mine.txt").exists()
    assert not (repository.root / "dist").exists()
    assert (repository.root / "build/.doit.json").exists()
    assert not [*repository.root.glob(".doit.db*")]


def test_a_task_with_a_name_of_ours(repository: Repository) -> None:
    """A task of a dodo.py that has the name of a step is an error that says whose it is."""
    mine = "from buildlib.tasks import *\ndef task_zip():\n    return {'actions': ['true']}\n"
    repository.write({"dodo.py": mine})
    result = repository.doit(code=3)
    assert "dodo.py: 'task_zip': doit-lambda-zip already has tasks of these names; rename" in (
        result.output
    )


def test_the_loader_beside_a_dodo(repository: Repository) -> None:
    """With the loader in pyproject.toml, a dodo.py's tasks are there, too, from any folder."""
    repository.write({
        "pyproject.toml": '[tool.doit]\nloader = "lambdas"\n',
        "dodo.py": "def task_mine():\n    return {'actions': ['echo mine > mine.txt']}\n",
    })  # fmt: skip
    repository.doit("mine")
    assert (repository.root / "mine.txt").exists()
    repository.doit("zip:api")
    assert (repository.root / "dist/api.zip").exists()


def test_parallel_by_default(repository: Repository) -> None:
    """By default functions are built at once, one for each processor."""
    from buildlib import workers
    from buildlib.tasks import DOIT_CONFIG

    assert isinstance(DOIT_CONFIG, dict)
    assert DOIT_CONFIG["num_process"] == workers.count()
    assert 1 <= workers.count() <= (os.cpu_count() or 1)
    names = [f"f{number}" for number in range(12)]
    manifest = "".join(f"  {name}: {{handler: app.handler}}\n" for name in names)
    repository.write({"lambdas.yaml": f"version: 1\nlambdas:\n{manifest}"})
    repository.write({f"lambdas/{name}/app.py": f"{HANDLER}# {name}\n" for name in names})
    repository.lambdas()
    hashes = repository.sha256()
    repository.lambdas("clean")
    repository.lambdas("-j", "1")
    assert repository.sha256() == hashes
