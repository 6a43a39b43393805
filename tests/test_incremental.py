"""Which changes rebuild what, with the real doit in a real repository."""

import io
import os
import shutil
import time
import zipfile
from pathlib import Path

import pytest

from buildlib.files import records
from tests.conftest import HANDLER, Index, Repository

APP = "lambdas/api/app.py"
STEPS = ("venv", "stage", "touch", "zip")


def same_stat_edit(path: Path, old: bytes, new: bytes) -> None:
    """Change a file's content without changing its size or mtime."""
    assert len(old) == len(new)
    status = path.stat()
    path.write_bytes(path.read_bytes().replace(old, new))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_nothing_changed_nothing_runs(dependent: Repository) -> None:
    """A second run executes no task, reports that, and leaves every byte of dist/ alone."""
    first = dependent.doit()
    assert {"lock:api", "venv:api", "stage:api", "touch:api", "zip:api"} <= set(first.ran)
    before = {path: path.stat().st_mtime_ns for path in (dependent.root / "dist").iterdir()}
    second = dependent.doit()
    assert second.ran == []
    assert second.output == "3 unchanged\n"
    assert before == {path: path.stat().st_mtime_ns for path in (dependent.root / "dist").iterdir()}


def test_same_size_edit_under_the_same_mtime_rebuilds(repository: Repository) -> None:
    """An edit that keeps size and mtime is noticed, even long after the file was hashed."""
    long_ago = 1_500_000_000
    os.utime(repository.root / APP, (long_ago, long_ago))
    repository.doit()
    repository.doit()
    same_stat_edit(repository.root / APP, b"return event", b"return 12345")
    assert "zip:api" in repository.doit().ran
    assert b"return 12345" in repository.members("api")["app.py"]


def test_touch_rebuilds_nothing(dependent: Repository) -> None:
    """New mtimes on every input, as after a checkout, execute no task."""
    dependent.doit()
    for path in (*dependent.root.glob("lambdas/**/*"), *dependent.root.glob("*.*")):
        os.utime(path)
    assert dependent.doit().ran == []


def test_chmod_rebuilds_nothing(repository: Repository) -> None:
    """Modes are not inputs, because every staged file has the same mode."""
    repository.doit()
    (repository.root / APP).chmod(0o700)
    assert repository.doit().ran == []


def test_edit_installs_nothing(dependent: Repository) -> None:
    """An edit of the code runs stage, touch and zip of that function only."""
    dependent.doit()
    dependent.write({APP: HANDLER + "\n# edited\n"})
    assert dependent.doit().ran == ["stage:api", "touch:api", "zip:api"]


def test_edit_copies_no_dependency(dependent: Repository) -> None:
    """An edit of the code keeps the staged files and the compressed members of dependencies."""
    dependent.doit()
    staged = dependent.root / "build/stage/api/alpha/data.txt"
    packs = sorted(dependent.root.glob("build/cache/packs-v1/*/*.pack"))
    before = [(path.stat().st_ino, path.stat().st_ctime_ns) for path in (staged, *packs)]
    dependent.write({APP: HANDLER + "\n# edited\n"})
    dependent.doit()
    assert before == [(path.stat().st_ino, path.stat().st_ctime_ns) for path in (staged, *packs)]


@pytest.mark.parametrize(
    "change",
    [
        {"app.py": HANDLER + "# edited\n"},
        {"new.py": "N = 1\n", "zz/last.py": "Z = 1\n"},
        {"pkg/a.py": None},
        {"app.py": HANDLER + "# edited\n", "pkg/a.py": None, "pkg/c.py": "A = 1\n"},
        {"requirements.txt": "alpha\n"},
        {"requirements.txt": "alpha\n", "beta.py": "NOW = 'ours'"},
        {"requirements.txt": "beta\ngamma\n", "app.py": HANDLER + "# edited\n"},
    ],
)
@pytest.mark.parametrize("compression", ["deflate", "stored"])
def test_what_is_taken_over_changes_no_byte(
    dependent: Repository, index: Index, change: dict[str, str | None], compression: str
) -> None:
    """A ZIP built from the previous ZIP has the same bytes as one built from scratch."""
    index.add("gamma", files={"gamma.py": "G = 1\n", "alpha/extra.txt": "more"})
    text = (dependent.root / "lambdas.yaml").read_text()
    option = f"app.handler\n    compression: {compression}\n"
    dependent.write({"lambdas.yaml": text.replace("app.handler\n", option, 1)})
    dependent.write({"lambdas/api/pkg/a.py": "A = 1\n", "lambdas/api/pkg/b.py": "B = 1\n"})
    dependent.doit("hash:api")
    for name, content in change.items():
        path = dependent.root / "lambdas/api" / name
        if content is None:
            path.unlink()
        else:
            dependent.write({f"lambdas/api/{name}": content})
    dependent.doit("hash:api")
    after = (dependent.root / "dist/api.zip").read_bytes()
    shutil.rmtree(dependent.root / "build")
    shutil.rmtree(dependent.root / "dist")
    dependent.doit("hash:api")
    assert (dependent.root / "dist/api.zip").read_bytes() == after


