"""The data of the report as plain values, from the stamps of the steps and from the ZIPs."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from buildlib import __version__, recipe, text
from buildlib.archive import contents, distributions
from buildlib.archive.contents import OWN_FILES, Part, Placed
from buildlib.archive.reader import ZipReader
from buildlib.archive.savings import Known
from buildlib.artifacts import limits
from buildlib.errors import BuildError
from buildlib.files import records
from buildlib.model import Variant, Written
from buildlib.project.project import Project
from buildlib.runtimes import RUNTIMES
from buildlib.steps import times
from buildlib.steps import zip as archive
from buildlib.steps.pending import STEPS


class Dependency(NamedTuple):
    """A locked distribution; its version and licence are empty if its metadata has none."""

    name: str
    version: str
    licence: str


class Build(NamedTuple):
    """The build of a variant's ZIP; None or empty means unknown.

    `written` is the ZIP of the present inputs. Without it, `why_not` says why, `failed` that the
    last run tried, and `stale` is the ZIP of earlier inputs in dist/, if there is one.

    `limit` is in bytes unzipped; `environment` is the id of the environment, which variants with
    the same dependencies share; `seconds` has the time of each step that ran for this ZIP, by name.
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
    failed: bool = False
    stale: Written | None = None

    @property
    def is_stored(self) -> bool:
        """Whether the ZIP came from the cache or the remote cache."""
        return self.origin != "build"


class Content(NamedTuple):
    """The parts of a ZIP, largest first, its locked dependencies, by name, and its files."""

    parts: list[Part]
    dependencies: list[Dependency]
    files: list[Placed]


class Lock(NamedTuple):
    """The lock of a function; `seconds` is None if locking did not run in this checkout."""

    path: str | None
    seconds: float | None


def builds(project: Project, problems: Mapping[str, str] = MappingProxyType({})) -> Iterator[Build]:
    """Yield the build of each variant, with the reason if the variant is not built.

    `problems` has the messages of the variants that failed in this run, by their ids.
    """
    known = times.read(project.layout)
    for variant in project.variants.values():
        build = _build(project, variant, known)
        if build.written is None:
            build = build._replace(stale=_stale(project, variant))
            if variant.id in problems:
                build = build._replace(why_not=problems[variant.id], failed=True)
        yield build


def _stale(project: Project, variant: Variant) -> Written | None:
    """Return the ZIP in dist/ of earlier inputs, as the index describes it."""
    entry = project.index().get(variant.id)
    row: list[Any] = [(entry or {}).get(name) for name in ("sha256", "size", "unzipped_size")]
    if not records.WRITTEN(row) or not project.layout.zip(variant.id).exists():
        return None  # or the index was edited
    return Written(*row)


def _build(project: Project, variant: Variant, known: times.Times) -> Build:
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
        return build._replace(why_not=str(error), failed=True)
    if written is None:
        no_engine = "Its dependencies need a container, and no Docker engine was available."
        return build._replace(why_not=no_engine if function.docker else "It is not built.")
    stamp = archive.load(project.layout, variant.id)
    if stamp is None:  # removed in the meantime
        return build._replace(why_not="It is not built.")
    environment = stamp.recipe["environment"]
    seconds = {step.name: known.seconds(step.name, variant.id, stamp.key) for step in STEPS}
    return build._replace(
        written=written,
        environment=recipe.key(environment)[:8] if environment["packages"] else "",
        reasons=stamp.reasons,
        origin=stamp.origin,
        previous=stamp.previous,
        seconds={name: time for name, time in seconds.items() if time is not None},
    )


_CONTENT = records.fields(
    of=records.row(records.text, records.text, records.sha256),
    dependencies=records.list_of(records.row(records.text, records.text, records.text)),
    files=records.list_of(
        records.row(records.text, records.number, records.text, records.text),
    ),
)


def content(project: Project, variant: Variant, written: Written, known: Known) -> Content:
    """Return the content of the ZIP of a built variant.

    The savings in a ZIP need all of its code to be read, so they are kept for the next report, and
    `known` modules are kept for the other ZIPs of this one.
    """
    path = project.layout.stamp("report", variant.id)
    of = [__version__, project.inputs(variant).key, written.sha256]
    record = records.read(path, _CONTENT)
    if record is None or record["of"] != of:
        dependencies, files = _read(project, variant, known)
        record = {"of": of, "dependencies": dependencies, "files": files}
        records.write(path, record)
    files = [Placed(*row) for row in record["files"]]
    dependencies = [Dependency(*row) for row in record["dependencies"]]
    return Content(contents.parts_of(files), dependencies, files)


def _read(
    project: Project, variant: Variant, known: Known
) -> tuple[list[Dependency], list[Placed]]:
    """Return the locked dependencies and the files in the ZIP of a variant."""
    path = project.layout.zip(variant.id)
    metadata = distributions.metadata(ZipReader(path))
    packages = project.inputs(variant).environment_recipe["packages"]
    dependencies = []
    for name, pin in packages.items():
        message = metadata.get(name)
        expression, names = distributions.licences(message) if message else ("", [])
        licence = expression or ", ".join(names)
        dependencies.append(Dependency(name, distributions.version(pin, message), licence))
    own = project.sources(variant.function)
    files = list(contents.placed(contents.of_zip(path), own, known=known))
    labels = {part: _label(part) for part in {file.part for file in files}}
    return dependencies, [file._replace(part=labels[file.part]) for file in files]


def labelled(parts: Iterable[Part]) -> list[Part]:
    """Return parts with the normalised names of their distributions, as lockfiles have them."""
    return [part._replace(name=_label(part.name)) for part in parts]


def _label(part: str) -> str:
    name, space, version = part.partition(" ")
    return part if part == OWN_FILES or not space else f"{text.canonical_name(name)} {version}"


def locks(project: Project) -> dict[str, Lock]:
    """Return the lock of each function, by its name."""
    known = times.read(project.layout)
    return {
        function.name: Lock(
            function.lockfile, known.seconds("lock", function.name) if function.lockfile else None
        )
        for function in project.manifest.functions
    }
