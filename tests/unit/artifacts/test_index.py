"""dist/ never lies: a ZIP, its checksum and its entry change together or are gone."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from buildlib.artifacts import index
from buildlib.artifacts import listing as listing_module
from buildlib.artifacts.listing import Listing
from buildlib.files import atomic
from buildlib.layout import Layout
from buildlib.model import Variant, Written
from tests.unit.conftest import function

API = Variant("api", function("api"), "3.13", "x86_64")
JOBS = Variant("jobs-py3.12-arm64", function("jobs", handler="m.run"), "3.12", "arm64")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Give the layout of an empty repository."""
    return Layout(tmp_path)


def described(content: bytes) -> Written:
    """Return what the archive writer says of a ZIP with this content."""
    return Written(hashlib.sha256(content).hexdigest(), len(content), 10 * len(content))


def evidence(layout: Layout, content: bytes) -> dict[Path, bytes]:
    """Return evidence that names the ZIP with this content, as far as these tests look at it."""
    return {path: hashlib.sha256(content).hexdigest().encode() for path in layout.evidence("api")}


def publish(layout: Layout, variant: Variant, content: bytes) -> Written:
    """Publish a new ZIP with this content."""
    new = layout.dist / ".new.tmp"
    layout.dist.mkdir(exist_ok=True)
    new.write_bytes(content)
    written = described(content)
    Listing(layout).publish(variant, written, new=new)
    return written


def is_described(layout: Layout, variant: Variant, written: Written) -> bool:
    """Tell what the index module says of a ZIP."""
    listed = index.is_listed(layout, variant, written, index.read(layout).get(variant.id))
    return listed and index.has_checksum(layout, variant, written)


def check(layout: Layout) -> None:
    """Check that nothing in dist/ contradicts anything else there."""
    entries = index.read(layout)
    if layout.index.exists():
        assert json.loads(layout.index.read_text()) == entries
    for name, entry in entries.items():
        if not index.is_built(entry):
            continue
        data = layout.zip(name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()
        assert entry["source_code_hash"] == base64.b64encode(hashlib.sha256(data).digest()).decode()
        assert (entry["size"], entry["path"]) == (len(data), f"dist/{name}.zip")
    for path in layout.evidence("api"):
        if path.exists():
            digest = hashlib.sha256(layout.zip("api").read_bytes()).hexdigest()
            assert path.read_text() == digest
    for checksum in layout.dist.glob("*.sha256"):
        value, name = checksum.read_text().split()
        assert value == hashlib.sha256((layout.root / name).read_bytes()).hexdigest()


def test_publish(layout: Layout) -> None:
    """A published ZIP is there, with its checksum and its entry."""
    written = publish(layout, API, b"one")
    assert layout.zip("api").read_bytes() == b"one"
    assert layout.checksum("api").read_text() == f"{written.sha256}  dist/api.zip\n"
    digest = hashlib.sha256(b"one").digest()
    assert index.read(layout) == {
        "api": {
            "lambda": "api",
            "handler": "app.handler",
            "runtime": "python3.13",
            "architecture": "x86_64",
            "path": "dist/api.zip",
            "sha256": digest.hex(),
            "source_code_hash": base64.b64encode(digest).decode(),
            "size": 3,
            "unzipped_size": 30,
        }
    }
    assert is_described(layout, API, written)
    assert sorted(os.listdir(layout.dist)) == ["api.zip", "api.zip.sha256", "lambdas.json"]


def test_two_variants(layout: Layout) -> None:
    """Another ZIP's entry stays as it is."""
    one, other = publish(layout, JOBS, b"jobs"), publish(layout, API, b"api")
    assert is_described(layout, API, other)
    assert is_described(layout, JOBS, one)
    publish(layout, API, b"new")
    assert is_described(layout, JOBS, one)
    check(layout)


def test_form_of_the_index(layout: Layout) -> None:
    """The index is sorted, ends in a newline, and does not depend on the order of building."""
    publish(layout, JOBS, b"jobs")
    publish(layout, API, b"api")
    text = layout.index.read_bytes()
    assert text == (json.dumps(index.read(layout), indent=2, sort_keys=True) + "\n").encode()
    index.withdraw(layout, "jobs-py3.12-arm64")
    publish(layout, JOBS, b"jobs")
    assert layout.index.read_bytes() == text


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="sha256sum is not here")
def test_sha256sum(layout: Layout) -> None:
    """`sha256sum -c` accepts the checksums from the repository's root, and sees a damage."""
    publish(layout, API, b"api")
    publish(layout, JOBS, b"jobs")
    names = [layout.relative(path) for path in layout.dist.glob("*.sha256")]

    def run() -> int:
        command = ["sha256sum", "--strict", "-c", *names]
        return subprocess.run(command, cwd=layout.root, capture_output=True, check=False).returncode

    assert run() == 0
    layout.zip("api").write_bytes(b"apx")
    assert run() != 0


