"""`doit size`: the size of each variant against Lambda's limits."""

from collections.abc import Iterator

from buildlib import text
from buildlib.archive import contents
from buildlib.artifacts import index, limits
from buildlib.code import available
from buildlib.project.project import Project
from buildlib.runtimes import UNZIPPED_LIMIT, ZIPPED_LIMIT


def sizes(project: Project) -> Iterator[str]:
    """Yield a table of the ZIPs in dist/: sizes, share of the limit, largest packages."""
    rows = [("variant", "zipped", "unzipped", "of limit", "layers", "the largest in it")]
    missing = []
    shadowing: dict[str, list[str]] = {}
    for one in project.variants.values():
        entry, path = project.index().get(one.id), project.layout.zip(one.id)
        if entry is None or not index.is_built(entry) or not path.exists():
            missing.append(one.id)
            continue
        in_layers = sum(_unzipped(project, layer.id) for layer in project.declared_layers(one))
        part = (entry["unzipped_size"] + in_layers) / limits.limit(one.function)
        parts = contents.parts(contents.of_zip(path), project.sources(one.function))
        for name in filter(_is_in_runtime, (p.name for p in parts)):
            shadowing.setdefault(name, []).append(one.id)
        largest = [f"{p.name} {text.megabytes(p.size)}" for p in parts[:3]]
        shown = (text.megabytes(entry["size"]), text.megabytes(entry["unzipped_size"]))
        layers = text.megabytes(in_layers) if one.function.layers else "none"
        rows.append((one.id, *shown, f"{part:.1%}", layers, ", ".join(largest)))
    yield from text.table(rows)
    yield f"Lambda takes {text.megabytes(UNZIPPED_LIMIT)} unzipped together with the layers, also"
    yield f"those of others, and {text.megabytes(ZIPPED_LIMIT)} zipped in a direct upload."
    for name, variants in sorted(shadowing.items()):
        yield f"Used instead of the runtime's: {name} in {', '.join(variants)}"
    if missing:
        yield f"Not built: {', '.join(missing)}"


def _unzipped(project: Project, variant_id: str) -> int:
    """Return the size of a layer's files in bytes; 0 if it is not built."""
    return int(project.index().get(variant_id, {}).get("unzipped_size", 0))


def _is_in_runtime(part: str) -> bool:
    return text.canonical_name(part.partition(" ")[0]) in available.DISTRIBUTIONS
