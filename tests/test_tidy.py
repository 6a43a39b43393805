"""dist/ is what is declared, and build/ does not grow: by a look at what is there, at every run."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import HANDLER, Index, Repository

ONE = "version: 1\nlambdas:\n  api:\n    handler: app.handler\n"
TWO = f"{ONE}  old:\n    handler: app.handler\n    evidence: true\n"


def names(folder: Path) -> set[str]:
    """Return the names in a folder."""
    return {path.name for path in folder.iterdir()}


def dead() -> int:
    """Return the id of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("index", ["whole", "missing", "damaged", "without it"])
def test_an_undeclared_variant_leaves_nothing(repository: Repository, index: str) -> None:
    """A variant that is no longer declared leaves dist/ and build/, whatever the index says."""
    repository.write({"lambdas.yaml": TWO, "lambdas/old/app.py": HANDLER})
    repository.doit()
    path = repository.root / "dist/lambdas.json"
    entries = json.loads(path.read_bytes())
    if index == "missing":
        path.unlink()
    elif index == "damaged":
        path.write_text("[" * 100_000)
    elif index == "without it":
        path.write_text(json.dumps({"api": entries["api"]}))
    repository.write({"lambdas.yaml": ONE})
    repository.doit()
    assert names(repository.root / "dist") == {"api.zip", "api.zip.sha256", "lambdas.json"}
    assert set(repository.sha256()) == {"api"}
    rest = [p for p in (repository.root / "build").rglob("old*") if "locks" not in p.parts]
    assert rest == []
    assert repository.doit().ran == []


def test_it_leaves_also_while_another_fails(repository: Repository) -> None:
    """A function that cannot be built does not keep undeclared ones in dist/."""
    repository.write({"lambdas.yaml": TWO, "lambdas/old/app.py": HANDLER})
    repository.doit()
    repository.write({"lambdas.yaml": ONE, "lambdas/api/app.py": "def handler(:\n"})
    repository.doit(code=1)
    assert not any(name.startswith("old") for name in names(repository.root / "dist"))
    assert "old" not in repository.listed()


def test_files_of_the_user_stay(repository: Repository) -> None:
    """dist/ may hold other files, also ZIPs and checksums that this package did not write."""
    files: dict[str, str | bytes] = {
        "dist/other.zip": b"PK\3\4 not ours at all",
        "dist/other.zip.sha256": "mine\n",
    }
    files |= {"dist/notes.txt": "", "dist/.hidden": "", "dist/folder.zip/x": ""}
    repository.write(files)
    repository.doit()
    for path in files:
        assert (repository.root / path).exists(), path


def test_temporaries_of_dead_processes_go(repository: Repository) -> None:
    """What a killed process left goes; what a living one writes stays."""
    repository.doit()
    gone, alive = dead(), os.getpid()
    places = [
        "dist/.lambdas.json",
        "dist/.api.zip.sha256",
        "build/zip/.api.json",
    ]
    places += ["lambdas/api/.requirements.lock", "build/env/.0123", ".lambdas.hashes.json"]
    for place in places:
        for process in (gone, alive):
            path = repository.root / f"{place}.{process}.tmp"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"x")
    (repository.root / "dist/.api.zip.tmp").write_bytes(b"x")
    (repository.root / "build/running").mkdir(exist_ok=True)
    (repository.root / f"build/running/{gone}").touch()
    repository.doit()
    left = {p.relative_to(repository.root).as_posix() for p in repository.root.rglob(".*.tmp")}
    assert left == {f"{place}.{alive}.tmp" for place in places}
    assert list((repository.root / "build/running").iterdir()) == []


@pytest.mark.parametrize("name", ["../../victim", "/VICTIM", "..", "a/b", "Ünsafe", ""])
def test_a_name_in_the_index_is_no_path(repository: Repository, name: str) -> None:
    """An entry whose name is no id of a variant goes, and nothing else does."""
    outside = repository.root.parent.parent / "victim"
    name = name.replace("/VICTIM", str(outside))
    kinds = [".zip", ".zip.sha256", ".cdx.json", ".intoto.json"]
    repository.doit()
    for kind in kinds:
        outside.with_name(outside.name + kind).write_text("precious")
        repository.write({f"a{kind}": "precious"})
    path = repository.root / "dist/lambdas.json"
    entries = json.loads(path.read_bytes())
    path.write_text(json.dumps(entries | {name: {}}))
    repository.doit()
    assert json.loads(path.read_bytes()) == entries
    for kind in kinds:
        assert outside.with_name(outside.name + kind).read_text() == "precious"


def test_build_does_not_grow(dependent: Repository, index: Index) -> None:
    """Of twelve sets of pins, build/ keeps the present environment and a few for a way back."""
    for number in range(12):
        index.add("alpha", f"{number + 2}.0", files={"alpha/__init__.py": f"A = {number}\n"})
        dependent.doit("lock", "--upgrade")
        dependent.doit()
    environments = names(dependent.root / "build/env")
    assert len(environments) <= 6  # three lockfiles and targets, and three spare ones
    assert dependent.doit().ran == []


def test_clean_leaves_nothing(dependent: Repository, index: Index) -> None:
    """`doit clean` leaves no environment, record or log, of whatever lock; committed files stay."""
    dependent.doit()
    index.add("alpha", "2.0", files={"alpha/__init__.py": "A = 2\n"})
    dependent.doit("lock:api", "--upgrade")
    dependent.doit()
    before = dependent.sha256()
    time.sleep(2.1)  # from then on, digests of the sources are kept
    dependent.doit("clean")
    left = {path.name for path in (dependent.root / "build").iterdir()}
    assert left <= {".doit.json", "locks", "running"}
    assert not (dependent.root / "dist").exists()
    assert (dependent.root / "lambdas/api/requirements.lock").exists()
    dependent.doit()
    assert dependent.sha256() == before
