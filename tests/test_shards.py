"""A build that is split over several jobs: `lambdas shards`, their builds, `lambdas merge`."""

import itertools
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from buildlib.artifacts import shard
from buildlib.errors import MergeError
from buildlib.layout import Layout
from buildlib.project.project import Project
from buildlib.steps import run, times
from tests.conftest import HANDLER, Index, Repository
from tests.test_cli import answer

MANIFEST = """\
version: 1
lambdas:
  api: {handler: app.handler, evidence: true}
  jobs: {handler: app.handler, python: ['3.12', '3.13'], architecture: [x86_64, arm64]}
  mail: {handler: app.handler, layers: [base]}
  tick: {handler: app.handler}
  tock: {handler: app.handler}
layers:
  base: {requirements: layers/base.txt}
"""
VARIANTS = 9
DEAD = "http://127.0.0.1:9/there-is-no-index-here"


@pytest.fixture(scope="module")
def locked(
    tmp_path_factory: pytest.TempPathFactory, plain_environment: dict[str, str]
) -> Iterator[Repository]:
    """Give a locked repository of five functions and a layer: nine ZIPs of several environments."""
    index = Index()
    index.add("alpha", files={"alpha/__init__.py": "A = 1\n", "alpha/data.txt": "alpha " * 2000})
    index.add("beta", files={"beta.py": "B = 1\n"}, requires=("alpha",))
    environment = plain_environment | {"UV_INDEX_URL": index.url}
    repository = Repository(tmp_path_factory.mktemp("shards") / "repository", environment)
    names = ("api", "jobs", "mail", "tick", "tock")
    repository.write({f"lambdas/{name}/app.py": f"{HANDLER}# {name}\n" for name in names})
    repository.write({
        "dodo.py": "from buildlib.tasks import *\n",
        "lambdas.yaml": MANIFEST,
        "lambdas/api/requirements.txt": "beta\n",
        "lambdas/jobs/requirements.txt": "beta\n",
        "lambdas/mail/requirements.txt": "beta\n",
        "layers/base.txt": "alpha\n",
    })  # fmt: skip
    repository.lambdas("lock")
    shutil.rmtree(repository.root / "build")
    yield repository
    index.server.shutdown()
    index.server.server_close()


@pytest.fixture(scope="module")
def built(locked: Repository) -> list[Repository]:
    """Give three clones, each with a third of the build."""
    found = []
    for job in matrix(locked, 3):
        one = clone(locked, f"shard {job['shard']}")
        one.lambdas("build", *shlex.split(job["lambdas"]))
        found.append(one)
    assert len(found) == 3
    return found


@pytest.fixture
def many(locked: Repository, tmp_path: Path) -> Repository:
    """Give a clone of the repository, for one test."""
    root = tmp_path / "repository"
    shutil.copytree(locked.root, root)
    return Repository(root, dict(locked.environment))


@pytest.fixture
def shards(built: list[Repository], tmp_path: Path) -> list[Repository]:
    """Give the three clones, for one test."""
    for one in built:
        shutil.copytree(one.root, tmp_path / one.root.name)
    return [Repository(tmp_path / one.root.name, one.environment) for one in built]


def clone(repository: Repository, name: str, **environment: str) -> Repository:
    """Return a clone on another machine: its own folder, home and caches."""
    root = repository.root.parent / name
    shutil.copytree(repository.root, root, ignore=shutil.ignore_patterns("build", "dist"))
    home = repository.root.parent / f"home of {name}"
    home.mkdir()
    own = {"HOME": str(home), "UV_CACHE_DIR": str(home / "uv")}
    return Repository(root, repository.environment | own | environment)


def matrix(repository: Repository, number: int) -> list[dict[str, Any]]:
    """Return the jobs of the matrix for GitHub Actions."""
    (line,) = repository.lambdas("shards", str(number)).output.splitlines()
    value = json.loads(line)
    assert value.keys() == {"include"}
    return list(value["include"])


def content(repository: Repository) -> dict[str, bytes]:
    """Return all files in dist/."""
    return {path.name: path.read_bytes() for path in (repository.root / "dist").iterdir()}


