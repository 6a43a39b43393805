"""Continuous integration: its workflows, its scripts, and the hooks before a commit."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from buildlib.contract import CONTRACT
from tests.documents import ROOT, blocks

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTION = ROOT / "action.yml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMPARE = ROOT / ".ci/compare_golden.py"
GOLDEN = {"api": "a" * 64, "jobs-py3.13-arm64": "b" * 64}


def workflow(name: str) -> Any:  # noqa: ANN401 - YAML is what it is
    return yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text(encoding="utf-8"))


CI, RELEASE = workflow("ci"), workflow("release")


def commands(job: str) -> list[str]:
    """Return what the steps of a job of ci.yml run."""
    return [step["run"].strip() for step in CI["jobs"][job]["steps"] if "run" in step]


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in workflow(path.stem)["jobs"].items():
            yield f"{path.stem}: {name}", job


# -- the form of the workflows ---------------------------------------------------------------------


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_fit_the_schema(path: Path) -> None:
    """GitHub's schema accepts every workflow."""
    done = check_schema(path)
    assert done.returncode == 0, done.stdout


def test_the_schema_sees_a_mistake(tmp_path: Path) -> None:
    """A key that GitHub does not know is found, so that the test above can fail."""
    text = WORKFLOWS[0].read_text(encoding="utf-8")
    assert "runs-on:" in text
    wrong = tmp_path / "ci.yml"
    wrong.write_text(text.replace("runs-on:", "run-on:"), encoding="utf-8")
    done = check_schema(wrong)
    assert done.returncode == 1
    assert "run-on" in done.stdout


def check_schema(path: Path) -> subprocess.CompletedProcess[str]:
    command = ["check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    return subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False
    )


def test_every_action_is_pinned() -> None:
    """An action is named by a full commit, with its version beside it, the same in every place."""
    versions: dict[str, set[str]] = {}
    for path in (*WORKFLOWS, ACTION):
        for line in path.read_text(encoding="utf-8").splitlines():
            if "uses:" in line and "uses: ./" not in line:
                match = re.search(r"uses: ([\w/-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)$", line)
                assert match, f"{path.name}: {line}"
                versions.setdefault(match[1], set()).add(match[2])
    assert {"actions/checkout", "actions/setup-python"} <= versions.keys()
    assert all(len(found) == 1 for found in versions.values()), versions


def test_least_permissions() -> None:
    """A job may read the repository; only `publish` has a right besides, and no repository."""
    for path in WORKFLOWS:
        assert workflow(path.stem)["permissions"] == {}, path.name
    rights = {name: job["permissions"] for name, job in jobs()}
    assert rights.pop("release: publish") == {"id-token": "write"}
    assert all(right == {"contents": "read"} for right in rights.values()), rights


def test_no_job_keeps_a_token_or_runs_for_ever() -> None:
    """A checkout leaves no credentials in the clone, and each job has a limit in minutes."""
    for name, job in jobs():
        if "uses" not in job:
            assert job["timeout-minutes"] <= 45, name
        for step in job.get("steps", []):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, name


def test_no_text_of_others_in_a_shell() -> None:
    """Text that a pull request can choose, such as a branch's name, is in no command line."""
    for name, job in jobs():
        for step in job.get("steps", []):
            for expression in re.findall(r"\$\{\{(.*?)\}\}", step.get("run", "")):
                assert expression.strip().startswith("matrix."), f"{name}: {expression}"


# -- the tests they run --------------------------------------------------------------------------


def test_the_matrix_is_what_the_project_promises() -> None:
    """Linux, macOS and Windows, with each Python of the classifiers, from `requires-python` on."""
    matrix = CI["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu", "macos", "windows"]
    named = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if ":: 3." in text]
    assert matrix["python"] == named
    assert PROJECT["requires-python"] == f">={named[0]}"
    assert CI["jobs"]["test"]["runs-on"] == "${{ matrix.os }}-latest"


def test_the_golden_job_waits_for_all() -> None:
    """It compares as many indexes as the matrix has jobs, and runs also when one of them failed."""
    matrix = CI["jobs"]["test"]["strategy"]["matrix"]
    count = len(matrix["os"]) * len(matrix["python"])
    golden = CI["jobs"]["golden"]
    assert golden["needs"] == "test"
    assert golden["if"] == "${{ !cancelled() }}"
    (command,) = commands("golden")
    assert f"compare_golden.py --count {count} " in command
    upload = next(step for step in CI["jobs"]["test"]["steps"] if "upload" in step.get("uses", ""))
    assert upload["with"]["path"] == "dist/lambdas.json"
    assert all(f"matrix.{axis} " in upload["with"]["name"] for axis in matrix)


