"""The files for other repositories: the GitHub action, the GitLab component, the pre-commit hooks.

Their shell runs here: the action's in `act`, which runs workflows without GitHub, with stand-ins
for the actions that it uses; the component's script in bash; the hooks in pre-commit itself. These
tests need packages from the index, so they are slow; others check the form of the files.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from buildlib import __version__
from tests.conftest import HANDLER, Index, Repository
from tests.documents import ROOT, blocks

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = ACTION["runs"]["steps"]
TEMPLATE = (ROOT / "templates/lambdas.yml").read_text(encoding="utf-8")
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))

needs_bash = pytest.mark.skipif(sys.platform == "win32", reason="the programs are for Linux")


def needs(module: str) -> pytest.MarkDecorator:
    """Skip a test without a program of the `integration` extra, except in CI."""
    here = shutil.which(module, path=program_path()) or os.environ.get("CI")
    return pytest.mark.skipif(not here, reason=f"needs {module}")


def program_path() -> str:
    """Return the PATH with the programs of this Python's environment."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def check_page(page: Mapping[str, str], name: str, schema: str, folder: Path) -> None:
    """Check a file that a page shows, by the name that the page gives it, against a schema."""
    path = folder / Path(name).name
    path.write_text(page[name], encoding="utf-8")
    check_schema(schema, path)