@pytest.mark.parametrize(
    "damaged",
    [
        "dist/api.zip",
        "build/zip/api.json",
        "build/zip/api.dependencies.json",
        "build/stage/api.dependencies.json",
    ],
)
@pytest.mark.parametrize(
    "change", [{APP: HANDLER + "# edited\n"}, {"lambdas/api/requirements.txt": "alpha\n"}]
)
def test_nothing_damaged_is_taken_over(
    dependent: Repository, damaged: str, change: dict[str, str]
) -> None:
    """Members of the previous ZIP are reused only if the ZIP and its records are intact."""
    dependent.doit("hash:api")
    path = dependent.root / damaged
    content = path.read_bytes()
    same_stat_edit(path, content[40:44], bytes(byte ^ 1 for byte in content[40:44]))
    dependent.write(change)
    dependent.doit("hash:api")
    after = (dependent.root / "dist/api.zip").read_bytes()
    shutil.rmtree(dependent.root / "build")
    shutil.rmtree(dependent.root / "dist")
    dependent.doit("hash:api")
    assert (dependent.root / "dist/api.zip").read_bytes() == after


def add_with_a_wrong_record(index: Index, version: str, files: dict[str, str], old: str) -> None:
    """Publish a patched wheel whose RECORD still has the digest of the original corp/a.py."""
    index.add("corp", version, files=files | {"corp/a.py": old})
    name = f"corp-{version}-py3-none-any.whl"
    content = io.BytesIO()
    before = zipfile.ZipFile(io.BytesIO(index.files[name]))
    with before, zipfile.ZipFile(content, "w") as after:
        for path in before.namelist():
            after.writestr(path, files.get(path, before.read(path)))
    index.files[name] = content.getvalue()


@pytest.mark.parametrize("compression", ["deflate", "stored"])
@pytest.mark.parametrize("is_lost", [False, True])
def test_a_patched_wheel_after_the_plain_one(
    dependent: Repository, index: Index, compression: str, is_lost: bool
) -> None:
    """A wheel's outdated RECORD does not bring back the file's earlier content."""
    index.add("corp", files={"corp/a.py": "A = 1\n"})
    add_with_a_wrong_record(index, "1.1", {"corp/a.py": "A = 2\n"}, "A = 1\n")
    text = (dependent.root / "lambdas.yaml").read_text()
    option = f"app.handler\n    compression: {compression}\n"
    dependent.write(
        {
            "lambdas.yaml": text.replace("app.handler\n", option, 1),
            "lambdas/api/requirements.txt": "corp==1.0\n",
        }
    )
    dependent.doit("hash:api")
    if is_lost:
        (dependent.root / "dist/api.zip").unlink()
    dependent.write({"lambdas/api/requirements.txt": "corp==1.1\n"})
    dependent.doit("hash:api")
    assert dependent.members("api")["corp/a.py"] == b"A = 2\n"


def test_a_patched_wheel_beside_the_plain_file(dependent: Repository, index: Index) -> None:
    """Files with equal digests in RECORD keep their contents, though only one is compressed."""
    files = {"corp/a.py": "A = 2\n", "corp/z.py": "A = 1\n"}
    add_with_a_wrong_record(index, "1.0", files, "A = 1\n")
    dependent.write({"lambdas/api/requirements.txt": "corp\n"})
    dependent.doit("hash:api")
    assert dependent.members("api")["corp/a.py"] == b"A = 2\n"


