"""Sequences of operations that Hypothesis makes up, with a kill in some of them, against a model.

After each operation, the files in dist/ agree with each other, and the store gives either the ZIP
that was put there or nothing.
"""

import hashlib
import math
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from buildlib.artifacts import index
from buildlib.artifacts.listing import Listing
from buildlib.cache.machine import MachineCache
from buildlib.layout import Layout
from buildlib.model import Variant
from tests.unit.artifacts.test_index import API, JOBS, described
from tests.unit.crashes import Crash, Crashes

BOUNDS = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
VARIANTS = st.sampled_from([API, JOBS])
CONTENTS = st.sampled_from([b"one", b"another", b"x" * 5000])
# The change at which the process is killed; most operations make fewer.
KILLS = st.one_of(st.just(0), st.integers(1, 12))


class _Machine(RuleBasedStateMachine):
    """A folder of its own, and operations that may be killed."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def perform(self, operation: Callable[[], object], kill: int, *, torn: bool) -> bool:
        """Perform an operation; tell whether it came to its end."""
        if not kill:
            operation()
            return True
        with Crashes(self.root, kill, torn=torn) as crashes:
            try:
                operation()
            except Crash:
                return False
        return not crashes.is_dead


class _Listing(Listing):
    """An index whose next write does not depend on how long the last one took."""

    def _write(self, declared: Iterable[Variant]) -> None:
        super()._write(declared)
        self._due = 0.0


class Dist(_Machine):
    """Publish and withdraw ZIPs; `published` has the contents that ended operations left."""

    def __init__(self) -> None:
        super().__init__()
        self.layout = Layout(self.root)
        self.listing = _Listing(self.layout)
        self.published: dict[str, bytes | None] = {}  # None: a killed operation left it open

    def perform(self, operation: Callable[[], object], kill: int, *, torn: bool) -> bool:
        """Perform an operation; a killed process leaves its memory to nobody."""
        if done := super().perform(operation, kill, torn=torn):
            return done
        self.listing = _Listing(self.layout)
        # Entries that waited are lost, so nothing is known of them.
        self.published = dict.fromkeys(self.published)
        return done

    @rule(later=st.booleans())
    def write_the_index_later(self, later: bool) -> None:
        """Let entries wait until the end of the run, or not."""
        self.listing._due = math.inf if later else 0.0  # noqa: SLF001 - as with slow disks

    @rule(kill=KILLS)
    def flush(self, kill: int) -> None:
        """End the run."""
        if self.perform(self.listing.flush, kill, torn=False):
            assert dict(self.listing.entries()) == index.read(self.layout)

    @rule(variant=VARIANTS, content=CONTENTS, kill=KILLS, torn=st.booleans())
    def publish(self, variant: Variant, content: bytes, kill: int, torn: bool) -> None:
        def operation() -> None:
            with index.new_zip(self.layout, variant.id) as new:
                new.write_bytes(content)
                self.listing.publish(variant, described(content), new=new, declared=[API, JOBS])

        done = self.perform(operation, kill, torn=torn)
        self.published[variant.id] = content if done else None

    @rule(variant=VARIANTS, kill=KILLS)
    def withdraw(self, variant: Variant, kill: int) -> None:
        if self.perform(lambda: index.withdraw(self.layout, variant.id), kill, torn=False):
            self.published.pop(variant.id, None)
        else:
            self.published[variant.id] = None

    @rule(kill=KILLS)
    def withdraw_all(self, kill: int) -> None:
        names = [API.id, JOBS.id]
        done = self.perform(lambda: index.withdraw_all(self.layout, names), kill, torn=False)
        self.published = {} if done else dict.fromkeys(names)

    @rule(variant=VARIANTS)
    def note_unbuilt(self, variant: Variant) -> None:
        self.listing.note_unbuilt([variant], [API, JOBS])

    @rule(damage=st.sampled_from([b"", b"{", b"[]", b"null", b'{"api": 1}']))
    @precondition(lambda self: self.layout.index.exists())
    def damage_index(self, damage: bytes) -> None:
        self.layout.index.write_bytes(damage)
        self.published = dict.fromkeys([API.id, JOBS.id])

    @invariant()
    def nothing_contradicts(self) -> None:
        entries = index.read(self.layout)
        for name, entry in entries.items():
            if not index.is_built(entry):
                continue
            data = self.layout.zip(name).read_bytes()
            assert entry["sha256"] == hashlib.sha256(data).hexdigest()
        for checksum in self.layout.dist.glob("*.sha256"):
            value, name = checksum.read_text().split()
            assert value == hashlib.sha256((self.root / name).read_bytes()).hexdigest()
        for name, content in self.published.items():
            if content is not None:
                assert self.layout.zip(name).read_bytes() == content
                assert self.listing.entries()[name]["sha256"] == described(content).sha256


class Stored(_Machine):
    """Put, take and evict ZIPs; `put` are all contents that a key ever had."""

    shared = False

    def __init__(self) -> None:
        super().__init__()
        where = "shared" if self.shared else "off"
        self.cache = MachineCache(Layout(self.root), {"LAMBDA_ZIP_CACHE": where})
        self.cache.limit = 6000
        self.store = self.cache.store
        self.contents: dict[str, bytes] = {}

    KEYS = st.sampled_from(["a" * 64, "b" * 64, "c" * 64])

    @rule(key=KEYS, kill=KILLS, torn=st.booleans())
    def put(self, key: str, kill: int, torn: bool) -> None:
        # The same key always has the same bytes.
        content = f"{key[:1]}123456789".encode() * (100 * (ord(key[0]) - 96))
        source = self.root / "made"
        source.unlink(missing_ok=True)
        source.write_bytes(content)
        self.contents[key] = content
        self.perform(lambda: self.store.put(key, source, described(content)), kill, torn=torn)

    @rule(key=KEYS, kill=KILLS)
    def discard(self, key: str, kill: int) -> None:
        self.perform(lambda: self.store.discard(key), kill, torn=False)

    @rule(kill=KILLS)
    def evict(self, kill: int) -> None:
        if self.perform(self.cache.evict, kill, torn=False):
            assert sum(size for _, size, _ in self.store.entries()) <= self.cache.limit

    @rule(number=st.integers(0, 9), cut=st.booleans())
    def damage(self, number: int, cut: bool) -> None:
        files = sorted(self.store.folder.glob("*")) if self.store.folder.exists() else []
        if files:
            path = files[number % len(files)]
            content = path.read_bytes()
            changed = content[: len(content) // 2] if cut else content[::-1]
            path.unlink()  # not through a hard link
            path.write_bytes(changed)

    @rule(key=KEYS)
    def take(self, key: str) -> None:
        target = self.root / "taken"
        target.unlink(missing_ok=True)
        written = self.store.take(key, target)
        if written is None:
            assert not target.exists()
        else:
            content = target.read_bytes()
            assert content == self.contents[key]
            assert (written.sha256, written.size) == described(content)[:2]

    @rule(key=KEYS)
    def put_heals(self, key: str) -> None:
        self.put(key, 0, torn=False)
        assert self.store.find(key) is not None
        self.take(key)


class StoredElsewhere(Stored):
    """The same with a shared store."""

    shared = True


TestDist = Dist.TestCase
TestDist.settings = BOUNDS
TestStored = Stored.TestCase
TestStored.settings = BOUNDS
TestStoredElsewhere = StoredElsewhere.TestCase
TestStoredElsewhere.settings = BOUNDS
