"""The cold starts of each variant in the report, as `lambdas coldstart` measured them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from buildlib.commands.coldstart import kept
from buildlib.commands.coldstart.kept import Measured
from buildlib.commands.report.facts import Build, Content
from buildlib.project.project import Project

# Measurements of a variant that are listed, the latest ones.
_LISTED = 10


class Start(NamedTuple):
    """The bytecode in the ZIP of a variant, in bytes, and its measurements.

    `latest` is that of the ZIP in dist/, and `compared` that with both forms of it. `earlier` has
    all kept ones, the latest first, each with whether it is of this ZIP.
    """

    id: str
    is_layer: bool
    bytecode: int
    latest: Measured | None
    compared: Measured | None
    earlier: Sequence[tuple[Measured, bool]]


def read(
    project: Project, builds: Iterable[Build], contents: Mapping[str, Content]
) -> dict[str, Start]:
    """Return the starts of each built variant."""
    found = {}
    for build in builds:
        if build.written is None:
            continue
        variant = project.variants[build.id]
        every = kept.read(project.layout, build.id)
        same = kept.of_zips(every, kept.zips(project, variant))
        files = contents[build.id].files
        found[build.id] = Start(
            build.id,
            variant.function.is_layer,
            sum(file.size for file in files if file.path.endswith(".pyc")),
            same[-1] if same else None,
            kept.compared(same),
            [(one, one in same) for one in reversed(every[-_LISTED:])],
        )
    return found
