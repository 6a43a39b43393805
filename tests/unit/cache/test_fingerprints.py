"""What was seen to be finished is recognised as such, until anything at all changes."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from buildlib.cache import clock, digests, fingerprints
from buildlib.errors import LockError
from buildlib.lock import lockfile, requirements
from buildlib.model import LockTarget, Variant, Written
from buildlib.project.project import Project
from buildlib.steps import pending, run, shared
from buildlib.tree import sources
from tests.unit.conftest import variant, write

pytestmark = pytest.mark.skipif(os.name == "nt", reason="nothing is noted there")

MANIFEST = "version: 1\nlambdas:\n  api: {handler: app.handler, include: [shared/common]}\n"
FILES = {
    "lambdas.yaml": MANIFEST,
    "lambdas/api/app.py": "def handler(event, context): ...\n",
    "lambdas/api/pkg/data.txt": "data",
    "lambdas/api/requirements.txt": "-r base.txt\n",
    "lambdas/api/base.txt": "",
    "shared/common/__init__.py": "C = 1\n",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a repository whose only variant is built and noted as finished."""
    monkeypatch.setattr(clock, "GRAIN_NS", -(10**12))  # so that nothing is too young
    write(tmp_path, FILES)
    found = requirements.read(tmp_path, "lambdas/api/requirements.txt")
    header = f"# requirements-sha256: {found.sha256}\n# python: 3.13\n"
    write(tmp_path, {"lambdas/api/requirements.lock": header})
    assert lockfile.is_current(
        tmp_path / "lambdas/api/requirements.lock", found, [LockTarget("3.13", "x86_64")]
    )
    one = Project(tmp_path)
    api = one.variants["api"]
    finish(one, api)
    one.save()
    assert is_settled(tmp_path)
    return tmp_path


def finish(one: Project, api: Variant) -> None:
    """Build a variant, and note it as finished."""
    for _ in run.build(one, api):
        pass
    assert pending.pending(one, api) == {}


def is_settled(root: Path) -> bool:
    one = Project(root)
    try:
        return one.status(one.variants["api"]).unchanged
    except LockError:  # it was looked for
        return False


def test_nothing_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a finished variant no input and no output is opened, only their status is looked at."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("something was read")

    one = Project(root)
    monkeypatch.setattr(digests, "sha256", refuse)
    monkeypatch.setattr(lockfile, "pins", refuse)
    monkeypatch.setattr(requirements, "read", refuse)
    monkeypatch.setattr(sources, "sources", refuse)
    api = one.variants["api"]
    assert shared.lock_reason(one, api.function) is None
    assert pending.pending(one, api) == {}


def same_size(root: Path) -> None:
    path = root / "lambdas/api/pkg/data.txt"
    before = path.stat()
    path.write_text("DATA")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(root: Path) -> None:
    path = root / "lambdas/api/pkg/data.txt"
    before = path.stat()
    other = root / "other"
    other.write_text("DATA")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "same size and mtime": same_size,
    "replaced": replaced,
    "added": lambda root: write(root, {"lambdas/api/new.py": ""}),
    "removed": lambda root: (root / "lambdas/api/pkg/data.txt").unlink(),
    "renamed": lambda root: (root / "lambdas/api/pkg").rename(root / "lambdas/api/other"),
    "include": lambda root: write(root, {"shared/common/__init__.py": "C = 2\n"}),
    "requirements": lambda root: write(root, {"lambdas/api/requirements.txt": "requests\n"}),
    "nested requirements": lambda root: write(root, {"lambdas/api/base.txt": "requests\n"}),
    "lock": lambda root: write(root, {"lambdas/api/requirements.lock": "# another\n"}),
    "no lock": lambda root: (root / "lambdas/api/requirements.lock").unlink(),
    "declared dependencies": lambda root: write(root, {"shared/pyproject.toml": "[project]"}),
    "manifest": lambda root: write(
        root,
        {"lambdas.yaml": MANIFEST.replace("handler: app", "compression: stored, handler: app")},
    ),
    "ZIP": lambda root: (root / "dist/api.zip").write_bytes(b"damaged"),
    "no ZIP": lambda root: (root / "dist/api.zip").unlink(),
    "checksum": lambda root: (root / "dist/api.zip.sha256").write_text("wrong"),
    "record": lambda root: (root / "build/zip/api.json").unlink(),
    "fingerprints": lambda root: (root / "build/settled.json").write_text("{"),
    "another checkout": lambda _: None,
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_seen(root: Path, tmp_path: Path, change: str) -> None:
    """Whatever changes, the variant is looked at by content again."""
    CHANGES[change](root)
    if change == "another checkout":
        shutil.copytree(root, tmp_path / "elsewhere")
        root = tmp_path / "elsewhere"
    assert not is_settled(root)


@pytest.mark.parametrize(
    "constant", ["recipe.__version__", "contract.CONTRACT", "contract.DEFLATE_LEVEL"]
)
def test_another_version_looks_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, constant: str
) -> None:
    """What is in every recipe is in the fingerprint too."""
    monkeypatch.setattr(f"buildlib.{constant}", 99)
    assert not is_settled(root)


def test_a_wrong_index_is_seen(root: Path) -> None:
    """The entry in the index is compared every time: other variants write to that file."""
    (root / "dist/lambdas.json").unlink()
    one = Project(root)
    assert is_settled(root)
    assert set(pending.pending(one, one.variants["api"])) == {"hash"}