def test_a_name_changes_hands(dependent: Repository, index: Index) -> None:
    """An `__init__.py` that a dependency ships too may change only once that dependency is gone."""
    index.add("corp", files={"corp/__init__.py": "", "corp/lib.py": "L = 1\n"})
    dependent.write({"lambdas/api/requirements.txt": "corp\n", "lambdas/api/corp/__init__.py": ""})
    dependent.doit("zip:api")
    dependent.write({APP: HANDLER + "# edited\n"})
    dependent.doit("zip:api")
    assert dependent.members("api")["corp/__init__.py"] == b""
    dependent.write({"lambdas/api/corp/__init__.py": "mine"})
    assert "both become 'corp/__init__.py'" in dependent.fails("zip:api").output
    dependent.write({"lambdas/api/requirements.txt": "alpha\n"})
    dependent.doit("zip:api")
    assert dependent.members("api")["corp/__init__.py"] == b"mine"
    assert "corp/lib.py" not in dependent.members("api")


def test_added_removed_and_renamed_files(repository: Repository) -> None:
    """Added, removed and renamed files are noticed, in the sources and in the staged tree."""
    repository.doit()
    repository.write({"lambdas/api/pkg/new.py": "N = 1\n"})
    assert "zip:api" in repository.doit().ran
    assert set(repository.members("api")) == {"app.py", "pkg/new.py"}
    (repository.root / "lambdas/api/pkg/new.py").rename(repository.root / "lambdas/api/pkg/two.py")
    assert "zip:api" in repository.doit().ran
    assert set(repository.members("api")) == {"app.py", "pkg/two.py"}
    shutil.rmtree(repository.root / "lambdas/api/pkg")
    repository.doit()
    assert set(repository.members("api")) == {"app.py"}
    repository.write({APP: HANDLER + "# edited\n"})
    assert "zip:api" in repository.doit().ran
    assert not (repository.root / "build/stage/api/pkg").exists()


def test_a_file_that_becomes_a_folder(repository: Repository) -> None:
    """A file may become a folder of the same name, and a file again."""
    repository.write({"lambdas/api/thing": "a file"})
    repository.doit()
    (repository.root / "lambdas/api/thing").unlink()
    repository.write({"lambdas/api/thing/inner": "in a folder"})
    repository.doit()
    assert set(repository.members("api")) == {"app.py", "thing/inner"}
    shutil.rmtree(repository.root / "lambdas/api/thing")
    repository.write({"lambdas/api/thing": "a file again"})
    repository.doit()
    assert repository.members("api")["thing"] == b"a file again"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("python", "'3.12'"),
        ("architecture", "arm64"),
        ("compression", "stored"),
        ("exclude", "['*.txt']"),
        ("handler", "app.other"),
    ],
)
def test_a_changed_option_rebuilds(repository: Repository, key: str, value: str) -> None:
    """Every option that can affect the artifact or its index entry is an input."""
    repository.write({APP: HANDLER + "other = handler\n", "lambdas/api/a.txt": "text " * 99})
    repository.doit()
    manifest = f"version: 1\nlambdas:\n  api:\n    {key}: {value}\n"
    if key != "handler":
        manifest += "    handler: app.handler\n"
    repository.write({"lambdas.yaml": manifest})
    assert "zip:api" in repository.doit().ran
    repository.sha256()


def test_a_comment_in_the_manifest_rebuilds_nothing(dependent: Repository) -> None:
    """Only the meaning of the manifest is an input, not its formatting."""
    dependent.doit()
    text = (dependent.root / "lambdas.yaml").read_text()
    dependent.write({"lambdas.yaml": "# a comment\n" + text.replace("['*.md']", '\n    - "*.md"')})
    assert dependent.doit().ran == []


def test_a_changed_requirement_relocks_and_keeps_other_pins(
    dependent: Repository, index: Index
) -> None:
    """An edit of requirements.txt updates the lock, and keeps pins that still fit."""
    dependent.doit()
    index.add("alpha", "2.0", files={"alpha/__init__.py": "A = 2\n"})
    index.add("gamma", "3.0")
    dependent.write({"lambdas/api/requirements.txt": "beta\ngamma\n"})
    ran = dependent.doit().ran
    assert ran == ["lock:api", "venv:api", "stage:api", "touch:api", "zip:api"]
    lock = (dependent.root / "lambdas/api/requirements.lock").read_text()
    assert "alpha==1.0" in lock
    assert "gamma==3.0" in lock
    assert "gamma.py" in dependent.members("api")


def test_naming_a_lock_takes_newer_versions(dependent: Repository, index: Index) -> None:
    """`doit lock:<name>` resolves again, although the lock is up to date."""
    index.max_age = 600  # as PyPI
    dependent.doit()
    index.add("alpha", "2.0", files={"alpha/__init__.py": "A = 2\n"})
    assert dependent.doit("lock:api", "--upgrade").ran == ["lock:api"]
    assert "alpha==2.0" in (dependent.root / "lambdas/api/requirements.lock").read_text()
    assert dependent.doit("zip:api").ran == ["venv:api", "stage:api", "touch:api", "zip:api"]
    assert dependent.members("api")["alpha/__init__.py"] == b"A = 2\n"


