"""The page about shards: its workflow and its pipeline run, in programs that stand in for services.

`act` runs workflows of GitHub Actions, and gitlab-ci-local (npm) pipelines of GitLab, both without
containers: each job has a checkout of its own. Only the actions of others are replaced, since they
need GitHub.
"""

import json
import re
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from buildlib import __version__
from tests.conftest import HANDLER, Index, Repository
from tests.documents import ROOT, blocks
from tests.test_ci_files import (
    ACTION,
    check_page,
    check_schema,
    commit,
    copy_project,
    index_settings,
    needs,
    needs_bash,
    program_path,
    python3,
    run,
    stand_in,
)

PAGE = {
    block.options["file"]: block.content
    for block in blocks(ROOT / "docs/how-to/shards.md")
    if "file" in block.options
}
WORKFLOW = ".github/workflows/lambdas.yml"


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        (WORKFLOW, "github-workflows"),
        (".gitlab-ci.yml", "gitlab-ci"),
        (".gitlab/shards.yml", "gitlab-ci"),
    ],
)
def test_files_of_the_page_fit_their_schemas(tmp_path: Path, name: str, schema: str) -> None:
    """The schema of the service accepts each file of the page."""
    check_page(PAGE, name, schema, tmp_path)


def test_the_child_pipeline_fits_the_schema(tmp_path: Path, repository: Repository) -> None:
    """GitLab's schema accepts what the planning job writes: the page's part and the shards."""
    jobs = repository.lambdas("shards", "1", "--format", "gitlab", "--runner", "a,b").output
    path = tmp_path / "pipeline.yml"
    path.write_text(PAGE[".gitlab/shards.yml"] + jobs, encoding="utf-8")
    check_schema("gitlab-ci", path)
    assert "lambdas 1/1" in yaml.safe_load(path.read_text())


def test_the_page_uses_the_action() -> None:
    """It gives the action inputs that it has, and pins what this project pins."""
    jobs = yaml.safe_load(PAGE[WORKFLOW])["jobs"].values()
    steps = [step for job in jobs for step in job["steps"]]
    ours = [step for step in steps if step["uses"].startswith("OWNER/doit-lambda-zip@")]
    assert len(ours) == 3
    assert all(step["with"].keys() <= ACTION["inputs"].keys() for step in ours)
    pinned = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "action.yml", *(ROOT / ".github/workflows").glob("*.yml"))
    )
    for use in re.findall(r"uses: (?!OWNER)(.*)", PAGE[WORKFLOW]):
        assert f"uses: {use}\n" in pinned, use


@pytest.mark.skipif(not shutil.which("zizmor", path=program_path()), reason="needs zizmor")
def test_the_workflow_is_safe(tmp_path: Path) -> None:
    """Zizmor finds no weakness in the workflow that users copy."""
    pinned = PAGE[WORKFLOW].replace("@COMMIT", f"@{'0' * 40}")
    Repository(tmp_path).write({WORKFLOW: pinned})
    folder = str(tmp_path / ".github/workflows")
    run("zizmor", "-q", "--offline", folder, folder=tmp_path, PATH=program_path())


@needs_bash
def test_the_plan_of_the_action(repository: Repository) -> None:
    """Its step sets one line as the output; without a plan it fails, and sets none."""
    (step,) = [step for step in ACTION["runs"]["steps"] if step.get("id") == "plan"]
    bash = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"])  # as GitHub
    output = repository.root.parent / "output"
    settings = repository.environment | {
        "GITHUB_OUTPUT": str(output),
        "LAMBDAS": str(Path(sys.executable).with_name("lambdas")),
        "SHARDS": "2\n--runner big",
    }
    run(*bash, folder=repository.root, code=0, **settings)
    name, _, value = output.read_text().removesuffix("\n").partition("=")
    (job,) = json.loads(value)["include"]
    assert (name, job["lambdas"], job["runner"]) == ("matrix", "api", "big")
    output.unlink()
    run(*bash, folder=repository.root, code=2, **settings | {"SHARDS": "0"})
    assert not output.exists()


# -- they run --------------------------------------------------------------------------------------

_MANIFEST = """\
version: 1
lambdas:
  api: {handler: app.handler}
  jobs: {handler: app.handler, architecture: [x86_64, arm64]}
  tick: {handler: app.handler}
"""
# The functions without dependencies share an environment where they share an architecture.
SHARDS = 3


@pytest.fixture
def team(repository: Repository, index: Index) -> Repository:
    """Give a repository with dependencies, locked; and its ZIPs of a local build in `expected/`."""
    index.add("alpha", files={"alpha/__init__.py": "A = 1\n"})
    repository.environment["UV_INDEX_URL"] = index.url
    repository.write({
        "lambdas.yaml": _MANIFEST,
        "lambdas/jobs/app.py": HANDLER,
        "lambdas/tick/app.py": HANDLER,
        "lambdas/api/requirements.txt": "alpha\n",
        ".gitignore": "build/\ndist/\n",
    })  # fmt: skip
    repository.lambdas("build")
    (repository.root / "dist").rename(repository.root.parent / "expected")
    shutil.rmtree(repository.root / "build")
    return repository


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


