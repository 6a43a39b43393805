"""The measured cold starts of each function, in build/.

They depend on the machine and its load, so they are no part of an artifact, of the index or of a
committed file. Each is of the ZIPs whose sha256 it has, and says nothing about others.
"""

import statistics
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from buildlib.files import locks, records
from buildlib.layout import Layout
from buildlib.model import Variant
from buildlib.project.project import Project

if TYPE_CHECKING:
    from buildlib.commands.coldstart.measure import Starts

# Measurements of a function that stay, the latest ones.
_MOST = 50

# The ms of a day: no start takes longer, and each time can be divided by another one.
_LONGEST = 86_400_000


class Surroundings(NamedTuple):
    """All that two measurements must share to be comparable.

    `image` is empty on this machine. `cpu` is the model of the processor. `is_cold` says that the
    function's files leave the page cache before each start.
    """

    image: str
    python: str
    machine: str
    cpu: str
    is_cold: bool

    def __str__(self) -> str:
        """Return the surroundings as one line."""
        place = f"in the image {self.image}" if self.image else "on the host"
        cpu = f" on {self.cpu}" if self.cpu else ""
        return f"{place}, with Python {self.python} for {self.machine}{cpu}, {self.cache}"

    @property
    def cache(self) -> str:
        """The state of the page cache."""
        if self.is_cold:
            return "with the code dropped from the page cache"
        return "with the engine's page cache, warm or not" if self.image else "with a warm cache"


class Measured(NamedTuple):
    """One measurement, with times in ms.

    `zips` are the sha256 of the function's ZIP and of its layers. `empty` are the starts of an
    empty module. `has_bytecode` says that no ZIP lacks bytecode. `others` are the starts of the
    other form, which has bytecode in all ZIPs, or in none if no ZIP lacks it; `size` is that of the
    bytecode that makes the difference, in bytes. Both are empty if they were not measured.
    """

    time: str
    zips: Sequence[str]
    surroundings: Surroundings
    has_bytecode: bool
    runs: Sequence[float]
    empty: Sequence[float]
    others: Sequence[float]
    size: int

    @property
    def median(self) -> float:
        """The median of the starts."""
        return statistics.median(self.runs)

    @property
    def base(self) -> float:
        """The median of the starts of an empty module."""
        return statistics.median(self.empty)

    @property
    def when(self) -> str:
        """The time, to the minute."""
        return f"{self.time[:16].replace('T', ' ')} UTC"

    @property
    def saving(self) -> "Saving | None":
        """The time that bytecode saves; None if it was not measured."""
        if not self.others:
            return None
        pair = (self.runs, self.others) if self.has_bytecode else (self.others, self.runs)
        return Saving(*pair, self.size, max(self.empty) - min(self.empty))


class Saving(NamedTuple):
    """Starts with bytecode and without it, in ms, and the size of the bytecode in bytes.

    `noise` is the spread of the starts of an empty module, in ms: the machine alone makes that.
    """

    having: Sequence[float]
    lacking: Sequence[float]
    size: int
    noise: float

    @property
    def ms(self) -> float:
        """The difference of the medians; negative if bytecode makes starts slower."""
        return statistics.median(self.lacking) - statistics.median(self.having)

    @property
    def part(self) -> float:
        """The part of the time without bytecode that it saves."""
        return self.ms / statistics.median(self.lacking)

    @property
    def is_clear(self) -> bool:
        """Tell whether even the fastest start of one form is slower than most of the other.

        The difference must also be larger than the noise.
        """
        if abs(self.ms) <= self.noise:
            return False
        return min(self.lacking) > statistics.median(self.having) or min(
            self.having
        ) > statistics.median(self.lacking)


def of(project: Project, starts: "Starts") -> Measured:
    """Return a measurement of now."""
    other = starts.other
    return Measured(
        datetime.now(UTC).isoformat(timespec="seconds"),
        zips(project, starts.variant),
        starts.surroundings,
        starts.has_bytecode,
        starts.runs,
        starts.empty,
        other.runs if other else (),
        other.size if other else 0,
    )


def zips(project: Project, variant: Variant) -> list[str]:
    """Return the sha256 of the ZIPs in dist/ that start: the function's, and those of its layers.

    One that is not there has an empty text, which no measurement has.
    """
    variants = (variant, *project.layer_variants(variant))
    return [project.index().get(one.id, {}).get("sha256") or "" for one in variants]


def keep(layout: Layout, variant_id: str, measured: Measured) -> list[Measured]:
    """Add a measurement to the others; return those before it, in their order."""
    with locks.locked(layout.lock(f"starts-{variant_id}")):
        earlier = read(layout, variant_id)
        kept = [*earlier, measured][-_MOST:]
        records.write(layout.starts(variant_id), kept)
    return earlier


def read(layout: Layout, variant_id: str) -> list[Measured]:
    """Return the measurements of a variant, the latest last."""
    rows = records.read(layout.starts(variant_id), _SHAPE) or []
    return [Measured(*row)._replace(surroundings=Surroundings(*row[2])) for row in rows]


def of_zips(found: Iterable[Measured], shown: Sequence[str]) -> list[Measured]:
    """Return the measurements of these ZIPs."""
    return [one for one in found if list(one.zips) == list(shown)]


def compared(found: Iterable[Measured]) -> Measured | None:
    """Return the latest measurement of both forms."""
    return next((one for one in reversed([*found]) if one.others), None)


def _ms(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return type(value) in {int, float} and 0 < value < _LONGEST


def _flag(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, bool)


def _times(value: Any) -> bool:  # noqa: ANN401
    return bool(value) and records.list_of(_ms)(value)


def _zips(value: Any) -> bool:  # noqa: ANN401
    return bool(value) and records.list_of(records.sha256)(value)


_SURROUNDINGS = records.row(records.text, records.text, records.text, records.text, _flag)

_SHAPE = records.list_of(
    records.row(
        records.text,
        _zips,
        _SURROUNDINGS,
        _flag,
        _times,
        _times,
        records.list_of(_ms),
        records.number,
    )
)
