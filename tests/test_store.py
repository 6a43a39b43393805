"""Finished ZIPs come back by the key of their inputs; `doit why` says why one does not."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from buildlib.files import records
from tests.conftest import HANDLER, Index, Repository, wheel

APP = "lambdas/api/app.py"


def clone(source: Repository, name: str) -> Repository:
    """Check the repository out at another path, with new mtimes and without build/ and dist/."""
    target = Repository(source.root.parent / name, dict(source.environment))
    shutil.copytree(
        source.root,
        target.root,
        ignore=shutil.ignore_patterns("build", "dist", "__pycache__"),
        copy_function=shutil.copyfile,
    )
    return target


def test_reverting_builds_nothing(dependent: Repository) -> None:
    """Reverting to earlier inputs takes the earlier ZIP from the cache."""
    dependent.doit()
    before = dependent.sha256()
    dependent.write({APP: HANDLER + "# edited\n"})
    dependent.doit()
    dependent.write({APP: HANDLER})
    assert dependent.doit().ran == ["hash:api"]
    assert dependent.sha256() == before


def test_a_clean_checkout_with_the_store(dependent: Repository, index: Index) -> None:
    """With only the store restored, every ZIP comes back without installing anything."""
    dependent.doit()
    before = dependent.sha256()
    target = clone(dependent, "elsewhere")
    shutil.copytree(dependent.root / "build/cache/zips-v1", target.root / "build/cache/zips-v1")
    index.requests.clear()
    ran = target.doit().ran
    assert {task.split(":")[0] for task in ran} == {"hash"}
    assert target.sha256() == before
    assert index.requests == []
    assert not (target.root / "build/env").exists()
    assert target.doit().ran == []


def test_the_ci_cache(dependent: Repository, index: Index) -> None:
    """With build/ restored from a CI cache into another checkout, doit only hashes contents, runs
    no step before `hash`, and installs nothing after a later edit.
    """
    dependent.doit()
    before = dependent.sha256()
    archive = dependent.root.parent / "cache.tar"
    subprocess.run(["tar", "-cf", str(archive), "build"], cwd=dependent.root, check=True)
    target = clone(dependent, "runner/with/another/path")
    subprocess.run(["tar", "-xf", str(archive)], cwd=target.root, check=True)
    index.requests.clear()
    assert {task.split(":")[0] for task in target.doit(CI="true").ran} == {"hash"}
    assert target.sha256() == before
    target.write({APP: HANDLER + "# edited\n"})
    assert target.doit(CI="true").ran == ["stage:api", "touch:api", "zip:api"]
    target.sha256()
    assert index.requests == []


def test_nothing_in_build_names_the_machine(dependent: Repository) -> None:
    """No file in build/ except logs has the path of the checkout, the home or the host name."""
    dependent.doit()
    for path in dependent.root.glob("build/**/*"):
        if path.is_file() and "logs" not in path.parts:
            content = path.read_bytes()
            assert str(dependent.root).encode() not in content, path
            assert dependent.environment["HOME"].encode() not in content, path


def test_two_checkouts_share_a_store(dependent: Repository) -> None:
    """LAMBDA_ZIP_CACHE names one store for several checkouts, also at the same time."""
    store = str(dependent.root.parent / "shared store")
    dependent.doit("lock")
    others = [clone(dependent, f"checkout{number}") for number in range(2)]
    runs = [
        subprocess.Popen(
            other.command(),
            cwd=other.root,
            env=other.environment | {"LAMBDA_ZIP_CACHE": store},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for other in others
    ]
    for run in runs:
        output, _ = run.communicate(timeout=120)
        assert run.returncode == 0, output
        assert "Traceback" not in output
    assert others[0].sha256() == others[1].sha256()
    ran = dependent.doit(LAMBDA_ZIP_CACHE=store).ran
    assert {task.split(":")[0] for task in ran} == {"hash"}
    assert dependent.sha256() == others[0].sha256()


@pytest.mark.parametrize("damage", ["flip", "cut", "record"])
def test_a_damaged_entry_is_dropped_and_built_anew(repository: Repository, damage: str) -> None:
    """A damaged entry never reaches dist/."""
    repository.doit()
    before = repository.sha256()
    shutil.rmtree(repository.root / "dist")
    entry = next(repository.root.glob("build/cache/zips-v1/*.zip"))
    content = bytearray(entry.read_bytes())
    content[30] ^= 1
    if damage == "flip":
        entry.write_bytes(content)
    elif damage == "cut":
        entry.write_bytes(content[:50])
    else:
        entry.with_suffix(".json").write_text("{")
    repository.doit()
    assert repository.sha256() == before
    shutil.rmtree(repository.root / "dist")
    assert repository.doit().ran == ["hash:api"]
    assert repository.sha256() == before


def test_the_store_is_bounded(repository: Repository) -> None:
    """The least recently used entries are evicted first, and the ZIPs in dist/ stay."""
    repository.write({"lambdas/api/noise.bin": os.urandom(400_000)})
    for number in range(4):
        repository.write({APP: HANDLER + f"# {number}\n"})
        repository.doit(LAMBDA_ZIP_CACHE_LIMIT="1")
    assert len(list(repository.root.glob("build/cache/zips-v1/*.zip"))) == 2
    assert len(list(repository.root.glob("build/cache/zips-v1/*.json"))) == 2
    repository.write({APP: HANDLER + "# 2\n"})
    assert repository.doit(LAMBDA_ZIP_CACHE_LIMIT="1").ran == ["hash:api"]
    repository.write({APP: HANDLER + "# 0\n"})
    assert "zip:api" in repository.doit(LAMBDA_ZIP_CACHE_LIMIT="1").ran
    repository.sha256()


def test_a_limit_that_is_no_number(repository: Repository) -> None:
    """An invalid setting gives one line, with a pointer to the documentation."""
    message = repository.doit(code=3, LAMBDA_ZIP_CACHE_LIMIT="2GB").output
    assert message == (
        "ERROR: LAMBDA_ZIP_CACHE_LIMIT: expected a number of megabytes, found '2GB'; "
        "set a whole number, or unset it\n"
        "More: lambdas errors setting\n"
    )


def test_the_lock_is_checked_on_a_hit(dependent: Repository) -> None:
    """A ZIP in the store does not permit a build from a stale lock."""
    dependent.doit()
    shutil.rmtree(dependent.root / "dist")
    dependent.write({"lambdas/api/requirements.txt": "beta>=1\n"})
    assert "lock:api" in dependent.doit().ran


def test_a_named_zip_is_put_into_dist(repository: Repository) -> None:
    """`doit zip:<id>` writes the ZIP to dist/ even if the cache has it."""
    repository.doit()
    shutil.rmtree(repository.root / "dist")
    assert repository.doit("zip:api").ran == ["zip:api"]
    repository.sha256()


def packed(folder: Path) -> set[Path]:
    """Return the packs of compressed members in the cache of a machine."""
    return set(folder.glob("packs-v1/*/*.pack"))


def test_a_changed_pin_recompresses_only_that(dependent: Repository, index: Index) -> None:
    """After a new pin, and without the previous ZIP, only the new package is compressed."""
    dependent.doit("zip:api")
    before = packed(dependent.root / "build/cache")
    (dependent.root / "dist/api.zip").unlink()
    (dependent.root / "build/zip/api.json").unlink()
    index.add("beta", "2.0", files={"beta.py": "B = 2\n"}, requires=("alpha",))
    dependent.doit("lock:api", "--upgrade")
    dependent.doit("zip:api")
    assert dependent.members("api")["beta.py"] == b"B = 2\n"
    (new,) = packed(dependent.root / "build/cache") - before
    data = new.read_bytes()
    size = int.from_bytes(data[-8:], "little")
    assert len(json.loads(data[-8 - size : -8])) == 4  # beta.py, METADATA, WHEEL, RECORD


def test_another_checkout_compresses_only_its_own_code(dependent: Repository) -> None:
    """With the cache of the machine, a clone with other code compresses no dependency."""
    cache = dependent.root.parent / "cache"
    dependent.doit(LAMBDA_ZIP_CACHE=str(cache))
    before = packed(cache)
    assert before
    other = clone(dependent, "other")
    other.write({APP: HANDLER + "# edited\n"})
    other.doit(LAMBDA_ZIP_CACHE=str(cache))
    assert packed(cache) == before
    expected = clone(other, "expected")
    expected.doit()
    assert other.sha256() == expected.sha256()


@pytest.mark.parametrize("damage", ["packs", "everything", "no folder"])
def test_a_damaged_cache_of_the_machine(dependent: Repository, damage: str) -> None:
    """Whatever happens to the cache, the bytes are the same."""
    cache = dependent.root.parent / "cache"
    dependent.doit(LAMBDA_ZIP_CACHE=str(cache))
    before = dependent.sha256()
    if damage == "packs":  # those that a clone reads, since it finds no ZIP
        shutil.rmtree(cache / "zips-v1")
    for path in list(filter(Path.is_file, cache.rglob("*"))):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    if damage == "no folder":
        shutil.rmtree(cache)
        cache.write_text("a file")
    other = clone(dependent, "other")
    result = other.doit(LAMBDA_ZIP_CACHE=str(cache))
    assert other.sha256() == before
    warned = "is not writable, so nothing is added to the cache" in result.output
    assert warned == (damage == "no folder")


def test_why(dependent: Repository, index: Index) -> None:
    """`doit why` names the change behind every rebuild, before and after it."""
    assert "lock:api will run: lambdas/api/requirements.lock is missing" in (
        dependent.doit("why:api").output
    )
    dependent.doit()
    assert "api is up to date\n  last build: first build here\n" in (
        dependent.doit("why:api").output
    )
    dependent.write({APP: HANDLER + "# edited\n", "lambdas/api/new.py": ""})
    expected = "api: stage, touch, zip, hash will run\n  app.py changed\n  new.py added\n"
    assert expected in dependent.doit("why:api").output
    dependent.doit()
    assert "last build: app.py changed\n  last build: new.py added" in (
        dependent.doit("why:api").output
    )
    index.add("beta", "2.0", files={"beta.py": "B = 2\n"}, requires=("alpha",))
    dependent.doit("lock:api", "--upgrade")
    output = dependent.doit("why:api").output
    assert "api: venv, stage, touch, zip, hash will run\n" in output
    assert "requirements.lock: beta 1.0 -> 2.0\n" in output
    text = (dependent.root / "lambdas.yaml").read_text()
    dependent.write(
        {"lambdas.yaml": text.replace("app.handler\n", "app.handler\n    python: '3.12'\n", 1)}
    )
    assert "does not cover Python 3.12 on x86_64" in dependent.doit("why:api").output
    dependent.doit("lock:api", "--upgrade")
    assert "python 3.13 -> 3.12" in dependent.doit("why:api").output


def test_why_of_everything(dependent: Repository) -> None:
    """`doit why` covers all variants and builds nothing."""
    dependent.doit()
    (dependent.root / "dist/api.zip").unlink()
    output = dependent.doit("why").output
    assert "api: hash will run: the cache has the ZIP of these inputs" in output
    assert "jobs-py3.12-x86_64 is up to date" in output
    assert not (dependent.root / "dist/api.zip").exists()


def test_offline(dependent: Repository, index: Index) -> None:
    """With the wheels in uv's cache, an installation asks no index, and works without one."""
    dependent.doit()
    shutil.rmtree(dependent.root / "build")
    index.requests.clear()
    index.status = 503
    dependent.doit()
    dependent.sha256()
    assert index.requests == []