def test_a_fresh_clone_resolves_nothing(dependent: Repository, index: Index) -> None:
    """With the committed lock, a checkout without build/ does not lock, and gives the same ZIPs."""
    dependent.doit()
    before = dependent.sha256()
    index.add("alpha", "2.0", files={"alpha/__init__.py": "A = 2\n"})
    clone = Repository(dependent.root.parent / "clone", dependent.environment)
    shutil.copytree(
        dependent.root, clone.root, ignore=shutil.ignore_patterns("build", "dist", "__pycache__")
    )
    assert not any(task.startswith("lock:") for task in clone.doit().ran)
    assert clone.sha256() == before


def test_reverting_gives_the_earlier_bytes(repository: Repository) -> None:
    """Reverting an edit gives the earlier sha256."""
    repository.doit()
    before = repository.sha256()
    repository.write({APP: HANDLER + "# edited\n"})
    repository.doit()
    assert repository.sha256() != before
    repository.write({APP: HANDLER})
    repository.doit()
    assert repository.sha256() == before


def test_a_deleted_or_damaged_zip_comes_back(repository: Repository) -> None:
    """A ZIP is checked by its content: a missing or damaged one is built again."""
    repository.doit()
    before = repository.sha256()
    path = repository.root / "dist/api.zip"
    path.unlink()
    repository.doit()
    assert repository.sha256() == before
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    status = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    repository.doit()
    assert repository.sha256() == before


@pytest.mark.parametrize("lost", ["dist/api.zip.sha256", "dist/lambdas.json"])
def test_a_lost_description_comes_back(repository: Repository, lost: str) -> None:
    """A missing checksum or index is written again, without building."""
    repository.doit()
    before = repository.sha256()
    (repository.root / lost).unlink()
    assert repository.doit().ran == ["hash:api"]
    assert repository.sha256() == before


@pytest.mark.parametrize("name", ["app.py", "helper.py"])
def test_a_deleted_staged_file_is_never_shipped_without(repository: Repository, name: str) -> None:
    """A damaged staged tree is repaired before the next ZIP."""
    repository.write({"lambdas/api/helper.py": "H = 1\n"})
    repository.doit()
    (repository.root / "build/stage/api" / name).unlink()
    repository.write({APP: HANDLER + "# edited\n"})
    repository.doit()
    assert set(repository.members("api")) == {"app.py", "helper.py"}


def test_a_changed_staged_file_is_never_shipped(repository: Repository) -> None:
    """A staged file of the right size and mtime but other content does not reach the ZIP."""
    repository.write({"lambdas/api/helper.py": "H = 1\n"})
    repository.doit()
    staged = repository.root / "build/stage/api/helper.py"
    same_stat_edit(staged, b"H = 1", b"H = 2")
    shutil.rmtree(repository.root / "build/cache")
    repository.write({APP: HANDLER + "# edited\n"})
    repository.doit()
    assert repository.members("api")["helper.py"] == b"H = 1\n"


def test_a_changed_environment_is_never_shipped(dependent: Repository) -> None:
    """A modified installed file, to which the staged tree links, is reinstalled."""
    dependent.doit()
    installed = next(dependent.root.glob("build/env/*/tree/alpha/__init__.py"))
    same_stat_edit(installed, b"A = 1", b"A = 9")
    shutil.rmtree(dependent.root / "build/cache")
    dependent.write({APP: HANDLER + "# edited\n"})
    dependent.doit()
    assert dependent.members("api")["alpha/__init__.py"] == b"A = 1\n"


def test_a_damaged_cache_is_never_shipped(dependent: Repository) -> None:
    """A modified file in uv's cache is noticed, and the package is downloaded again."""
    dependent.doit("zip:api")
    cache = Path(dependent.environment["UV_CACHE_DIR"])
    installed = next(dependent.root.glob("build/env/*/tree/alpha/__init__.py"))
    cached = [path for path in cache.rglob("__init__.py") if path.samefile(installed)]
    assert len(cached) == 1  # linked, not copied
    cached[0].write_text("A = 9\n")
    dependent.doit("clean")
    assert (
        "the installer's cache is damaged (alpha/__init__.py)" in dependent.doit("zip:api").output
    )
    assert dependent.members("api")["alpha/__init__.py"] == b"A = 1\n"
    shutil.rmtree(cache)