def check_schema(schema: str, path: Path) -> None:
    command = ["check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)]
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def run(*command: str | Path, folder: Path, code: int = 0, **environment: str) -> str:
    """Run a program with the user's settings for packages, and return what it printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={k: v for k, v in os.environ.items() if not k.startswith(_OURS)} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


# Variables that would tell the programs of the tests about the run of the tests.
_OURS = ("CI", "GITHUB_", "GITLAB_", "LAMBDA_ZIP_", "VIRTUAL_ENV", "COV", "GIT_", "PYTEST", "ACT")


def commit(folder: Path) -> str:
    """Commit all files of a folder, and return the commit."""
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    run("git", "init", "-q", "-b", "main", folder=folder)
    run("git", "add", "-A", folder=folder)
    run("git", *who, "commit", "-q", "-m", "All.", folder=folder)
    return run("git", "rev-parse", "HEAD", folder=folder).strip()


def copy_project(folder: Path) -> None:
    """Copy the files that a commit of this project would have."""
    skipped = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("buildlib", "terraform", "templates"):
        shutil.copytree(ROOT / name, folder / name, ignore=skipped)
    for name in (
        *("pyproject.toml", "README.md", "LICENSE", ".gitignore"),
        *("action.yml", ".pre-commit-hooks.yaml"),
    ):
        shutil.copy(ROOT / name, folder / name)


def write_functions(folder: Path) -> None:
    """Write a repository with one function, in a folder."""
    Repository(folder).write({
        "lambdas.yaml": "version: 1\nlambdas:\n  api:\n    handler: app.handler\n",
        "lambdas/api/app.py": HANDLER,
    })  # fmt: skip


_PYTHON3 = """\
#!/bin/sh
set -e
"{python}" "$@"
[ "$2" = venv ] || exit 0
for folder in "$3"/lib/python3*/site-packages; do echo "{packages}" >"$folder/more.pth"; done
"""


def python3(folder: Path) -> Path:
    """Write a Python whose virtual environments have our dependencies: it saves their download."""
    path = folder / "bin/python3"
    path.parent.mkdir(exist_ok=True)
    packages = sysconfig.get_path("purelib")
    path.write_text(_PYTHON3.format(python=sys.executable, packages=packages))
    path.chmod(0o755)
    return path


# -- GitHub ----------------------------------------------------------------------------------------


def test_the_action_fits_the_schema() -> None:
    """GitHub's schema accepts the action."""
    check_schema("github-actions", ROOT / "action.yml")


def test_inputs_of_the_action() -> None:
    """Each input is used, each one that is used exists, and none is part of a command line."""
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == ACTION["inputs"].keys()
    assert not any("${{" in step.get("run", "") for step in STEPS)
    assert all(step["shell"] == "bash" for step in STEPS if "run" in step)


def test_the_python_of_the_action() -> None:
    """By default it runs a Python that this project supports."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = {text.rpartition(" ")[2] for text in project["classifiers"]}
    assert ACTION["inputs"]["python-version"]["default"] in known


@needs_bash
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", []),
        ("--frozen  api\n jobs\n", ["--frozen", "api", "jobs"]),
        ("* $(id) `id` ; id 'a b'", ["*", "$(id)", "`id`", ";", "id", "'a", "b'"]),
    ],
)
def test_arguments_of_the_action(tmp_path: Path, arguments: str, words: list[str]) -> None:
    """They are separated at blanks and line ends, and no shell reads them."""
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    program.chmod(0o755)
    (step,) = [step for step in STEPS if "ARGS" in step.get("env", {})]
    bash = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"])  # as GitHub
    output = run(*bash, folder=tmp_path, ARGS=arguments, LAMBDAS=str(program))
    assert json.loads(output) == ["build", *words]


# The parts of other actions that this one relies on.
_STAND_INS = {
    "setup-python": """\
name: setup-python
inputs: {python-version: {}, update-environment: {}}
outputs: {python-path: {value: "${{ steps.x.outputs.path }}"}}
runs:
  using: composite
  steps:
    - {id: x, shell: bash, run: 'echo "path=PYTHON" >>"$GITHUB_OUTPUT"'}
""",
    "cache": """\
name: cache
inputs: {path: {}, key: {}, restore-keys: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {FOLDER: "${{ inputs.path }}", KEY: "${{ inputs.key }}"}
      run: echo "cache $FOLDER $KEY"
""",
    "upload-artifact": """\
name: upload-artifact
inputs: {name: {}, path: {}, if-no-files-found: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {FOLDER: "${{ inputs.path }}", NAME: "${{ inputs.name }}"}
      run: echo "$NAME:"; ls -1 "$FOLDER"
""",
}


def stand_in(name: str, python: Path) -> str:
    """Return the action that stands in for one of `actions/`; it gives the Python to the job."""
    return _STAND_INS[name].replace("PYTHON", str(python))


_WORKFLOW = """\
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - id: zips
        uses: ./.action
        with: {working-directory: services, args: "--junit junit.xml"}
      - run: '"$LAMBDAS" -C services list'
        env: {LAMBDAS: "${{ steps.zips.outputs.lambdas }}"}
      - uses: ./.action
        with: {working-directory: services, cache: "false", upload-artifact: "", args: "nothing"}
"""


@needs_bash
@pytest.mark.slow
@pytest.mark.network
@needs("act")
def test_the_action(tmp_path: Path) -> None:
    """In a workflow it installs this package, builds, and gives the command to later steps."""
    folder = tmp_path / "repository"
    write_functions(folder / "services")
    (folder / ".action").mkdir()
    copy_project(folder / ".action")
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    for name in ("setup-python", "cache/restore", "cache", "upload-artifact"):
        text, count = re.subn(rf"uses: actions/{name}@.*", f"uses: ./.stand-ins/{name}", text)
        assert count == 1, name
        content = stand_in(name.partition("/")[0], python3(tmp_path))
        Repository(folder).write({f".stand-ins/{name}/action.yml": content})
    assert "@" not in "".join(re.findall("uses: .*", text))
    Repository(folder).write({".action/action.yml": text, ".github/workflows/x.yml": _WORKFLOW})
    commit(folder)
    output = run(
        *("act", "push", "-P", "ubuntu-latest=-self-hosted", "--action-offline-mode"),
        folder=folder,
        code=1,  # of the last step
        PATH=program_path(),
        HOME=str(tmp_path),
        **index_settings(),
    )
    lines = re.findall(r"^\[.*?\]\s+\| (.*)$", output, re.MULTILINE)
    assert any(re.fullmatch(r"cache services/build lambdas-Linux-\S+-\w{40}", x) for x in lines)
    assert any(line.startswith("1 built in ") for line in lines), output
    at = lines.index("lambdas:")
    assert lines[at + 1 : at + 4] == ["api.zip", "api.zip.sha256", "lambdas.json"]
    assert any(re.match(r"api +", line) for line in lines[at:])
    assert "error: lambdas.yaml declares no 'nothing'" in output
    assert sum(line.startswith("cache ") for line in lines) == 1


def index_settings() -> dict[str, str]:
    """Return the variables that lead pip to the user's index from another home."""
    file = os.environ.get("PIP_CONFIG_FILE")
    here = Path.home() / ".config/pip/pip.conf"
    if file is None and here.exists():
        return {"PIP_CONFIG_FILE": str(here)}
    return {}


# -- GitLab ----------------------------------------------------------------------------------------


def component(**inputs: str) -> dict[str, Any]:
    """Return the jobs of the component, with inputs put in as GitLab does."""
    spec, _, jobs = TEMPLATE.partition("\n---\n")
    declared = yaml.safe_load(spec)["spec"]["inputs"]
    values = {name: facts["default"] for name, facts in declared.items() if "default" in facts}
    values |= inputs
    assert values.keys() == declared.keys()
    used = set(re.findall(r"\$\[\[ inputs\.([\w-]+) \]\]", jobs))
    assert used == declared.keys()
    for name, value in values.items():
        jobs = jobs.replace(f"$[[ inputs.{name} ]]", value)
    assert "$[[" not in jobs
    return dict(yaml.safe_load(jobs))


def test_the_component_fits_the_schema(tmp_path: Path) -> None:
    """GitLab's schema accepts the component's job, and the job has its name."""
    jobs = component(version="0.1.0", job="zips")
    assert [*jobs] == ["zips"]
    path = tmp_path / ".gitlab-ci.yml"
    path.write_text(yaml.safe_dump(jobs))
    check_schema("gitlab-ci", path)


@needs_bash
@pytest.mark.slow
@pytest.mark.network
def test_the_component(tmp_path: Path) -> None:
    """Its script installs the version, builds, and writes the files that the job keeps."""
    (tmp_path / "project").mkdir()
    copy_project(tmp_path / "project")
    version = f'__version__ = "{__version__}.post1"\n'
    (tmp_path / "project/buildlib/__init__.py").write_text(version)
    pip = (sys.executable, "-m", "pip")
    run(*pip, "wheel", "-q", "--no-deps", "-w", "wheels", "./project", folder=tmp_path)
    folder = tmp_path / "checkout"
    write_functions(folder / "services")
    inputs = {"version": f"{__version__}.post1", "directory": "services", "args": "api"}
    job = component(**inputs)["build-lambdas"]
    links = f"{tmp_path / 'wheels'} {os.environ.get('PIP_FIND_LINKS', '')}"
    variables = {"CI_PROJECT_DIR": str(folder), "PIP_FIND_LINKS": links, "GITLAB_CI": "true"}
    script = "\n".join(job["script"])
    variables |= {"CI": "true", "PATH": f"{python3(tmp_path).parent}:{os.environ['PATH']}"}
    output = run("bash", "-eo", "pipefail", "-c", script, folder=folder, code=0, **variables)
    assert "section_start:" in output
    assert "1 built in" in output
    artifacts = job["artifacts"]
    for path in (*artifacts["paths"], *artifacts["reports"].values(), *job["cache"]["paths"]):
        assert (folder / path).exists(), path


# -- pre-commit ------------------------------------------------------------------------------------


def test_the_hooks_name_commands() -> None:
    """Each hook is a command of `lambdas`, which takes no names of files."""
    from buildlib.cli import main as cli

    commands = {name for group in cli.GROUPS.values() for name in group}
    for hook in HOOKS:
        program, command, *_ = hook["entry"].split()
        assert (program, hook["language"], hook["pass_filenames"]) == ("lambdas", "python", False)
        assert command in commands


@needs_bash
@pytest.mark.slow
@pytest.mark.network
@needs("pre-commit")
def test_the_hooks(tmp_path: Path) -> None:
    """pre-commit installs them from a clone, and each one passes and fails as it should."""
    project, folder = tmp_path / "project", tmp_path / "repository"
    project.mkdir()
    copy_project(project)
    hooks = [{"id": hook["id"]} for hook in HOOKS]
    config = {"repos": [{"repo": str(project), "rev": commit(project), "hooks": hooks}]}
    write_functions(folder)
    repository = Repository(folder)
    repository.write({
        ".pre-commit-config.yaml": yaml.safe_dump(config),
        ".gitignore": "build/\ndist/\n",
        "lambdas.hashes.json": "{}\n",
    })  # fmt: skip
    commit(folder)

    def hook(name: str, code: int) -> str:
        stage = ("--hook-stage", "manual")
        settings = {"PRE_COMMIT_HOME": str(tmp_path / "home"), "PATH": program_path()}
        run("git", "add", "-A", folder=folder)
        command = ("pre-commit", "run", "--all-files", *stage, name)
        return run(*command, folder=folder, code=code, **settings)

    assert "Passed" in hook("lambdas-manifest", 0)
    assert "Passed" in hook("lambdas-lock", 0)
    assert "lambdas.hashes.json: out of date for api" in hook("lambdas-record", 1)
    run(sys.executable, "-m", "buildlib", "record", folder=folder)
    assert "Passed" in hook("lambdas-record", 0)
    repository.write({"lambdas/api/requirements.txt": "requests\n"})
    assert "lambdas/api/requirements.lock is missing" in hook("lambdas-lock", 1)
    repository.write({"lambdas.yaml": "version: 1\nlambdas:\n  api: {hander: x}\n"})
    assert "unknown key 'hander'" in hook("lambdas-manifest", 1)


# -- the page about CI -----------------------------------------------------------------------------

PAGE = {
    block.options["file"]: block.content
    for block in blocks(ROOT / "docs/how-to/ci.md")
    if "file" in block.options
}


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        (".github/workflows/lambdas.yml", "github-workflows"),
        (".github/workflows/dependabot-locks.yml", "github-workflows"),
        (".github/workflows/upgrade-locks.yml", "github-workflows"),
        (".gitlab-ci.yml", "gitlab-ci"),
        ("renovate.json", "renovate"),
    ],
)
def test_files_of_the_page_fit_their_schemas(tmp_path: Path, name: str, schema: str) -> None:
    """The schema of the service accepts each file that the page about CI shows."""
    check_page(PAGE, name, schema, tmp_path)


def test_the_page_uses_these_files() -> None:
    """It gives the action and the component inputs that they have, and names all hooks."""
    steps = yaml.safe_load(PAGE[".github/workflows/lambdas.yml"])["jobs"]["build"]["steps"]
    (ours,) = [step for step in steps if step["uses"].startswith("OWNER/doit-lambda-zip@")]
    assert ours["with"].keys() <= ACTION["inputs"].keys()
    (include,) = yaml.safe_load(PAGE[".gitlab-ci.yml"])["include"]
    assert include["component"].split("/")[-1].startswith("lambdas@")
    assert component(**include["inputs"])
    (repo,) = yaml.safe_load(PAGE[".pre-commit-config.yaml"])["repos"]
    assert [hook["id"] for hook in repo["hooks"]] == [hook["id"] for hook in HOOKS]
    text = (ROOT / "docs/how-to/ci.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in ACTION["inputs"])


def test_the_page_pins_what_this_project_pins() -> None:
    """Each action on the page has the commit that this project's own workflows and action have."""
    ours = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "action.yml", *(ROOT / ".github/workflows").glob("*.yml"))
    )
    for name, text in PAGE.items():
        for use in re.findall(r"uses: (?!OWNER)(.*)", text):
            assert f"uses: {use}\n" in ours, f"{name}: {use}"


