"""What the report shows, as plain values: from the records of the steps, and from the ZIPs."""

from collections.abc import Iterator
from typing import NamedTuple

from buildlib import recipe
from buildlib.archive import contents, distributions
from buildlib.archive.contents import Part
from buildlib.archive.reader import ZipReader
from buildlib.artifacts import limits
from buildlib.errors import BuildError
from buildlib.model import Function, Variant, Written
from buildlib.project.project import Project
from buildlib.runtimes import RUNTIMES
from buildlib.steps import times
from buildlib.steps import zip as archive
from buildlib.steps.pending import STEPS


class Dependency(NamedTuple):
    """A locked distribution; its version and licence are empty if it says none."""

    name: str
    version: str
    licence: str


class Build(NamedTuple):
    """How the ZIP of a variant came to be; what is None or empty is not known.

    `limit` is in bytes unzipped; `environment` names what variants with the same dependencies
    share; `seconds` are those of the steps that had something to do for this ZIP, by their names.
    """

    id: str
    function: str
    handler: str
    runtime: str
    architecture: str
    limit: int
    written: Written | None
    why_not: str
    environment: str
    reasons: list[str]
    origin: str
    previous: Written | None
    seconds: dict[str, float]

    @property
    def is_stored(self) -> bool:
        """Whether the ZIP was taken from the store."""
        return self.origin == "store"


class Content(NamedTuple):
    """What is in a ZIP, the largest first, and what was locked for it, by name."""

    parts: list[Part]
    dependencies: list[Dependency]


class Lock(NamedTuple):
    """The lock of a function; its time in seconds is None if it was not made here."""

    path: str | None
    seconds: float | None


def builds(project: Project) -> Iterator[Build]:
    """Yield how each variant was built, or why it was not."""
    for variant in project.variants.values():
        yield _build(project, variant)


def _build(project: Project, variant: Variant) -> Build:
    function = variant.function
    build = Build(
        id=variant.id,
        function=function.name,
        handler=function.handler,
        runtime=RUNTIMES[variant.python].identifier,
        architecture=variant.architecture,
        limit=limits.limit(function),
        written=None,
        why_not="",
        environment="",
        reasons=[],
        origin="",
        previous=None,
        seconds={},
    )
    try:
        written = project.status(variant).written
    except BuildError as error:
        return build._replace(why_not=str(error))
    if written is None:
        left_out = "Dependencies are installed in a container, and no engine was there for it."
        return build._replace(why_not=left_out if function.docker else "It is not built.")
    stamp = archive.load(project.layout, variant.id)
    if stamp is None:  # removed meanwhile
        return build._replace(why_not="It is not built.")
    environment = stamp.recipe["environment"]
    seconds = {
        step.name: times.seconds(project.layout, step.name, variant.id, stamp.key) for step in STEPS
    }
    return build._replace(
        written=written,
        environment=recipe.key(environment)[:8] if environment["packages"] else "",
        reasons=stamp.reasons,
        origin=stamp.origin,
        previous=stamp.previous,
        seconds={name: taken for name, taken in seconds.items() if taken is not None},
    )


def content(project: Project, variant: Variant) -> Content:
    """Return what is in the ZIP of a variant that is built."""
    path = project.layout.zip(variant.id)
    known = distributions.metadata(ZipReader(path))
    packages = project.inputs(variant).environment_recipe["packages"]
    found = []
    for name, pin in packages.items():
        message = known.get(name)
        expression, names = distributions.licences(message) if message else ("", [])
        licence = expression or ", ".join(names)
        found.append(Dependency(name, distributions.version(pin, message), licence))
    return Content(contents.parts(path, project.sources(variant.function)), found)


def lock(project: Project, function: Function) -> Lock:
    """Return the lock of a function."""
    seconds = times.seconds(project.layout, "lock", function.name) if function.lock else None
    return Lock(function.lock, seconds)