def folders(shards: list[Repository]) -> list[str]:
    return [str(one.root / "dist") for one in shards]


# -- the whole way ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2, 4])
def test_shards_give_a_local_build(many: Repository, number: int) -> None:
    """Shards built at once on unlike machines are, merged in any order, the same as a local build.

    After the merge nothing is installed or built, by `lambdas` or doit.
    """
    local = clone(many, "local")
    local.lambdas("build", "-j", "2")
    machines = itertools.cycle([
        (0o077, "2", {"TZ": "Pacific/Kiritimati", "LC_ALL": "C"}),
        (0o002, "1", {"TZ": "America/Lima", "PYTHONHASHSEED": "1"}),
        (0o022, "3", {"TZ": "UTC", "SOURCE_DATE_EPOCH": "1"}),
    ])  # fmt: skip
    jobs = list(zip(matrix(many, number), machines, strict=False))

    def build(job: tuple[dict[str, Any], tuple[int, str, dict[str, str]]]) -> Repository:
        facts, (umask, cores, environment) = job
        one = clone(many, f"shard {facts['shard']}", **environment)
        words = reversed(facts["lambdas"].split())
        done = subprocess.run(
            [sys.executable, "-m", "buildlib", "build", "-j", cores, *words],
            cwd=one.root,
            env=one.environment,
            umask=umask if os.name == "posix" else -1,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return one

    with ThreadPoolExecutor() as pool:
        built = list(pool.map(build, jobs))
    assert len(built) == number
    last = clone(many, "last", UV_INDEX_URL=DEAD)
    shown = last.lambdas("merge", *reversed(folders(built)))
    assert shown.output == f"{VARIANTS} merged from {number} shards\n"
    assert content(last) == content(local)
    assert last.lambdas("build").output.endswith(f"{VARIANTS} unchanged\n")
    assert last.doit().ran == []
    assert not (last.root / "build/env").exists()
    assert content(last) == content(local)
    assert "up to date" in last.lambdas("why", "api").output


def test_shards_meet_in_a_cache(many: Repository) -> None:
    """With one cache for all jobs, the last one takes each ZIP from there, and installs nothing."""
    shared = {"LAMBDA_ZIP_CACHE": str(many.root.parent / "cache")}
    local = clone(many, "local")
    local.lambdas("build")
    for job in matrix(many, 3):
        one = clone(many, f"shard {job['shard']}", **shared)
        one.lambdas("build", *job["lambdas"].split())
    last = clone(many, "last", UV_INDEX_URL=DEAD, **shared)
    assert f"{VARIANTS} from the cache" in last.lambdas("build").output
    assert content(last) == content(local)
    assert not (last.root / "build/env").exists()


def test_a_merge_is_the_first_memory_of_a_checkout(
    many: Repository, shards: list[Repository]
) -> None:
    """After a merge, an edit rebuilds one function, and its revert builds nothing."""
    last = clone(many, "last")
    last.lambdas("merge", *folders(shards))
    source = (last.root / "lambdas/tick/app.py").read_text()
    last.write({"lambdas/tick/app.py": f"{source}X = 1\n"})
    assert "1 built, 8 unchanged" in last.lambdas("build").output
    last.write({"lambdas/tick/app.py": source})
    assert "1 from the cache, 8 unchanged" in last.lambdas("build").output


def test_shards_of_the_present_build_only_complete_it(
    many: Repository, shards: list[Repository]
) -> None:
    """ZIPs that are up to date here need no shard, and a second merge publishes nothing."""
    last = clone(many, "last")
    first, *others = shards
    last.lambdas("build", *shard.read(first.root / "dist"))
    expected = VARIANTS - len(shard.read(first.root / "dist"))
    output = last.lambdas("merge", *folders(others)).output
    assert output == f"{expected} merged from 2 shards, {VARIANTS - expected} unchanged\n"
    again = last.lambdas("merge", *folders(shards)).output
    assert again == f"0 merged from 3 shards, {VARIANTS} unchanged\n"
    before = content(last)
    (last.root / "dist/lambdas.json").unlink()
    (last.root / "dist/base.zip.sha256").unlink()
    last.lambdas("merge", *folders(shards))
    assert content(last) == before


def test_a_doubled_shard(many: Repository, shards: list[Repository]) -> None:
    """The same ZIPs twice, as from a job that ran again, are no problem."""
    last = clone(many, "last")
    last.lambdas("merge", *folders(shards), *folders(shards[:1]))


def test_a_dist_with_earlier_zips(many: Repository, shards: list[Repository]) -> None:
    """ZIPs that a shard's dist/ has from earlier builds are not taken from it."""
    for path in (shards[1].root / "dist").glob("*.zip"):
        shutil.copy(path, shards[0].root / "dist" / path.name)
        path.write_bytes(b"earlier")
    last = clone(many, "last")
    result = last.lambdas("merge", *folders(shards), code=1)
    assert "shard 1" not in result.errors
    assert "damaged" in result.errors


def test_paths_are_those_of_the_user(many: Repository, shards: list[Repository]) -> None:
    """FOLDER is relative to the directory in which the command runs."""
    last = clone(many, "last")
    for one in shards:
        shutil.copytree(one.root / "dist", last.root / "lambdas/parts" / one.root.name)
    names = [f"parts/{one.root.name}" for one in shards]
    last.lambdas("merge", *names, folder="lambdas")


# -- nothing is published --------------------------------------------------------------------------


def refused(last: Repository, *names: str) -> str:
    """Return the message of a merge that must fail, and must leave dist/ as it was."""
    before = content(last) if (last.root / "dist").exists() else None
    result = last.lambdas("merge", *names, code=1)
    assert (content(last) if (last.root / "dist").exists() else None) == before
    assert "Nothing was published.\nMore: lambdas errors shards\n" in result.errors
    return result.errors


def test_a_missing_shard(many: Repository, shards: list[Repository]) -> None:
    """The message names each variant that no shard has."""
    message = refused(clone(many, "last"), *folders(shards[1:]))
    missing = shard.read(shards[0].root / "dist")
    (line,) = [line for line in message.splitlines() if "no shard has a ZIP of" in line]
    assert set(line.partition(" of ")[2].split(", ")) == set(missing)


def test_a_shard_that_failed(many: Repository, shards: list[Repository]) -> None:
    """A shard whose build failed halfway is refused, although some of its ZIPs are there."""
    first = shards[0]
    (name, *_) = shard.read(first.root / "dist")
    function = name.partition("-")[0]
    place = f"lambdas/{function}/app.py"
    if function == "base":
        pytest.fail("the first shard should have a function")
    first.write({place: "def handler(:\n"})
    first.lambdas("build", *shard.read(first.root / "dist"), code=1)
    assert list((first.root / "dist").glob("*.zip"))
    message = refused(clone(many, "last"), *folders(shards))
    assert f"{first.root / 'dist'}: no shard.json, which 'lambdas build NAME...' writes" in message
    assert "no shard has a ZIP of" in message


def test_a_damaged_zip(many: Repository, shards: list[Repository]) -> None:
    """A ZIP that lost or changed a byte on its way is named, and so is one that did not arrive."""
    one, other, *_ = sorted((shards[0].root / "dist").glob("*.zip"))
    one.write_bytes(one.read_bytes()[:-1] + b"x")
    other.unlink()
    message = refused(clone(many, "last"), *folders(shards))
    assert f"{one}: damaged; expected sha256 " in message
    assert f"{other}: missing or unreadable" in message
    assert "no shard has" not in message


def test_shards_of_another_commit(many: Repository, shards: list[Repository]) -> None:
    """A ZIP of other code, other dependencies or an undeclared function is refused by its name."""
    last = clone(many, "last")
    manifest = MANIFEST.replace("tock: {handler: app.handler}", "tuck: {handler: app.handler}")
    last.write({
        "lambdas.yaml": manifest,
        "lambdas/tuck/app.py": HANDLER,
        "lambdas/tick/app.py": "def handler(event, context): ...\n",
        "lambdas/api/requirements.txt": "alpha\n",
    })  # fmt: skip
    last.lambdas("lock", "api")
    message = refused(last, *folders(shards))
    assert "tick.zip: built from other sources or options than those here" in message
    assert "api.zip: built from other dependencies than those here" in message
    assert "lambdas.yaml here does not declare tock of " in message
    assert "no shard has a ZIP of tuck\n" in message
    assert len(message.splitlines()) == 6


def test_two_results_of_one_key(many: Repository, shards: list[Repository]) -> None:
    """Different ZIPs for the same inputs are an alarm that names both."""
    other = many.root.parent / "other"
    shutil.copytree(shards[0].root / "dist", other)
    built = shard.read(other)
    name = next(iter(built))
    foreign, facts = next(iter(shard.read(shards[1].root / "dist").items()))
    shutil.copy(shards[1].root / f"dist/{foreign}.zip", other / f"{name}.zip")
    sha256 = facts.sha256
    write(other, built | {name: built[name]._replace(sha256=sha256)})
    last = clone(many, "last")
    message = refused(last, *folders(shards), str(other))
    assert f"{name}: the same inputs gave different ZIPs: " in message
    assert f"{other / name}.zip has sha256 {sha256}" in message
    assert f"{shards[0].root / 'dist' / name}.zip has sha256 {built[name].sha256}" in message
    last.lambdas("build", name)
    assert f"dist/{name}.zip has sha256 {built[name].sha256}" in refused(last, str(other))


def write(folder: Path, built: dict[str, shard.Built]) -> None:
    """Write the keys of a shard into a folder."""
    root = folder.parent / "elsewhere"
    shard.write(Layout(root), built)
    shutil.copy(Layout(root).shard, folder)


def test_a_recorded_hash(many: Repository, shards: list[Repository]) -> None:
    """A ZIP with another hash than lambdas.hashes.json has for its key is refused."""
    last = clone(many, "last")
    last.lambdas("record")
    path = last.root / "lambdas.hashes.json"
    record = json.loads(path.read_text())
    sha256 = record["tick"]["sha256"]
    record["tick"] = record["tock"] | {"key": record["tick"]["key"]}
    path.write_text(json.dumps(record))
    shutil.rmtree(last.root / "dist")
    shutil.rmtree(last.root / "build")
    assert f"this build gave {sha256}" in refused(last, *folders(shards))


def test_a_zip_that_changes_after_its_check(many: Repository, shards: list[Repository]) -> None:
    """A file is hashed again when it is here, and is not published if it changed."""
    project = Project(clone(many, "last").root)
    folder = next(one.root / "dist" for one in shards if (one.root / "dist/tick.zip").exists())
    built = shard.read(folder)["tick"]
    path = folder / "tick.zip"
    path.write_bytes(b"another")
    with pytest.raises(MergeError, match=r"tick\.zip: changed while it was copied"):
        run.adopt(project, project.variants["tick"], path, built.sha256)
    assert not [*project.layout.dist.iterdir()]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-3]),
        lambda path: path.write_text("{}"),
        lambda path: path.write_bytes(path.read_bytes().replace(b'"format":1', b'"format":2')),
    ],
)
def test_a_damaged_list_of_keys(
    many: Repository, shards: list[Repository], damage: Callable[[Path], object]
) -> None:
    """A list of keys that was cut off or edited, or that another version wrote, is refused."""
    damage(shards[0].root / "dist/shard.json")
    message = refused(clone(many, "last"), *folders(shards))
    assert f"{shards[0].root / 'dist/shard.json'}: damaged, or of another version of" in message


