"""A build on a farm gives what a local build gives, and needs no farm where nothing is to do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Repository
from tests.farm.clusters import Cluster


def published(repository: Repository) -> dict[str, bytes]:
    """Return the content of dist/, by name."""
    return {path.name: path.read_bytes() for path in (repository.root / "dist").iterdir()}


def afresh(repository: Repository) -> None:
    for name in ("dist", "build"):
        shutil.rmtree(repository.root / name, ignore_errors=True)


def test_the_same_as_a_local_build(varied: Repository, farm: Cluster) -> None:
    """All of dist/ is equal byte for byte: ZIPs, checksums, evidence, and both indexes."""
    subprocess.run(["git", "init", "-q"], cwd=varied.root, check=True)
    varied.lambdas("build")
    local = published(varied)
    afresh(varied)
    done = varied.lambdas("build", "-j", "1", "--farm", farm.address)
    assert published(varied) == local
    assert len(varied.sha256()) == 8
    assert "8 built on the farm in" in done.output
    assert "warning" not in done.errors, done.errors
    assert not (varied.root / "build/env").exists()  # nothing was installed here
    # The next build has nothing to do, with the farm or without.
    assert "8 unchanged" in varied.lambdas("build", "--farm", farm.address).output
    assert "8 unchanged" in varied.lambdas("build").output


def test_workers_keep_nothing(small: Repository, farm: Cluster) -> None:
    """When a run ends, no worker has a file of it left."""
    small.lambdas("build", "--farm", farm.address)
    from tests.farm.clusters import until

    # Unlike `rglob`, `walk` passes over folders that go while it looks.
    until(
        lambda: (
            not [
                name
                for _, folders, names in os.walk(farm.folder)
                for name in (*folders, *names)
                if name.startswith("lambdas-")
            ]
        )
    )


def test_only_what_changed(small: Repository, farm: Cluster) -> None:
    """An edit is built on the farm, alone, and names of functions restrict a build."""
    small.lambdas("build", "--farm", farm.address, "api", "jobs")
    assert sorted(small.index()) == ["api", "jobs"]
    small.write({"lambdas/api/app.py": "def handler(event, context): return 2\n"})
    done = small.lambdas("build", LAMBDA_ZIP_FARM=farm.address)
    assert "3 built on the farm, 1 unchanged" in done.output
    assert "api: built on the farm (app.py changed)" in done.output


def test_the_json_says_built(small: Repository, farm: Cluster) -> None:
    """For programs, a ZIP of the farm is one that was built."""
    done = small.lambdas("build", "--json", "--farm", farm.address)
    assert done.output.count('"outcome": "built"') == 4


def test_an_unchanged_build_needs_no_scheduler(small: Repository) -> None:
    """Where nothing has to be built, the farm is not asked, and Dask is not imported."""
    small.lambdas("build")
    done = small.lambdas("build", LAMBDA_ZIP_FARM="tcp://127.0.0.1:9")
    assert "4 unchanged" in done.output


def test_a_stale_lock_is_made_first(varied: Repository, farm: Cluster) -> None:
    """Variants whose lockfile is made in the same run are built on the farm, too."""
    varied.write({"lambdas/jobs/requirements.txt": "alpha\nbeta\n"})
    done = varied.lambdas("build", "--farm", farm.address)
    assert "8 built on the farm" in done.output, done
    assert b"beta.py" in (varied.root / "dist/jobs-py3.12-arm64.zip").read_bytes()


def test_a_mistake_of_the_user(small: Repository, farm: Cluster) -> None:
    """A function that cannot be built fails as in a local build; the others are built."""
    small.write({"lambdas/api/app.py": "import nothing_has_this\ndef handler(e, c): ...\n"})
    local = small.lambdas("build", "api", code=1)
    done = small.lambdas("build", "--farm", farm.address, code=1)
    start = local.output.index("lambda 'api'")
    message = local.output[start : local.output.index("More:", start)]
    assert "nothing_has_this" in message
    assert message in done.output
    assert "3 built on the farm, 1 failed" in done.output
    assert "farm worker tcp://" in done.output + done.errors


def test_secrets_stay_here(small: Repository, farm: Cluster) -> None:
    """A function whose requirements have credentials is built here, and nothing of them is sent."""
    index = "http://127.0.0.1:9/simple"
    secret = index.replace("//", "//someone:s3cr3t@")
    small.write({"lambdas/api/requirements.txt": f"--extra-index-url {secret}\nalpha\n"})
    small.environment["UV_INDEX_URL"] = farm.environment["UV_INDEX_URL"]
    small.write({"lambdas/api/requirements.txt": "alpha\n"})
    small.lambdas("lock")
    small.write({"uv.toml": f'[[index]]\nname = "own"\nurl = "{secret}"\nexplicit = true\n'})
    done = small.lambdas("build", "--farm", farm.address)
    said = done.output + done.errors
    assert "uv.toml contains credentials, which are not sent to workers; built here" in said
    assert "s3cr3t" not in said
    logs = b"".join(path.read_bytes() for path in farm.folder.rglob("*") if path.is_file())
    assert b"s3cr3t" not in logs
    assert len(small.sha256()) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--farm", "127.0.0.1:8786"), "--farm: expected tcp://host:port or tls://host:port"),
        (("--farm", "tcp://127.0.0.1"), "--farm: expected tcp://host:port or tls://host:port"),
        (("--farm", "tcp://127.0.0.1:9", "--force"), "--force runs every step on this machine"),
    ],
)
def test_wrong_options(small: Repository, arguments: tuple[str, ...], message: str) -> None:
    """A wrong address and a useless combination are refused before anything runs."""
    done = small.lambdas("build", *arguments, code=None)
    assert message in done.errors
    assert done.code in {1, 2}
    assert not (small.root / "dist").exists()


def test_without_dask(small: Repository, tmp_path: Path) -> None:
    """Without the package, the message names the extra."""
    hidden = tmp_path / "hidden/sitecustomize.py"
    hidden.parent.mkdir()
    hidden.write_text("import sys\nsys.modules['distributed'] = None\n")
    path = os.pathsep.join([str(hidden.parent), os.environ.get("PYTHONPATH", "")])
    done = small.lambdas("build", "--farm", "tcp://127.0.0.1:9", code=1, PYTHONPATH=path)
    assert "pip install 'doit-lambda-zip[farm]'" in done.errors
