"""Why something will be built, or was: in words, from the data that decide it."""

from collections.abc import Iterator

from buildlib import files, lock, recipe, size, steps
from buildlib.errors import BuildError
from buildlib.model import Variant
from buildlib.project import Project
from buildlib.runtimes import UNZIPPED_LIMIT, ZIPPED_LIMIT


def variant(project: Project, one: Variant) -> Iterator[str]:
    """Yield a line for each step of a variant that has something to do, or one that none has."""
    try:
        yield from _variant(project, one)
    except BuildError as error:
        yield f"{one.id}: cannot be built as it is"
        yield from (f"  {line}" for line in str(error).splitlines())


def sizes(project: Project) -> Iterator[str]:
    """Yield a table of what is in dist/: the sizes, what Lambda takes, what is large."""
    rows = [("variant", "zipped", "unzipped", "of limit", "layers", "the largest in it")]
    missing = []
    for one in project.variants.values():
        entry, path = project.index().get(one.id), project.layout.zip(one.id)
        if entry is None or not path.exists():
            missing.append(one.id)
            continue
        part = entry["unzipped_size"] / size.limit(one.function)
        largest = [
            f"{p.name} {size.megabytes(p.size)}"
            for p in size.parts(path, project.sources(one.function))[:3]
        ]
        shown = (size.megabytes(entry["size"]), size.megabytes(entry["unzipped_size"]))
        rows.append((one.id, *shown, f"{part:.1%}", "none", ", ".join(largest)))
    yield from size.table(rows)
    yield f"Lambda takes {size.megabytes(UNZIPPED_LIMIT)} unzipped together with the layers, which"
    yield f"are not declared here, and {size.megabytes(ZIPPED_LIMIT)} zipped in a direct upload."
    if missing:
        yield f"Not built: {', '.join(missing)}"


def _variant(project: Project, one: Variant) -> Iterator[str]:
    function = one.function
    requirements = project.requirements(function)
    if requirements is not None and function.lock is not None:
        path, python = project.layout.root / function.lock, project.lowest_python(function)
        problem = lock.state(path, requirements, python)
        if problem is not None:
            yield f"{one.id}: lock:{function.name} will run: {function.lock} {problem}"
            yield "  what else will run depends on the new lock"
            return
    stamp = files.read_json(project.layout.stamp("zip", one.id)) or {}
    if project.built(one):
        if steps.hash_is_done(project, one):
            yield f"{one.id}: nothing will run"
        else:
            yield f"{one.id}: hash will run: what describes it in dist/ is not right"
        yield from (f"  last built: {reason}" for reason in stamp.get("reasons", []))
        return
    now = project.artifact(one)
    reasons = recipe.difference(stamp["recipe"], now) if "recipe" in stamp else ["not built yet"]
    reasons = reasons or [f"dist/{one.id}.zip is missing or damaged"]
    if project.stored(one):
        yield f"{one.id}: hash will run, and take the ZIP from the store"
    else:
        wanted = [step.name for step in steps.STEPS if not step.is_done(project, one)]
        yield f"{one.id}: {', '.join(wanted)} will run"
    yield from (f"  {reason}" for reason in reasons)