def test_no_folder(many: Repository) -> None:
    """A folder that does not exist, as from a pattern that matches nothing, is named."""
    assert "shards/*: no such folder; name the dist/ of a shard" in refused(many, "shards/*")


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "A", "a.zip"])
def test_names_that_are_no_ids(tmp_path: Path, name: str) -> None:
    """A list of keys can name no file but ZIPs of variants, even if its author sealed it."""
    digest = "a" * 64
    write(tmp_path, {name: shard.Built(digest, digest, digest, {})})
    with pytest.raises(Exception, match="damaged"):
        shard.read(tmp_path)


# -- dist/shard.json -------------------------------------------------------------------------------


def test_only_a_build_of_names_leaves_keys(many: Repository) -> None:
    """They are those of this build, and go with the next build, its failure, and `clean`."""
    path = many.root / "dist/shard.json"
    many.lambdas("build", "tick", "jobs-py3.12-arm64")
    assert shard.read(path.parent).keys() == {"tick", "jobs-py3.12-arm64"}
    many.lambdas("build", "tick")
    assert shard.read(path.parent).keys() == {"tick"}
    many.lambdas("build", "tick", "--dry-run")
    assert path.exists()
    many.write({"lambdas/tock/app.py": "def handler(:\n"})
    many.lambdas("build", "tock", code=1)
    assert not path.exists()
    many.lambdas("build", "tick")
    assert path.exists()
    many.write({"lambdas/tock/app.py": HANDLER})
    many.lambdas("build")
    assert not path.exists()
    many.lambdas("build", "tick")
    many.lambdas("clean", "tick")
    assert not path.exists()
    many.lambdas("build", "tick")
    many.lambdas("clean")
    assert not (many.root / "dist").exists()


