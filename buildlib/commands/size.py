"""`doit size`: the size of each variant against Lambda's limits."""

from collections.abc import Iterator

from buildlib import text
from buildlib.archive import contents
from buildlib.artifacts import index, limits
from buildlib.project.project import Project
from buildlib.runtimes import UNZIPPED_LIMIT, ZIPPED_LIMIT


def sizes(project: Project) -> Iterator[str]:
    """Yield a table of the ZIPs in dist/: sizes, share of the limit, largest packages."""
    rows = [("variant", "zipped", "unzipped", "of limit", "layers", "the largest in it")]
    missing = []
    for one in project.variants.values():
        entry, path = project.index().get(one.id), project.layout.zip(one.id)
        if entry is None or not index.is_built(entry) or not path.exists():
            missing.append(one.id)
            continue
        part = entry["unzipped_size"] / limits.limit(one.function)
        largest = [
            f"{p.name} {text.megabytes(p.size)}"
            for p in contents.parts(contents.of_zip(path), project.sources(one.function))[:3]
        ]
        shown = (text.megabytes(entry["size"]), text.megabytes(entry["unzipped_size"]))
        rows.append((one.id, *shown, f"{part:.1%}", "none", ", ".join(largest)))
    yield from text.table(rows)
    yield f"Lambda takes {text.megabytes(UNZIPPED_LIMIT)} unzipped together with the layers, which"
    yield f"are not declared here, and {text.megabytes(ZIPPED_LIMIT)} zipped in a direct upload."
    if missing:
        yield f"Not built: {', '.join(missing)}"