def test_publish_the_same(layout: Layout) -> None:
    """A ZIP that comes out as it was leaves its description alone."""
    publish(layout, API, b"one")
    before = layout.index.stat()
    publish(layout, API, b"one")
    after = layout.index.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("what", ["checksum", "index", "entry", "wrong checksum", "wrong entry"])
def test_lost_descriptions(layout: Layout, what: str) -> None:
    """A lost or changed description is seen, and made again from what the ZIP is."""
    written = publish(layout, API, b"one")
    entries = index.read(layout)
    match what:
        case "checksum":
            layout.checksum("api").unlink()
        case "index":
            layout.index.unlink()
        case "entry":
            layout.index.write_text("{}")
        case "wrong checksum":
            layout.checksum("api").write_text("0" * 64 + "  dist/api.zip\n")
        case _:
            entries["api"]["handler"] = "other.handler"
            layout.index.write_text(json.dumps(entries))
    assert not is_described(layout, API, written)
    Listing(layout).publish(API, written)
    assert is_described(layout, API, written)
    check(layout)


def test_other_variant_is_other_entry(layout: Layout) -> None:
    """A ZIP that is declared otherwise now is no longer described, though it is the same."""
    written = publish(layout, API, b"one")
    assert not is_described(layout, Variant("api", API.function, "3.12", "x86_64"), written)
    assert not is_described(layout, API, written._replace(sha256="0" * 64))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_damaged_index(layout: Layout, content: bytes) -> None:
    """An index that cannot be read is empty, and comes back."""
    written = publish(layout, API, b"one")
    layout.index.write_bytes(content)
    assert index.read(layout) == {}
    assert not is_described(layout, API, written)
    Listing(layout).publish(API, written)
    check(layout)
    assert is_described(layout, API, written)


def test_withdraw(layout: Layout) -> None:
    """A withdrawn ZIP leaves nothing behind; the last one takes the folder with it."""
    publish(layout, API, b"api")
    written = publish(layout, JOBS, b"jobs")
    index.withdraw(layout, "api")
    assert sorted(index.read(layout)) == ["jobs-py3.12-arm64"]
    assert not [name for name in os.listdir(layout.dist) if name.startswith("api")]
    assert is_described(layout, JOBS, written)
    index.withdraw(layout, "jobs-py3.12-arm64")
    assert not layout.dist.exists()
    index.withdraw(layout, "never-there")


def test_withdraw_several(layout: Layout) -> None:
    """Several ZIPs leave together, and the index is written once."""
    publish(layout, API, b"api")
    publish(layout, JOBS, b"jobs")
    index.withdraw_all(layout, ["api", "../outside", "never-there"])
    assert index.read(layout).keys() == {"jobs-py3.12-arm64"}
    assert not layout.zip("api").exists()
    index.withdraw_all(layout, ["jobs-py3.12-arm64"])
    assert not layout.dist.exists()


def test_withdraw_the_description(layout: Layout) -> None:
    """The description can go alone: then nothing is said of the ZIP."""
    written = publish(layout, API, b"api")
    index.withdraw(layout, "api", zip_too=False)
    assert os.listdir(layout.dist) == ["api.zip"]
    assert not is_described(layout, API, written)


def test_evidence(layout: Layout) -> None:
    """Evidence comes and goes with the ZIP; of a new ZIP there is none but its own."""
    publish(layout, API, b"one")
    Listing(layout).publish(API, described(b"one"), evidence=evidence(layout, b"one"))
    assert all(path.exists() for path in layout.evidence("api"))
    publish(layout, API, b"two")
    assert not any(path.exists() for path in layout.evidence("api"))
    Listing(layout).publish(API, described(b"two"), evidence=evidence(layout, b"two"))
    before = [path.stat().st_ino for path in layout.evidence("api")]
    Listing(layout).publish(API, described(b"two"), evidence=evidence(layout, b"two"))
    assert [path.stat().st_ino for path in layout.evidence("api")] == before
    index.withdraw(layout, "api", zip_too=False)
    assert os.listdir(layout.dist) == ["api.zip"]