# -- the matrix ------------------------------------------------------------------------------------


def test_the_same_on_every_machine(many: Repository) -> None:
    """Without recorded times, the matrix depends on the committed files alone."""
    found = {
        clone(many, name, TZ=zone, PYTHONHASHSEED=seed).lambdas("shards", "3").output
        for name, zone, seed in (("x", "UTC", "1"), ("a b", "America/Lima", "2"))
    }
    assert len(found) == 1
    every = [name for job in json.loads(found.pop())["include"] for name in job["lambdas"].split()]
    assert len(every) == len(set(every))


def test_times_travel_with_shards(many: Repository, shards: list[Repository]) -> None:
    """After a merge, the next split is balanced by the times of the shards."""
    last = clone(many, "last")
    before = answer(last.lambdas("shards", "3", "--json").output)
    assert before["basis"] == {"recorded": 0, "estimated": VARIANTS}
    last.lambdas("merge", *folders(shards))
    result = last.lambdas("shards", "3", "--json")
    assert answer(result.output)["basis"] == {"recorded": VARIANTS, "estimated": 0}
    assert "Expected durations are the recorded times" in result.errors
    times.note(Layout(last.root), "zip", "tick", ("a" * 64, 99.0))
    (alone,) = [job for job in matrix(last, 3) if "tick" in job["lambdas"].split()]
    assert alone["lambdas"] == "tick"
    assert alone["shard"] == 1


