"""`lambdas size`: the size of each variant against Lambda's limits."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from buildlib import text
from buildlib.archive import contents, savings
from buildlib.artifacts import index, limits, possible
from buildlib.artifacts.possible import Possible
from buildlib.code import available
from buildlib.commands import duplicates, smaller
from buildlib.commands.duplicates import Duplicate
from buildlib.commands.smaller import Saved
from buildlib.errors import BuildError
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.runtimes import UNZIPPED_LIMIT, ZIPPED_LIMIT

# Parts that are shown of a variant.
_SHOWN = 3


class Part(NamedTuple):
    """A distribution, or the own code, in a ZIP; `size` is in bytes, unzipped."""

    name: str
    size: int


class Size(NamedTuple):
    """The size of a variant in bytes.

    `layers` is that of its declared layers, `share` the part of the limit that they take together,
    `parts` the content of the ZIP, the largest first, `saved` the savings of its options,
    `possible` those of options that it does not have, and `duplicates` the libraries that it has
    more than once. A ZIP that `is_stale` is not of the present inputs, so its options are not known
    and it has no savings.
    """

    id: str
    zipped: int
    unzipped: int
    layers: int
    share: float
    parts: Sequence[Part]
    saved: Sequence[Saved] = ()
    possible: Sequence[Possible] = ()
    duplicates: Sequence[Duplicate] = ()
    is_stale: bool = False

    @property
    def in_runtime(self) -> list[str]:
        """The parts that the runtime has, too, and of which Python takes these."""
        names = (part.name for part in self.parts)
        return [name for name in names if _canonical(name) in available.DISTRIBUTIONS]


def measure(project: Project, variants: Iterable[Variant]) -> tuple[list[Size], list[str]]:
    """Return the sizes of variants, and the ids of those that are not built."""
    found, missing, deflated = [], [], smaller.Deflated()
    words: savings.Known = {}
    offered = possible.Known({}, {})
    for one in variants:
        entry, path = project.index().get(one.id), project.layout.zip(one.id)
        if entry is None or not index.is_built(entry) or not path.exists():
            missing.append(one.id)
            continue
        layers = sum(_unzipped(project, layer.id) for layer in project.declared_layers(one))
        share = (entry["unzipped_size"] + layers) / limits.limit(one.function)
        files, own = contents.of_zip(path), project.sources(one.function)
        parts = contents.parts(files, own, words)
        shown = [Part(part.name, part.size) for part in parts]
        sizes = entry["size"], entry["unzipped_size"]
        twice, is_stale = duplicates.find(path), _is_stale(project, one)
        saved = [] if is_stale else list(smaller.saved(project, one, deflated))
        offers = [] if is_stale else possible.find(one.function, files, own, offered)
        found.append(Size(one.id, *sizes, layers, share, shown, saved, offers, twice, is_stale))
    return found, missing


def lines(project: Project, variants: Sequence[Variant]) -> Iterator[str]:
    """Yield a table of the ZIPs in dist/: sizes, share of the limit, largest packages."""
    found, missing = measure(project, variants)
    with_layers = any(variant.function.layers for variant in variants)
    columns = ("variant", "zipped", "unzipped", "of limit", "layers", "largest packages")
    rows = [columns, *map(_row, found)]
    yield from text.table([row if with_layers else (*row[:4], *row[5:]) for row in rows])
    yield f"Limits: {text.megabytes(UNZIPPED_LIMIT)} unzipped, layers included, and"
    yield f"{text.megabytes(ZIPPED_LIMIT)} zipped for a direct upload."
    shadowing: dict[str, list[str]] = {}
    for size in found:
        for name in size.in_runtime:
            shadowing.setdefault(name, []).append(size.id)
    for name, ids in sorted(shadowing.items()):
        yield f"Replaces the runtime's copy: {name} in {', '.join(ids)}"
    yield from _savings(found)
    if stale := [size.id for size in found if size.is_stale]:
        yield f"Out of date: {', '.join(stale)}; run 'lambdas build'"
    if missing:
        yield f"Not built: {', '.join(missing)}"


def _is_stale(project: Project, variant: Variant) -> bool:
    """Tell whether a ZIP is not of the present manifest and files."""
    try:
        is_built = project.status(variant).written is not None
        return not is_built or bool(project.lock_problem(variant.function))
    except BuildError:  # a build says what is wrong with the inputs
        return True


def _row(size: Size) -> tuple[str, ...]:
    largest = [f"{part.name} {text.amount(part.size)}" for part in size.parts[:_SHOWN]]
    return (
        size.id,
        text.amount(size.zipped),
        text.amount(size.unzipped),
        f"{size.share:.1%}",
        text.amount(size.layers) if size.layers else "-",
        ", ".join(largest),
    )


def _savings(found: Iterable[Size]) -> Iterator[str]:
    """Yield savings of options, possible ones, and duplicates that are left, by variant."""
    for size in found:
        shown = [
            f"{text.amount(one.size)} {'zipped' if one.is_zipped else 'unzipped'} by "
            f"'{one.option}' ({one.what})"
            for one in size.saved
        ]
        if shown:
            yield f"Saved in {size.id}: {'; '.join(shown)}"
    possible_in: dict[str, list[str]] = {}
    for size in found:
        for offer in size.possible:
            possible_in.setdefault(str(offer), []).append(size.id)
    for line, ids in possible_in.items():
        yield f"Possible in {', '.join(ids)}: {line}"
    for size in found:
        for one in size.duplicates[:_SHOWN]:
            what = "The same library" if one.is_same else "Builds of one library"
            taken = f"{text.amount(one.unzipped)} unzipped, {text.amount(one.zipped)} zipped"
            yield f"{what} in {size.id}: {', '.join(one.paths)}; the copies take {taken}"
        spare = [f'"/{path}"' for one in size.duplicates for path in one.spare]
        if spare:
            yield f"No machine code in {size.id} loads these: exclude: [{', '.join(spare)}]"


def _unzipped(project: Project, variant_id: str) -> int:
    """Return the size of a layer's files in bytes; 0 if it is not built."""
    return int(project.index().get(variant_id, {}).get("unzipped_size", 0))


def _canonical(part: str) -> str:
    return text.canonical_name(part.partition(" ")[0])