def test_what_is_young_is_not_trusted(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that changed within the clock's grain may change again unseen: nothing is noted."""
    monkeypatch.setattr(clock, "GRAIN_NS", 2_000_000_000)
    (root / "build/settled.json").unlink()
    write(root, {"lambdas/api/new.py": ""})
    one = Project(root)
    api = one.variants["api"]
    finish(one, api)
    one.save()
    assert not is_settled(root)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: write(root, {"lambdas/api/app.py": "def handler(e, c): return 2\n"}),
        lambda root: (root / "lambdas/api/pkg/data.txt").unlink(),
        lambda root: (root / "lambdas/api/pkg").rename(root / "lambdas/api/other"),
    ],
)
def test_what_changed_during_the_run_is_not_trusted(
    root: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    """An edit while other functions are built is of inputs that this run has looked at already."""
    monkeypatch.setattr(clock, "GRAIN_NS", 0)
    (root / "build/settled.json").unlink()
    one = Project(root)
    api = one.variants["api"]
    assert pending.reason(one, api, "zip") is None
    time.sleep(0.05)
    change(root)
    time.sleep(0.05)
    run.confirm(one, api)
    one.save()
    assert not is_settled(root)
    one = Project(root)
    assert pending.reason(one, one.variants["api"], "zip")


@pytest.mark.parametrize(("seconds", "is_noted"), [(3, True), (2.1, True), (1.9, False)])
def test_a_file_that_is_too_young(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, is_noted: bool
) -> None:
    """A variant is noted once its files were older than 2 s when the run began: until then each may
    change again under the same timestamps.
    """
    write(tmp_path, {"lambdas/api/app.py": "", "dist/api.zip": ""})
    status = (tmp_path / "dist/api.zip").stat()
    now = status.st_ctime_ns + int(seconds * 10**9)
    monkeypatch.setattr(clock, "_now", lambda *_: (status.st_dev, now))
    one, api = fingerprints.Fingerprints(tmp_path, tmp_path / "record"), variant()
    one.note(api, "constants", ["dist/api.zip"], ([], ["lambdas/api"]), Written("0" * 64, 1, 2))
    found = one.find(api, "constants", ["dist/api.zip"])
    assert (found == Written("0" * 64, 1, 2)) == is_noted
    assert one.find(api, "other constants", ["dist/api.zip"]) is None
    one.save()
    again = fingerprints.Fingerprints(tmp_path, tmp_path / "record")
    assert again.find(api, "constants", ["dist/api.zip"]) == found


LINKS = {
    "hidden folder": ("api/.venv/lib/pkg", "api/.venv/lib/pkg/a.py"),
    "hidden file": ("api/.venv/lib/pkg/a.py", "api/.venv/lib/pkg/a.py"),
    "junk": ("api/cached.pyc", "api/cached.pyc"),
    "folder elsewhere": ("../shared/more", "../shared/more/deep/b.py"),
    "file elsewhere": ("../shared/more/deep/b.py", "../shared/more/deep/b.py"),
    "link to a link": ("../shared/link", "../shared/more/deep/b.py"),
}


@pytest.mark.skipif(os.name == "nt", reason="links are POSIX's")
@pytest.mark.parametrize("kind", LINKS)
def test_links(root: Path, kind: str) -> None:
    """A variant with a link is settled until the content changes that the link leads to."""
    lambdas = root / "lambdas"
    write(lambdas, {"api/.venv/lib/pkg/a.py": "A = 1\n", "api/cached.pyc": "1"})
    write(root, {"shared/more/deep/b.py": "B = 1\n"})
    (root / "shared/link").symlink_to("more")
    target, changed = LINKS[kind]
    (lambdas / "api/link").symlink_to(os.path.relpath(lambdas / target, lambdas / "api"))
    one = Project(root)
    finish(one, one.variants["api"])
    one.save()
    assert is_settled(root)
    path = lambdas / changed
    before = path.stat()
    path.write_text(path.read_text().replace("1", "2"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not is_settled(root)


@pytest.mark.skipif(os.name == "nt", reason="links are POSIX's")
@pytest.mark.parametrize("target", ["..", "../..", "/", "nothing", "link", "../../build"])
def test_excluded_links(root: Path, target: str) -> None:
    """A link that is excluded leads nowhere: not in circles, and not to outputs."""
    manifest = (root / "lambdas.yaml").read_text()
    write(root, {"lambdas.yaml": manifest.replace("handler:", "exclude: [/link], handler:")})
    (root / "lambdas/api/link").symlink_to(target)
    one = Project(root)
    finish(one, one.variants["api"])
    one.save()
    assert is_settled(root)
    write(root, {"build/new": ""})
    assert is_settled(root)


def test_a_damaged_note_is_not_believed(root: Path) -> None:
    """What the record says of a ZIP counts only as it was written there."""
    path = root / "build/settled.json"
    sha256 = json.loads((root / "dist/lambdas.json").read_text())["api"]["sha256"]
    path.write_text(path.read_text().replace(sha256, sha256[::-1]))
    assert not is_settled(root)


def test_where_ctime_is_the_creation(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the ctime does not tell of changes, nothing is noted."""
    monkeypatch.setattr(clock, "CTIME_IS_CHANGE", False)
    (root / "build/settled.json").unlink()
    one = Project(root)
    finish(one, one.variants["api"])
    one.save()
    assert not (root / "build/settled.json").exists()
    assert fingerprints.Fingerprints(root, root / "build/settled.json")