def test_the_json_names_what_it_is_for(many: Repository) -> None:
    """`--json` has the variants of each shard; its `lambdas` build just these."""
    found = answer(many.lambdas("shards", "9", "--json").output)["shards"]
    assert [one["shard"] for one in found] == [*range(1, len(found) + 1)]
    variants = [name for one in found for name in one["variants"]]
    assert sorted(variants) == sorted(f"{name}" for name in _ids(many))
    for one in found:
        listed = answer(many.lambdas("list", "--json", *one["lambdas"].split()).output)
        assert {entry["id"] for entry in listed["variants"]} == set(one["variants"])


def _ids(repository: Repository) -> list[str]:
    return [one["id"] for one in answer(repository.lambdas("list", "--json").output)["variants"]]


def test_jobs_of_gitlab(many: Repository) -> None:
    """The jobs are YAML; without a label they have no tags, and values are strings."""
    jobs = yaml.safe_load(many.lambdas("shards", "2", "--format", "gitlab").output)
    assert [*jobs] == ["lambdas 1/2", "lambdas 2/2"]
    for number, job in enumerate(jobs.values(), 1):
        assert job.keys() == {"extends", "variables"}
        assert job["variables"]["SHARD"] == str(number)
    names = [name for job in jobs.values() for name in job["variables"]["LAMBDAS"].split()]
    assert names == [name for one in matrix(many, 2) for name in one["lambdas"].split()]
    options = ("--format", "gitlab", "--runner", "linux,large")
    (job, *_) = yaml.safe_load(many.lambdas("shards", "2", *options).output).values()
    assert job["tags"] == ["linux", "large"]


