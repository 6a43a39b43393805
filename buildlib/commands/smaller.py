"""The bytes that `strip`, `aws_services` and `compression: best` save in a ZIP."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib import recipe
from buildlib.archive import compress
from buildlib.archive.reader import ZipReader
from buildlib.errors import BuildError
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.steps import strip, venv
from buildlib.tree import services


class Saved(NamedTuple):
    """An option and its savings in bytes, of the unzipped files or the ZIP; `what` names them."""

    option: str
    size: int
    is_zipped: bool
    what: str


class Deflated:
    """The sizes of contents at the usual level, each compressed once for all ZIPs that have it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], int] = {}

    def saved(self, path: Path) -> int:
        """Return the bytes by which a ZIP with `compression: best` is smaller."""
        archive, total = ZipReader(path), 0
        for one in archive.members:
            key = (one.fields["CRC-32"], one.size, one.compressed_size)
            if key not in self._known:
                self._known[key] = compress.usual_size(archive.content(one) or b"")
            total += self._known[key] - one.compressed_size
        return total


def saved(project: Project, variant: Variant, deflated: Deflated) -> Iterator[Saved]:
    """Yield the savings of a variant that is built; an option that saves nothing has none.

    Those of dependencies are known where they are installed, not where the ZIP is from a cache.
    """
    function = variant.function
    try:
        key = recipe.key(project.environment_recipe(variant))
    except BuildError:  # a build says so
        return
    done = strip.load(project.layout, key) if function.strip else None
    if done and done.after < done.before:
        what = f"{done.files} shared object{'' if done.files == 1 else 's'}"
        yield Saved("strip", done.before - done.after, is_zipped=False, what=what)
    keep = services.keeper(function)
    environment = venv.load(project.layout, key) if keep else None
    if keep and environment:
        left = [file for file in environment.files if not keep(file.path)]
        if left:
            count = len(services.described(file.path for file in left))
            size = sum(file.size for file in left)
            yield Saved(services.KEY, size, is_zipped=False, what=f"{count} services left out")
    if function.compression == "best":
        size = deflated.saved(project.layout.zip(variant.id))
        if size <= 0:
            return
        yield Saved("compression: best", size, is_zipped=True, what="over deflate")
