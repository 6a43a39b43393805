"""The comparison with an earlier index: `doit report --against FILE`.

The file is a `lambdas.json`, or the `lambdas.hashes.json` of a branch, which has no sizes. The
packages of an earlier ZIP are known if it is in the folder of the file, as in a `dist/` from CI.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.archive import contents
from buildlib.archive.contents import OWN_FILES, Part
from buildlib.artifacts import earlier, index
from buildlib.artifacts.earlier import Earlier
from buildlib.commands.report.facts import Build, Content, labelled
from buildlib.errors import BuildError
from buildlib.model import Written


class Index(NamedTuple):
    """An earlier index; `file` is the path as it was given.

    `listed` has the variants whose ZIPs are in the folder of the file.
    """

    file: str
    entries: Mapping[str, Earlier]
    listed: list[str]

    @property
    def state(self) -> list[object]:
        """All that a comparison depends on."""
        return [self.file, sorted(self.entries.items()), self.listed]


class Change(NamedTuple):
    """A variant then and now: `new`, `gone`, `changed`, `the same`, or `not built` now."""

    id: str
    how: str
    earlier: Earlier | None
    written: Written | None

    @property
    def growth(self) -> int | None:
        """The bytes unzipped that it grew by; None if a size is unknown."""
        before = self.earlier.unzipped_size if self.earlier else 0
        now = self.written.unzipped_size if self.written else 0
        is_known = before is not None and self.how != NOT_BUILT
        return now - before if is_known and before is not None else None


class Growth(NamedTuple):
    """A part in all variants whose earlier ZIP is known: its unzipped bytes, then and now."""

    name: str
    before: int
    now: int


class Comparison(NamedTuple):
    """The changes since an earlier index, their number by kind, and the growth of parts.

    `listed` is the number of changed variants whose earlier contents are known, of `compared`.
    """

    file: str
    counts: list[tuple[int, str]]
    changes: list[Change]
    parts: list[Growth]
    listed: int
    compared: int


NEW, GONE, CHANGED, SAME, NOT_BUILT = "new", "gone", "changed", "the same", "not built"


_ORDER = (CHANGED, NEW, GONE, NOT_BUILT, SAME)


def read(root: Path, file: str) -> Index | None:
    """Return the index in a file, relative to the root; None without a file.

    Raises:
        BuildError: the file is missing, or no index.

    """
    if not file:
        return None
    known = earlier.read(root / file)
    folder = (root / file).parent
    listed = [name for name in known if index.is_id(name) and (folder / f"{name}.zip").is_file()]
    return Index(file, known, listed)


def compare(
    root: Path, earlier: Index, builds: Sequence[Build], now: Mapping[str, Content]
) -> Comparison:
    """Return the changes since an earlier index."""
    changes = sorted(_changes(earlier.entries, builds), key=_rank)
    moved = [change for change in changes if change.how in {CHANGED, NEW, GONE}]
    sums: dict[str, list[int]] = {}
    listed = 0
    folder = (root / earlier.file).parent
    for change in moved:
        then = _parts(folder, change) if change.earlier else []
        if then is None:
            continue
        listed += 1
        present = now[change.id].parts if change.written else []
        for position, parts in enumerate((then, present)):
            for part in parts:
                sums.setdefault(_name(part, present), [0, 0])[position] += part.size
    growth = [Growth(name, *sizes) for name, sizes in sums.items() if sizes[0] != sizes[1]]
    growth.sort(key=lambda part: (-abs(part.now - part.before), part.name))
    numbers = Counter(change.how for change in changes)
    counts = [(numbers[how], how) for how in _ORDER if numbers[how]]
    return Comparison(earlier.file, counts, changes, growth, listed, len(moved))


def _name(part: Part, present: Sequence[Part]) -> str:
    """Return the name of a part without its version.

    The own files of an earlier ZIP are those that no RECORD lists, and no part of now has.
    """
    name, is_recorded, _ = part.name.partition(" ")
    is_known = is_recorded or any(one.name == name for one in present)
    return name if is_known and part.name != OWN_FILES else OWN_FILES


def _changes(earlier: Mapping[str, Earlier], builds: Sequence[Build]) -> Iterator[Change]:
    for build in builds:
        before = earlier.get(build.id)
        if build.written is None:
            how = NOT_BUILT
        elif before is None:
            how = NEW
        else:
            how = SAME if before.sha256 == build.written.sha256 else CHANGED
        yield Change(build.id, how, before, build.written)
    declared = {build.id for build in builds}
    for name, before in earlier.items():
        if name not in declared:
            yield Change(name, GONE, before, None)


def _rank(change: Change) -> tuple[int, int, str]:
    return _ORDER.index(change.how), -abs(change.growth or 0), change.id


def _parts(folder: Path, change: Change) -> list[Part] | None:
    """Return the parts of the earlier ZIP in this folder; None if it is not there."""
    path = folder / f"{change.id}.zip"
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if change.earlier is None or digest != change.earlier.sha256:
            return None
        files = contents.placed(contents.of_zip(path), (), with_savings=False)
        return labelled(contents.parts_of(files))
    except (OSError, BuildError):
        return None
