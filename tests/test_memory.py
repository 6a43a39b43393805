"""What is remembered of earlier runs saves work, and never decides what is right."""

import os
import shutil
import time

import pytest

from buildlib import contract
from tests.conftest import HANDLER, Index, Repository

APP = "lambdas/api/app.py"

# From then on a file is not too young to be trusted (see buildlib/cache/digests.py).
OLD_ENOUGH = 2.2

# Loads the tasks with another compressor, whose bytes differ.
OTHER_ENCODER = """\
import buildlib.contract
buildlib.contract.DEFLATE_LEVEL = 1
from buildlib.tasks import *
"""
TEXT = "".join(
    f"line {n * n} of a text that each level compresses otherwise\n" for n in range(4000)
)


def test_a_stale_lock_is_never_taken_for_current(dependent: Repository) -> None:
    """A function whose requirements changed is not noted as finished, though its ZIP is right:
    CI stops at the lock afterwards.
    """
    dependent.doit()
    dependent.write({"lambdas/api/requirements.txt": "beta>=1\n"})
    time.sleep(OLD_ENOUGH)
    for _ in range(2):
        dependent.doit("-s", "hash:api")
    message = dependent.fails("hash:api", CI="true").output
    assert "lambdas/api/requirements.lock" in message
    assert "requirements.txt" in message


def test_a_lock_that_others_share(dependent: Repository) -> None:
    """When one function goes to an older Python, the lock is stale for all that share it."""
    manifest = (
        "version: 1\nlambdas:\n  api: {handler: app.handler}\n"
        "  late: {handler: app.handler, source: lambdas/api, python: '3.13'}\n"
    )
    dependent.write({"lambdas.yaml": manifest})
    dependent.doit()
    time.sleep(OLD_ENOUGH)
    assert dependent.doit().ran == []
    dependent.doit("hash:api", CI="true")
    dependent.write({"lambdas.yaml": manifest.replace("3.13", "3.12")})
    assert "3.12" in dependent.fails("hash:api", CI="true").output


def test_another_encoder_takes_nothing_over(dependent: Repository, index: Index) -> None:
    """After an upgrade of the compressor, a ZIP has the bytes that a first build would give it."""
    index.add("gamma", files={"gamma.txt": TEXT})
    dependent.write({"lambdas/api/requirements.txt": "gamma\n"})
    dependent.doit("hash:api")
    first = dependent.sha256()
    dependent.write({"dodo.py": OTHER_ENCODER, APP: HANDLER + "# edited\n"})
    dependent.doit("hash:api")
    with_history = dependent.sha256()
    for folder in ("build", "dist"):
        shutil.rmtree(dependent.root / folder)
    dependent.doit("hash:api")
    assert dependent.sha256() == with_history
    dependent.write({"dodo.py": "from buildlib.tasks import *\n", APP: HANDLER})
    dependent.doit("hash:api")
    assert dependent.sha256() == first


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
@pytest.mark.parametrize("place", ["pkg", "pkg/deeper"])
def test_no_file_is_written_through_a_link(repository: Repository, place: str) -> None:
    """A link in the place of a staged folder is replaced; what it leads to stays as it is."""
    source = f"lambdas/api/{place}/a.py"
    repository.write({source: "A = 1\n", f"lambdas/api/{place}/b.py": "B = 1\n"})
    repository.doit()
    staged = repository.root / "build/stage/api" / place
    outside = repository.root / "outside"
    staged.rename(outside)
    staged.symlink_to(outside)
    repository.write({source: "A = 2\n"})
    repository.doit()
    assert (outside / "a.py").read_text() == "A = 1\n"
    assert not staged.is_symlink()
    members = repository.members("api")
    assert (members[f"{place}/a.py"], members[f"{place}/b.py"]) == (b"A = 2\n", b"B = 1\n")


def test_what_was_staged_and_not_touched(dependent: Repository, index: Index) -> None:
    """After a run that ended between `stage` and `touch`, every file that is not a link into the
    environment gets the one mtime and mode: own files, and a RECORD that `exclude` shortened.
    """
    index.add("gamma", files={"gamma/x.py": "", "gamma/notes.md": ""})
    dependent.write({
        "lambdas.yaml": (
            "version: 1\nlambdas:\n  api: {handler: app.handler, exclude: ['*.md']}\n"
        ),
        "lambdas/api/requirements.txt": "gamma\n",
        "lambdas/api/pkg/a.py": "A = 1\n",
    })  # fmt: skip
    dependent.doit("stage:api")
    dependent.write({APP: HANDLER + "# edited\n"})
    dependent.doit("zip:api")
    tree = dependent.root / "build/stage/api"
    for name in ("app.py", "pkg/a.py", "gamma-1.0.dist-info/RECORD"):
        status = (tree / name).stat()
        assert status.st_nlink == 1
        assert (status.st_mtime, status.st_mode & 0o777) == (contract.MTIME, contract.MODE), name


def test_an_edit_that_is_taken_back(repository: Repository) -> None:
    """An edit that was staged and taken back is not in the ZIP, whatever was done in between."""
    same_size = HANDLER.replace("event, context", "c_ntext, e_ent")
    assert len(same_size) == len(HANDLER)
    repository.doit()
    before = repository.sha256()
    for steps in (["stage:api"], ["stage:api", "touch:api"]):
        repository.write({APP: same_size})
        repository.doit(*steps)
        repository.write({APP: HANDLER})
        for path in (
            repository.root / "dist/api.zip",
            *repository.root.glob("build/cache/zips-v1/*"),
        ):
            path.unlink()
        repository.doit()
        assert repository.sha256() == before


COARSE = """\
import os, time
from pathlib import Path

GRAIN = 2_000_000_000
tick = (time.time_ns() - {behind}) // GRAIN * GRAIN
replace = os.replace

def replace_and_stamp(source, target):
    replace(source, target)
    os.utime(target, ns=(tick, tick))

os.replace = replace_and_stamp
from buildlib.tasks import *
"""


@pytest.mark.parametrize("behind", [1_000_000_000, 10_000_000_000], ids=["coarse", "behind"])
def test_the_summary_on_a_coarse_clock(repository: Repository, behind: int) -> None:
    """A rebuild is told as one also where timestamps have a grain of two seconds, as on FAT, or
    come from a server whose clock is behind.
    """
    repository.write({"dodo.py": COARSE.format(behind=behind)})
    assert "1 built" in repository.doit().output
    before = repository.sha256()
    repository.write({APP: HANDLER + "# edited\n"})
    output = repository.doit().output
    assert repository.sha256() != before
    assert "1 built" in output
    assert "unchanged" not in output