def test_the_oldest_and_the_newest_doit() -> None:
    """One job has the oldest doit that pyproject.toml allows, the other the newest."""
    (allowed,) = [text for text in PROJECT["dependencies"] if re.match(r"doit\b", text)]
    oldest = re.search(r">=([\d.]+)", allowed)
    assert oldest
    matrix = CI["jobs"]["doit"]["strategy"]["matrix"]
    assert matrix["doit"] == [f"doit=={oldest[1]}.*", "doit"]
    every = CI["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert matrix["python"] == [every[0], every[-1]]
    assert commands("doit")[-1] == "pytest tests/unit tests/test_incremental.py"


def test_the_style_job_is_what_a_contributor_runs() -> None:
    """Its commands stand in CONTRIBUTING.md and in .ci/run, in a virtual environment."""
    local = {command for block in blocks(ROOT / "CONTRIBUTING.md") for command, _ in block.commands}
    script = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    for command in commands("style"):
        assert f".venv/bin/{command}" in local
        assert f".venv/bin/{command}" in script


def test_folders_of_tests_exist() -> None:
    """A path that a job gives to pytest is there, and so is each script that a job runs."""
    for name, job in jobs():
        for step in job.get("steps", []):
            for path in re.findall(r"(?<=\s)(?:tests/|\.ci/)[\w/.]+", step.get("run", "")):
                assert (ROOT / path).exists(), f"{name}: {path}"


def test_extras_exist() -> None:
    """A job installs extras that pyproject.toml has."""
    named = [
        extra
        for _, job in jobs()
        for step in job.get("steps", [])
        for extras in re.findall(r"'\.\[([\w,]+)\]'", step.get("run", ""))
        for extra in extras.split(",")
    ]
    assert {"dev", "test"} <= set(named) <= PROJECT["optional-dependencies"].keys()


# -- the comparison --------------------------------------------------------------------------------


def index(hashes: dict[str, str], **more: object) -> str:
    return json.dumps({name: {"sha256": sha256, **more} for name, sha256 in hashes.items()})


def compare(folder: Path, texts: dict[str, str], *options: str) -> tuple[int, str]:
    """Run the script on indexes with these texts, and return its exit code and its output."""
    (folder / "golden.json").write_text(json.dumps(GOLDEN), encoding="utf-8")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, COMPARE, "--golden", "golden.json", *options, *texts],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def test_equal_indexes(tmp_path: Path) -> None:
    """As many equal indexes as expected, with the golden hashes, pass."""
    texts = {"one": index(GOLDEN), "two": index(GOLDEN)}
    expected = (0, "2 indexes with the 2 golden hashes\n")
    assert compare(tmp_path, texts, "--count", "2") == expected
    assert compare(tmp_path, texts) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (index({**GOLDEN, "api": "c" * 64}), f"api: {'c' * 64}, golden {'a' * 64}"),
        (index({"api": "a" * 64}), f"jobs-py3.13-arm64: absent, golden {'b' * 64}"),
        (index({**GOLDEN, "new": "d" * 64}), f"new: {'d' * 64}, golden absent"),
        ("{", "not an index of ZIPs"),
        ('{"api": {}}', "not an index of ZIPs"),
        (index(GOLDEN, size=2), "not the same bytes as one"),
    ],
    ids=["another hash", "one is missing", "one too many", "no JSON", "no hash", "another size"],
)
def test_an_index_that_differs(tmp_path: Path, text: str, problem: str) -> None:
    """One index among others that is not as it should be fails, and is named."""
    code, output = compare(tmp_path, {"one": index(GOLDEN), "two": text, "xyz": index(GOLDEN)})
    assert code == 1
    assert output.startswith(f"two: {problem}")
    assert output.count("\n") == 1


def test_all_differ_alike(tmp_path: Path) -> None:
    """Indexes that are equal and not golden fail: the contract was changed everywhere."""
    wrong = index({**GOLDEN, "api": "c" * 64})
    code, output = compare(tmp_path, {"one": wrong, "two": wrong})
    assert (code, output.count("golden " + "a" * 64)) == (1, 2)