BOXED = f"install: docker, docker: {{image: 'example.com/lambda@sha256:{'a' * 64}'}}"


@pytest.fixture
def boxed(many: Repository) -> Repository:
    """Give a repository with functions that need an engine, one of them for its layer."""
    many.write({
        "lambdas.yaml": (
            "version: 1\nlambdas:\n"
            f"  api: {{handler: app.handler, architecture: [x86_64, arm64], {BOXED}}}\n"
            "  jobs: {handler: app.handler, architecture: [x86_64, arm64]}\n"
            "  mail: {handler: app.handler, layers: [base], architecture: arm64}\n"
            f"layers:\n  base: {{requirements: layers/base.txt, architecture: arm64, {BOXED}}}\n"
        ),
    })  # fmt: skip
    many.lambdas("lock")
    return many


def test_runners(boxed: Repository) -> None:
    """Containers for arm64 go to an arm64 runner, with functions whose layer is one; wheels do not.

    Functions for one runner may share a shard with others; `docker` says whether one needs it.
    """
    found = {
        variant: (one["runner"], one["docker"])
        for one in answer(boxed.lambdas("shards", "9", "--json").output)["shards"]
        for variant in one["variants"]
    }
    arm = (["ubuntu-24.04-arm"], True)
    assert found["api-py3.13-arm64"] == found["mail"] == found["base"] == arm
    assert found["api-py3.13-x86_64"] == (["ubuntu-latest"], True)
    assert found["jobs-py3.13-arm64"] == found["jobs-py3.13-x86_64"] == (["ubuntu-latest"], False)
    one = answer(boxed.lambdas("shards", "1", "--json").output)["shards"]
    assert len(one) == 2


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ((), {"ubuntu-latest", "ubuntu-24.04-arm"}),
        (("--runner", "docker-arm64=qemu"), {"ubuntu-latest", "qemu"}),
        (("--runner", "big"), {"big"}),
        (("--runner", "docker-x86_64=box", "--runner", "big"), {"big", "box"}),
        (("--runner", "docker-arm64=ubuntu-latest"), {"ubuntu-latest"}),
    ],
)
def test_labels_of_runners(boxed: Repository, options: tuple[str, ...], labels: set[str]) -> None:
    """A label is for one need, or for all that have none; needs with the same one share shards."""
    jobs = json.loads(boxed.lambdas("shards", "3", *options).output)["include"]
    assert {job["runner"] for job in jobs} == labels
    assert len(jobs) == 3


def test_several_labels(boxed: Repository) -> None:
    """Labels separated by commas are a list, as `runs-on` takes it."""
    jobs = json.loads(boxed.lambdas("shards", "1", "--runner", "self-hosted,linux").output)
    assert jobs["include"][0]["runner"] == ["self-hosted", "linux"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("0",), "0 is not in the range 1<=x<=256"),
        (("257",), "257 is not in the range 1<=x<=256"),
        (("2", "--runner", "docker-arm=x"), "no need 'docker-arm'; did you mean 'docker-arm64'?"),
        (("2", "--runner", "wheels="), "'wheels=' has no label; expected LABEL or NEED=LABEL"),
        (("2", "--format", "jenkins"), "'jenkins' is not one of 'github', 'gitlab'"),
    ],
)
def test_wrong_options(many: Repository, arguments: tuple[str, ...], message: str) -> None:
    """A mistake on the command line names the allowed values."""
    assert message in many.lambdas("shards", *arguments, code=2).errors


def test_missing_locks(many: Repository) -> None:
    """Without lockfiles there are no environments to balance: all of them are named."""
    for name in ("api", "jobs"):
        (many.root / f"lambdas/{name}/requirements.lock").unlink()
    errors = many.lambdas("shards", "2", code=1).errors
    assert "lambdas/api/requirements.lock" in errors
    assert "lambdas/jobs/requirements.lock" in errors
    assert "More: lambdas errors lock-missing" in errors