_UPLOAD = """\
name: upload-artifact
inputs: {name: {}, path: {}, if-no-files-found: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {FOLDER: "${{ inputs.path }}", NAME: "${{ inputs.name }}"}
      run: cp -r "$FOLDER" "ARTIFACTS/$NAME"
"""
_DOWNLOAD = """\
name: download-artifact
inputs: {pattern: {}, path: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {FOLDER: "${{ inputs.path }}", PATTERN: "${{ inputs.pattern }}"}
      run: mkdir -p "$FOLDER"; cd ARTIFACTS; cp -r $PATTERN "$FOLDER"
"""


@needs_bash
@pytest.mark.slow
@pytest.mark.network
@needs("act")
def test_the_workflow(team: Repository) -> None:
    """It plans, builds each shard in a job, and its last job uploads a local build's `dist/`."""
    top, folder = team.root.parent, team.root
    artifacts = top / "artifacts"
    artifacts.mkdir()
    (folder / ".action").mkdir()
    copy_project(folder / ".action")
    action, workflow = (ROOT / "action.yml").read_text(encoding="utf-8"), PAGE[WORKFLOW]
    replaced = {"upload-artifact": _UPLOAD, "download-artifact": _DOWNLOAD}
    for name in ("setup-python", "cache/restore", "cache", *replaced):
        content = replaced.get(name) or stand_in(name.partition("/")[0], python3(top))
        content = content.replace("ARTIFACTS", str(artifacts))
        team.write({f".stand-ins/{name}/action.yml": content})
        use = re.compile(rf"uses: actions/{name}@.*")
        action, workflow = (use.sub(f"uses: ./.stand-ins/{name}", x) for x in (action, workflow))
    assert "@" not in "".join(re.findall("uses: .*", action))
    workflow = workflow.replace("OWNER/doit-lambda-zip@COMMIT", "./.action")
    assert re.findall("uses: .*@.*", workflow) == re.findall("uses: actions/checkout@.*", workflow)
    team.write({".action/action.yml": action, WORKFLOW: workflow})
    commit(folder)
    output = run(
        *("act", "push", "-P", "ubuntu-latest=-self-hosted", "--action-offline-mode"),
        *("--env", f"UV_INDEX_URL={team.environment['UV_INDEX_URL']}"),
        folder=folder,
        code=0,
        PATH=program_path(),
        HOME=str(top),
        **index_settings(),
    )
    names = {f"shard-{number + 1}" for number in range(SHARDS)}
    assert {path.name for path in artifacts.iterdir()} == {"lambdas", *names}, output
    assert f"4 merged from {SHARDS} shards" in output
    assert "4 unchanged" in output
    assert contents(artifacts / "lambdas") == contents(top / "expected")


@needs_bash
@pytest.mark.slow
@pytest.mark.network
@needs("gitlab-ci-local")
def test_the_pipeline(team: Repository) -> None:
    """It plans, starts a child pipeline with a job for each shard, and merges them to the same."""
    top, folder = team.root.parent, team.root
    (top / "project").mkdir()
    copy_project(top / "project")
    version = f"{__version__}.post1"
    (top / "project/buildlib/__init__.py").write_text(f'__version__ = "{version}"\n')
    pip = (sys.executable, "-m", "pip")
    run(*pip, "wheel", "-q", "--no-deps", "-w", "wheels", "./project", folder=top)
    run(sys.executable, "-m", "venv", "venv", folder=top)
    (packages,) = top.glob("venv/lib/python3*/site-packages")
    (packages / "more.pth").write_text(sysconfig.get_path("purelib"))
    for name in (".gitlab-ci.yml", ".gitlab/shards.yml"):
        assert f"pip install --quiet doit-lambda-zip=={__version__}\n" in PAGE[name]
        team.write({name: PAGE[name].replace(f"=={__version__}", f"=={version}")})
    commit(folder)
    run("git", "remote", "add", "origin", "https://gitlab.com/group/team.git", folder=folder)
    variables = {
        "PIP_FIND_LINKS": (top / "wheels").as_uri(),  # a path would be a file variable
        "UV_INDEX_URL": team.environment["UV_INDEX_URL"],
        "CI": "true",
    }
    Repository(top).write({  # for the child pipeline, too
        ".gitlab-ci-local/variables.yml": yaml.safe_dump({"global": variables}),
    })  # fmt: skip
    output = run(
        *("gitlab-ci-local", "--force-shell-executor", "--shell-isolation"),
        folder=folder,
        code=0,
        PATH=f"{top / 'venv/bin'}:{program_path()}",
        HOME=str(top),
        **index_settings(),
    )
    assert f"4 merged from {SHARDS} shards" in output
    assert "4 unchanged" in output
    state = folder / ".gitlab-ci-local/artifacts"
    built = contents(state / "merge/dist")
    assert built.keys() == contents(top / "expected").keys()
    assert built == contents(top / "expected")