@pytest.mark.skipif(not shutil.which("zizmor", path=program_path()), reason="needs zizmor")
def test_workflows_of_the_page_are_safe(tmp_path: Path) -> None:
    """Zizmor finds no weakness in the workflows that users copy."""
    for name, text in PAGE.items():
        if name.startswith(".github/"):
            pinned = text.replace("@COMMIT", f"@{'0' * 40}")
            Repository(tmp_path).write({name: pinned})
    folder = str(tmp_path / ".github/workflows")
    run("zizmor", "-q", "--offline", folder, folder=tmp_path, PATH=program_path())


_GH = """\
#!/bin/sh
echo "$@" >>"{log}"
if [ "$2" = list ]; then grep -c "^pr create" "{log}" || true; fi
"""


@pytest.fixture
def cloned(repository: Repository, index: Index) -> Repository:
    """Give a repository with a requirement, its lockfile, and a remote to push to."""
    index.add("requests", "2.32.4")
    repository.environment |= {
        "UV_INDEX_URL": index.url,
        "PATH": program_path(),
        "CI": "true",
        "RUNNER_TEMP": str(repository.root.parent),
    }
    repository.write({"lambdas/api/requirements.txt": "requests\n", ".gitignore": "build/\n"})
    repository.lambdas("lock")
    commit(repository.root)
    remote = repository.root.parent / "remote"
    run("git", "clone", "-q", "--bare", ".", remote, folder=repository.root)
    run("git", "remote", "add", "origin", remote, folder=repository.root)
    run("git", "fetch", "-q", folder=repository.root)
    run("git", "branch", "-q", "-u", "origin/main", folder=repository.root)
    index.add("requests", "2.32.5")
    return repository