def test_a_cache_that_uv_refuses(dependent: Repository) -> None:
    """A package is also downloaded again if the damage stops uv itself."""
    dependent.doit("zip:api")
    before = dependent.sha256()
    path = next(dependent.root.glob("build/env/*/tree/alpha-*.dist-info/METADATA"))
    path.write_text("damaged")
    dependent.doit("clean")
    dependent.doit("hash:api")
    assert dependent.sha256() == before
    shutil.rmtree(dependent.environment["UV_CACHE_DIR"])


@pytest.mark.parametrize("gone", ["stage", "env", "cache", "zip", "digests.json"])
def test_any_part_of_build_may_be_deleted(dependent: Repository, gone: str) -> None:
    """Any part of build/ can be lost at any time; the next change still gives the right bytes."""
    dependent.doit()
    dependent.write({APP: HANDLER + "# edited\n"})
    path = dependent.root / "build" / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    dependent.doit()
    after = dependent.sha256()
    shutil.rmtree(dependent.root / "build")
    shutil.rmtree(dependent.root / "dist")
    dependent.doit()
    assert dependent.sha256() == after


def test_a_removed_function_leaves_nothing_stale(dependent: Repository) -> None:
    """A function removed from the manifest is removed from the index and from dist/."""
    dependent.doit()
    manifest = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"
    dependent.write({"lambdas.yaml": manifest})
    dependent.doit()
    assert set(dependent.sha256()) == {"api"}
    assert {path.name for path in (dependent.root / "dist").iterdir()} == {
        "api.zip", "api.zip.sha256", "lambdas.json",
    }  # fmt: skip


def test_zip_alone_keeps_dist_true(repository: Repository) -> None:
    """`doit zip:<id>` updates the checksum and the index together with the ZIP."""
    repository.doit("zip:api")
    repository.sha256()
    repository.write({APP: HANDLER + "# edited\n"})
    repository.doit("zip:api")
    repository.sha256()


def test_functions_with_equal_dependencies_share_an_environment(dependent: Repository) -> None:
    """Equal pins for an equal target are installed once, also in parallel."""
    dependent.write({
        "lambdas.yaml": (
            "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"
            "  jobs:\n    handler: app.handler\n"
        ),
        "lambdas/jobs/requirements.txt": "beta\n",
    })  # fmt: skip
    dependent.doit("-n", "2", "-P", "process")
    assert len(list(dependent.root.glob("build/env/*/record.json"))) == 1
    logs = "".join(path.read_text() for path in dependent.root.glob("build/logs/venv-*.log"))
    assert logs.count("pip install") <= 2  # offline first, then online, for one installation


def test_forget_makes_a_task_run_again(repository: Repository) -> None:
    """`doit forget` does what doit users expect, for one task and for all."""
    repository.doit()
    before = repository.sha256()
    repository.doit("forget", "zip:api")
    assert repository.doit().ran == ["zip:api"]
    repository.doit("forget", "--all")
    assert "zip:api" in repository.doit().ran
    assert repository.sha256() == before


def test_a_mistake_that_is_taken_back(repository: Repository) -> None:
    """After a failure, reverting the inputs makes everything up to date again."""
    repository.doit()
    before = repository.sha256()
    text = (repository.root / "lambdas.yaml").read_text()
    repository.write({"lambdas.yaml": text.replace("app.handler", "app.main")})
    repository.doit(code=1)
    repository.doit(code=1)
    repository.write({"lambdas.yaml": text})
    # The index says that the ZIP was stale, which is all that there is to correct.
    assert "hash will run: its entry in dist/lambdas.json" in repository.doit("why").output
    assert repository.doit().ran == ["hash:api"]
    assert repository.doit().ran == []
    assert repository.sha256() == before


def test_always_execute(dependent: Repository) -> None:
    """`doit -a` runs every task and gives the same bytes."""
    dependent.doit()
    before = dependent.sha256()
    ran = dependent.doit("-a").ran
    assert {"lock:api", "venv:api", "stage:api", "touch:api", "zip:api", "hash:api"} <= set(ran)
    assert dependent.sha256() == before


def test_clean_leaves_the_locks(dependent: Repository) -> None:
    """`doit clean` removes artifacts, trees and environments, and never a committed lock."""
    dependent.doit()
    before = dependent.sha256()
    dependent.doit("clean", "-n")
    assert dependent.sha256() == before
    dependent.doit("clean")
    assert not (dependent.root / "dist").exists()
    assert list(dependent.root.glob("build/env/*")) == []
    assert list(dependent.root.glob("build/stage/*")) == []
    assert (dependent.root / "lambdas/api/requirements.lock").exists()
    dependent.doit()
    assert dependent.sha256() == before