@pytest.mark.parametrize("count", ["1", "3"])
def test_another_number_of_indexes(tmp_path: Path, count: str) -> None:
    """A job that uploaded nothing is noticed."""
    texts = {"one": index(GOLDEN), "two": index(GOLDEN)}
    assert compare(tmp_path, texts, "--count", count) == (1, f"2 indexes, expected {count}\n")


def test_an_index_that_is_not_there(tmp_path: Path) -> None:
    """A name without a file, such as a pattern that matches nothing, fails."""
    done = subprocess.run(
        [sys.executable, COMPARE, "indexes/*/lambdas.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("indexes/*/lambdas.json: not an index of ZIPs")


# -- a release -------------------------------------------------------------------------------------


def release(folder: Path, tag: str, version: str, heading: str) -> tuple[int, str]:
    """Run the check of a release in a repository of this version, and return code and output."""
    for path, text in {
        "buildlib/__init__.py": f'"""Doc."""\n\n__version__ = "{version}"\n',
        "CHANGELOG.md": f"# Changelog\n\n## {heading}\n\n- A change.\n\n## 0.0.9 - 2026-01-02\n",
        ".ci/check_release.py": (ROOT / ".ci/check_release.py").read_text(encoding="utf-8"),
    }.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, folder / ".ci/check_release.py", tag],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_tag_that_fits(tmp_path: Path) -> None:
    """A tag of the version, with a dated entry in the changelog, can be published."""
    done = release(tmp_path, "v0.1.0", "0.1.0", "0.1.0 - 2026-12-01")
    assert done == (0, "v0.1.0 can be published\n")


@pytest.mark.parametrize(
    ("tag", "heading", "problem"),
    [
        ("v0.2.0", "0.1.0 - 2026-12-01", "the tag is v0.2.0 and buildlib/__init__.py says 0.1.0"),
        ("0.1.0", "0.1.0 - 2026-12-01", "expected v0.1.0"),
        ("v0.1.0", "0.1.0 - unreleased", "'0.1.0 - unreleased'"),
        ("v0.1.0", "0.1.1 - 2026-12-01", "'0.1.1 - 2026-12-01'"),
    ],
)
def test_a_tag_that_does_not_fit(tmp_path: Path, tag: str, heading: str, problem: str) -> None:
    """Another version, or a changelog without this version and its date, stops a release."""
    code, output = release(tmp_path, tag, "0.1.0", heading)
    assert code == 1
    assert problem in output


def test_a_release_passes_ci_first() -> None:
    """`publish` waits for all of ci.yml and for the installed wheel, and checks out nothing."""
    publish = RELEASE["jobs"]["publish"]
    assert publish["needs"] == ["ci", "distributions"]
    assert RELEASE["jobs"]["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert "workflow_call" in CI[True]  # YAML 1.1 takes `on` for a truth value
    uses = [step["uses"].partition("@")[0] for step in publish["steps"]]
    assert uses == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]
    assert publish["steps"][1]["with"]["attestations"] is True


def test_releasing_names_what_is_there() -> None:
    """Every file that RELEASING.md names exists, and the version of the contract is the code's."""
    text = (ROOT / "RELEASING.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:buildlib|tests|docs|\.ci|\.github)/[\w/.]+)`", text):
        assert (ROOT / path).exists(), path
    assert f"version {CONTRACT}" in text


# -- before a commit -------------------------------------------------------------------------------


def test_hooks_have_the_versions_of_the_dev_extra() -> None:
    """The hooks before a commit have the versions that CI has."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = {hook["id"]: hook for repo in config["repos"] for hook in repo["hooks"]}
    pins = [text for text in PROJECT["optional-dependencies"]["dev"] if text.startswith("ruff==")]
    assert len(pins) == 1
    for name, command in (("ruff-check", "check"), ("ruff-format", "format --check")):
        assert hooks[name]["additional_dependencies"] == pins
        assert hooks[name]["entry"] == f"ruff {command} --force-exclude"
    # The virtual environment has the version of the extra, and all that mypy has to see.
    assert shlex.split(hooks["mypy"]["entry"]) == [".venv/bin/mypy"]
    assert any(text.startswith("mypy==") for text in PROJECT["optional-dependencies"]["dev"])