def test_wheels_in_the_repository(repository: Repository) -> None:
    """With `no-index` and a folder of wheels in uv.toml, even locking asks no index."""
    name, content = wheel("alpha")
    del repository.environment["UV_INDEX_URL"]
    repository.environment |= {"HTTPS_PROXY": "http://127.0.0.1:9", "UV_CACHE_DIR": ".uv-cache"}
    repository.write({
        "uv.toml": 'no-index = true\nfind-links = ["wheels"]\n',
        f"wheels/{name}": content,
        "lambdas/api/requirements.txt": "alpha\n",
    })  # fmt: skip
    repository.doit()
    assert "alpha.py" in repository.members("api")
    assert "alpha==1.0" in (repository.root / "lambdas/api/requirements.lock").read_text()
    assert (repository.root / ".uv-cache").is_dir()
    assert not (repository.root / "lambdas/api/.uv-cache").exists()


def test_the_sizes_of_a_store_are_not_believed(repository: Repository) -> None:
    """The unpacked size of a ZIP from a store is that of its contents, whatever its record says."""
    repository.doit()
    size = repository.index()["api"]["unzipped_size"]
    (path,) = (repository.root / "build/cache/zips-v1").glob("*.json")
    sha256, zipped, _ = records.read(path, records.mapping)["written"]
    records.write(path, {"written": [sha256, zipped, 1]})
    shutil.rmtree(repository.root / "dist")
    repository.doit()
    assert repository.index()["api"]["unzipped_size"] == size
    assert repository.doit().ran == []