def test_foreign_files(layout: Layout) -> None:
    """What someone else put into dist/ stays."""
    publish(layout, API, b"api")
    (layout.dist / "mine").write_bytes(b"")
    index.withdraw(layout, "api")
    assert os.listdir(layout.dist) == ["mine"]


class Crash(BaseException):
    """The end of the process."""


def crashing(monkeypatch: pytest.MonkeyPatch, count: int, *, after: bool) -> None:
    """End the process at the count-th change of a file, before or `after` it."""
    left = [count]

    def wrapped(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            left[0] -= 1
            if left[0] == 0 and not after:
                raise Crash
            result = change(*arguments, **options)
            if left[0] == 0:
                raise Crash
            return result

        return changed

    monkeypatch.setattr(os, "replace", wrapped(os.replace))
    monkeypatch.setattr(Path, "unlink", wrapped(Path.unlink))
    monkeypatch.setattr(Path, "write_bytes", wrapped(Path.write_bytes))


ACTIONS: dict[str, Callable[[Layout], object]] = {
    "first": lambda layout: Listing(layout).publish(
        JOBS, described(b"jobs"), new=layout.root / "jobs"
    ),
    "new content": lambda layout: Listing(layout).publish(
        API, described(b"two"), new=layout.root / "two"
    ),
    "new evidence": lambda layout: Listing(layout).publish(
        API,
        described(b"two"),
        new=layout.root / "two",
        evidence=evidence(layout, b"two"),
    ),
    "same content": lambda layout: Listing(layout).publish(
        API, described(b"one"), new=layout.root / "one"
    ),
    "other handler": lambda layout: Listing(layout).publish(
        Variant("api", function("api", handler="m.other"), "3.13", "x86_64"),
        described(b"one"),
    ),
    "withdraw": lambda layout: index.withdraw(layout, "api"),
    "withdraw description": lambda layout: index.withdraw(layout, "api", zip_too=False),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("action", ACTIONS)
def test_crash_at_every_step(
    layout: Layout,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    after: bool,
) -> None:
    """Whoever is killed between any two changes leaves ZIPs undescribed, never wrongly so."""
    for count in range(1, 30):
        shutil.rmtree(layout.dist, ignore_errors=True)
        publish(layout, API, b"one")
        Listing(layout).publish(API, described(b"one"), evidence=evidence(layout, b"one"))
        for content in (b"one", b"two", b"jobs"):
            (layout.root / content.decode()).write_bytes(content)
        with monkeypatch.context() as patch:
            crashing(patch, count, after=after)
            try:
                ACTIONS[action](layout)
            except Crash:
                ended = False
            else:
                ended = True
        check(layout)
        if ended:
            assert count > 2
            return
        # The next run takes it up from there.
        if (layout.root / "two").exists():
            ACTIONS["new content"](layout)
        check(layout)
    pytest.fail("it never came to an end")


def test_interrupted_by_full_disk(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the description cannot be written, the ZIP is there without one."""
    publish(layout, API, b"one")

    def write(path: Path, content: bytes, *, ours: bool = False) -> None:
        raise OSError(28, "No space left on device", str(path), content, ours)

    (layout.root / "two").write_bytes(b"two")
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "write", write)
        with pytest.raises(OSError, match="No space left"):
            Listing(layout).publish(API, described(b"two"), new=layout.root / "two")
    check(layout)


def test_every_declared_variant_is_listed(layout: Layout) -> None:
    """A variant without a ZIP is listed as missing, from the first publication on."""
    new = layout.root / "api"
    new.write_bytes(b"api")
    layout.dist.mkdir(exist_ok=True)
    Listing(layout).publish(API, described(b"api"), new=new, declared=[API, JOBS])
    assert index.read(layout)[JOBS.id] == {
        "lambda": "jobs",
        "handler": "m.run",
        "runtime": "python3.12",
        "architecture": "arm64",
        "status": "missing",
    }
    publish(layout, JOBS, b"jobs")
    assert "status" not in index.read(layout)[JOBS.id]
    index.withdraw(layout, JOBS.id, declared=JOBS)
    assert index.read(layout)[JOBS.id] == index.missing(JOBS)
    index.withdraw(layout, API.id, declared=API)
    assert not layout.index.exists()  # nothing is built: there is no index


def test_an_unbuilt_variant_keeps_its_last_entry(layout: Layout) -> None:
    """A ZIP that should have been replaced is marked stale, until it is published again."""
    written = publish(layout, API, b"api")
    before = index.read(layout)
    index.note_unbuilt(layout, [API, JOBS], [API, JOBS])
    assert index.read(layout) == {
        "api": {**before["api"], "stale": True},
        JOBS.id: index.missing(JOBS),
    }
    assert not index.is_listed(layout, API, written, index.read(layout).get("api"))
    Listing(layout).publish(API, written)
    assert index.read(layout)["api"] == before["api"]
    layout.zip("api").unlink()
    index.note_unbuilt(layout, [API], [API, JOBS])
    assert not layout.index.exists()


# -- a run of many ---------------------------------------------------------------------------------


def many(count: int) -> list[Variant]:
    """Return variants of as many functions."""
    return [Variant(f"fn{n:03}", function(f"fn{n:03}"), "3.13", "x86_64") for n in range(count)]


def truthful(layout: Layout) -> None:
    """Check that the index says nothing wrong of a ZIP; it may lack entries."""
    for name, entry in filter(lambda item: index.is_built(item[1]), index.read(layout).items()):
        content = layout.zip(name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()


def publish_all(listing: Listing, layout: Layout, variants: list[Variant], content: bytes) -> None:
    """Publish ZIPs of all variants, each with contents of its own, through one listing."""
    layout.dist.mkdir(exist_ok=True)
    for one in variants:
        of = one.id.encode() + content
        (layout.dist / ".new.tmp").write_bytes(of)
        listing.publish(one, described(of), new=layout.dist / ".new.tmp", declared=variants)
        truthful(layout)
        assert listing.entries()[one.id] == index.entry(layout, one, described(of))


def test_a_run_of_many_writes_a_few_times(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index is not written for each ZIP, whether the ZIPs are new or replace others; at the
    end of the run it has them all, and at no time a wrong entry.
    """
    variants, listing = many(60), Listing(layout)
    written: list[int] = []
    write = index.write

    def counted(layout: Layout, entries: Mapping[str, index.Entry]) -> None:
        written.append(len(entries))
        write(layout, entries)

    monkeypatch.setattr(index, "write", counted)
    # As if writing took very long.
    monkeypatch.setattr("buildlib.artifacts.listing._PART", 1e9)
    for content in (b"one", b"two"):
        written.clear()
        publish_all(listing, layout, variants, content)
        listing.flush()
        assert len(written) <= 10
        entries = index.read(layout)
        assert all(map(index.is_built, entries.values()))
        assert entries == listing.entries()
        assert len(entries) == 60


def test_entries_that_were_held_back_return(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that replaces some of the ZIPs leaves the entries of the others as they were."""
    variants = many(60)
    listing = Listing(layout)
    publish_all(listing, layout, variants, b"one")
    listing.flush()
    before = index.read(layout)
    monkeypatch.setattr("buildlib.artifacts.listing._PART", 1e9)
    again = Listing(layout)
    publish_all(again, layout, variants[:9], b"two")
    assert sum(map(index.is_built, index.read(layout).values())) < 51
    assert {name: again.entry(name) for name in before} == dict(again.entries())
    again.flush()
    after = index.read(layout)
    assert [name for name in before if after[name] != before[name]] == [v.id for v in variants[:9]]


def test_a_zip_of_another_process_gets_no_entry_of_this_one(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that waits is dropped if its ZIP has been replaced meanwhile."""
    monkeypatch.setattr(listing_module, "_PART", 1e9)  # so that the second and third wait
    variants, listing = many(3), Listing(layout)
    publish_all(listing, layout, variants, b"one")
    assert not index.is_built(index.read(layout)[variants[2].id])
    new = layout.root / "new"
    new.write_bytes(b"of another process")
    os.replace(new, layout.zip(variants[2].id))
    listing.flush()
    truthful(layout)
    assert index.is_built(index.read(layout)[variants[1].id])
    assert not index.is_built(index.read(layout)[variants[2].id])