def run_workflow(repository: Repository, name: str) -> None:
    """Run the commands of a workflow's job, but for the installation of this package."""
    (job,) = yaml.safe_load(PAGE[f".github/workflows/{name}.yml"])["jobs"].values()
    scripts = [step["run"] for step in job["steps"] if "run" in step]
    assert scripts[0].startswith("pip install doit-lambda-zip==")
    for script in scripts[1:]:
        command = ("bash", "-e", "-c", script)
        run(*command, folder=repository.root, code=0, **repository.environment)


def pushed(repository: Repository, branch: str) -> str:
    """Return the lockfile on a branch of the remote."""
    place = f"{branch}:lambdas/api/requirements.lock"
    return run("git", "show", place, folder=repository.root.parent / "remote")


@needs_bash
def test_locks_after_dependabot(cloned: Repository) -> None:
    """The workflow adds the lockfile to the branch, and is idle when there is nothing to add."""
    run_workflow(cloned, "dependabot-locks")
    assert "requests==2.32.4" in pushed(cloned, "main")
    cloned.write({"lambdas/api/requirements.txt": "requests==2.32.5\n"})
    run("git", "-c", "user.name=t", "-c", "user.email=t@e", "commit", "-qam", "Bump",
        folder=cloned.root)  # fmt: skip
    run_workflow(cloned, "dependabot-locks")
    assert "requests==2.32.5" in pushed(cloned, "main")
    assert not run("git", "status", "--porcelain", folder=cloned.root)
    cloned.lambdas("lock", "--check")


@needs_bash
def test_locks_without_a_bot(cloned: Repository) -> None:
    """The workflow pushes upgraded lockfiles, and opens one pull request with their changes."""
    log = cloned.root.parent / "gh.log"
    program = cloned.root.parent / "bin/gh"
    program.parent.mkdir()
    program.write_text(_GH.format(log=log))
    program.chmod(0o755)
    cloned.environment["PATH"] = f"{program.parent}:{program_path()}"
    for _ in range(2):
        run("git", "reset", "-q", "--hard", "origin/main", folder=cloned.root)
        run_workflow(cloned, "upgrade-locks")
        assert "requests==2.32.5" in pushed(cloned, "upgrade-locks")
    assert "requests==2.32.4" in pushed(cloned, "main")
    assert log.read_text().count("pr create --head upgrade-locks ") == 1
    changes = (cloned.root.parent / "changes.txt").read_text()
    assert "Updated requests 2.32.4 -> 2.32.5" in changes