def test_clean_of_one_task_keeps_dist_true(dependent: Repository) -> None:
    """`doit clean zip:<id>` also removes the checksum and the index entry."""
    dependent.doit()
    dependent.doit("clean", "zip:api")
    assert "api" not in dependent.sha256()


def test_info_and_list(dependent: Repository) -> None:
    """`doit info` shows the state; `doit list` shows the steps, `--all` every leaf and group."""
    dependent.doit()
    assert "up-to-date" in dependent.doit("info", "zip:api").output
    dependent.write({APP: HANDLER + "# edited\n"})
    info = dependent.fails("info", "zip:api").output
    assert "zip" in info
    listed = [line.split()[0] for line in dependent.doit("list").output.splitlines()]
    steps = {"lock", "venv", "stage", "touch", "zip", "hash", "index"}
    asked = {"drift", "invoke", "record", "report", "size", "verify", "watch", "why"}
    assert listed == sorted(steps | asked)
    everything = dependent.doit("list", "--all").output
    for task in ("zip:jobs ", "zip:jobs-py3.12-x86_64", "zip:jobs-py3.13-x86_64", "lock:jobs"):
        assert task in everything


def test_a_group_builds_all_variants(dependent: Repository) -> None:
    """`doit zip:<name>` builds every variant of a function, and no other function."""
    ran = dependent.doit("zip:jobs").ran
    assert {"zip:jobs-py3.12-x86_64", "zip:jobs-py3.13-x86_64"} <= set(ran)
    assert not any(task.endswith(":api") for task in ran)


def test_the_loader_needs_no_dodo(repository: Repository) -> None:
    """With `loader = "lambdas"` in pyproject.toml no dodo.py is needed; subfolders work too."""
    (repository.root / "dodo.py").unlink()
    repository.write({"pyproject.toml": '[tool.doit]\nloader = "lambdas"\n'})
    repository.doit()
    assert set(repository.sha256()) == {"api"}
    repository.doit("hash:api")
    assert "did you mean 'zip:api'?" in repository.doit("zip:apy", code=3).output


def test_next_to_other_tasks(repository: Repository) -> None:
    """The tasks work in a dodo.py with other tasks and its own settings."""
    repository.write({
        "dodo.py": (
            "from buildlib.tasks import *\n"
            "DOIT_CONFIG = DOIT_CONFIG | {'backend': 'dbm', 'dep_file': '.db',\n"
            "    'default_tasks': ['mine', 'zip']}\n"
            "def task_mine():\n    return {'actions': ['echo mine'], 'verbosity': 2}\n"
        ),
    })  # fmt: skip
    first = repository.doit()
    assert {"mine", "zip:api"} <= set(first.ran)
    assert "zip:api" not in repository.doit().ran


def test_workers_that_start_afresh(dependent: Repository) -> None:
    """Tasks work in processes that share nothing with the parent, as on Windows and macOS."""
    dependent.doit("-n", "2", "-P", "process")
    before = dependent.sha256()
    dependent.doit("clean")
    dependent.write({
        "dodo.py": (
            "import multiprocessing\nmultiprocessing.set_start_method('spawn')\n"
            "from buildlib.tasks import *\n"
        ),
    })  # fmt: skip
    dependent.doit("-n", "2", "-P", "process")
    assert dependent.sha256() == before
    dependent.doit("clean")
    dependent.doit("-n", "2", "-P", "thread")
    assert dependent.sha256() == before


def test_a_digest_that_is_remembered_wrongly(repository: Repository) -> None:
    """A damaged digest cache fails one run, and not every run from then on."""
    repository.write({"lambdas/api/other.py": "O = 1\n"})
    repository.doit()
    time.sleep(2.1)  # digests of recently written files are not cached
    repository.write({APP: HANDLER + "# edited\n"})
    repository.doit()
    record = repository.root / "build/digests.json"
    known = records.read(record, records.mapping)
    known["files"]["lambdas/api/other.py"][0] = "0" * 64
    records.write(record, known)
    repository.write({APP: HANDLER + "# edited again\n"})
    assert "other.py: changed while it was read; run the build again" in repository.fails().output
    repository.doit()
    assert repository.members("api")["other.py"] == b"O = 1\n"
