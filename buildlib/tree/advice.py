"""Describe imports that fail, each with its remedy."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib.code import available, distributions
from buildlib.code.check import Missing
from buildlib.code.places import LATER
from buildlib.files.walk import JUNK_FOLDERS
from buildlib.manifest import locations
from buildlib.model import LAYER_PREFIX, Function, Pin, Variant
from buildlib.text import canonical_name

# Folders that are looked at for a module that is elsewhere in the repository.
_FOLDERS = 2_000


_HOPS = 4


class Surroundings(NamedTuple):
    """The things outside of a tree that may explain a missing module.

    `environments` is the folder of the installed environments, `pins` are those of the function,
    and `left_out` the paths of own files that are left out by default, relative to the tree.
    `unseen` are modules at the wrong place in a layer: their path there, its name and their path in
    the repository.
    """

    root: Path
    environments: Path
    pins: tuple[Pin, ...] = ()
    left_out: tuple[str, ...] = ()
    unseen: tuple[tuple[str, tuple[str, str]], ...] = ()


class Advice:
    """Describes the missing imports of a variant; `names` maps paths in the tree to sources."""

    def __init__(
        self, variant: Variant, names: dict[str, str], paths: Collection[str], around: Surroundings
    ) -> None:
        self.variant, self.names, self.around = variant, names, around
        self._top = {path.partition("/")[0].removesuffix(".py") for path in paths}

    def error(self, one: Missing) -> str:
        """Return the message about an import that fails, with its place."""
        gap, (path, line) = one.gap, one.at
        where = f"{self.names[path]}:{line}: import of '{gap.name}'"
        if gap.problem:
            target = self.names.get(gap.target, gap.target)
            return f"{where} {gap.problem.format(target=target)}{self._way(one)}"
        return f"{where}: {self._reason(one)}{self._way(one)}"

    def doubt(self, one: Missing, *, edits_path: bool) -> tuple[str, str]:
        """Return the warning about an import that may fail, and its place."""
        gap, (path, line) = one.gap, one.at
        at = f"{self.names[path]}:{line}"
        if gap.problem:
            target = self.names.get(gap.target, gap.target)
            return f"import of '{gap.name}' {gap.problem.format(target=target)}", at
        what, lack = f"optional import of '{gap.name}'", "nothing in the ZIP provides it"
        if one.place == LATER:
            what = f"import of '{gap.name}' in a function"
        elif edits_path:
            what, lack = f"import of '{gap.name}'", f"{lack}, unless a change of sys.path does"
        likely = self._likely(one)
        remedy = f"add {likely}, or set" if likely else "to settle it, set"
        return f"{what}: {lack}; {remedy} 'allow_missing_imports: [{gap.broken}]'", at

    def _reason(self, one: Missing) -> str:
        """Return the reason and the remedy for a module that nothing provides."""
        broken, python = one.gap.broken, self.variant.python
        if other := available.elsewhere(broken, python):
            return f"{other}; replace it, or {self._allow(one)}"
        if new := distributions.python2(broken):
            return f"this is a module of Python 2; in Python 3, its content is in '{new}'"
        if alike := self._alike(broken.partition(".")[0]):
            return f"nothing in the ZIP provides it; did you mean '{alike}'?"
        reason = self._own(broken, one.gap.target) or self._in_layer(broken)
        return reason or self._addition(one)

    def _as_bytecode(self, stem: str) -> str:
        """Return the reason for an own module that is there without its source."""
        function = self.variant.function
        found = _present(self.around.root / function.source, stem, ".pyc")
        return found and (
            f"{function.within(found)} is bytecode without a source, which is always left out, "
            "because only the Python that made it can import it; add its source"
        )

    def _in_layer(self, broken: str) -> str:
        """Return the reason for a module of a layer that is not below `python/`."""
        stem = broken.replace(".", "/")
        for path, (layer, shown) in self.around.unseen:
            if path == f"{stem}.py" or path.startswith(f"{stem}/"):
                return (
                    f"layer '{layer}' has {path} at its top, but Python finds modules of a layer "
                    f"only below {LAYER_PREFIX}; move {shown} to {LAYER_PREFIX}{path} in the layer"
                )
        return ""

    def _allow(self, one: Missing) -> str:
        return f"list '{one.gap.broken}' in 'allow_missing_imports'"

    def _addition(self, one: Missing) -> str:
        """Return the ways to add a module to the ZIP."""
        function, likely, ways = self.variant.function, self._likely(one), []
        if likely and canonical_name(likely.partition("[")[0]) in {
            p.name for p in self.around.pins
        }:
            return (
                f"{likely} is locked, but 'exclude' leaves its files out; correct the patterns, or "
                f"{self._allow(one)}"
            )
        requirements = locations.editable(function)
        is_top = "." not in one.gap.broken
        found = _elsewhere(self.around.root, function, one.gap.broken) if is_top else ""
        start = function.within("")
        if found and not function.module and found.startswith(start):
            name = found.removeprefix(start).removesuffix(".py").replace("/", ".")
            return f"nothing in the ZIP provides it under this name; {found} is '{name}' there"
        if likely or not found:
            ways.append(f"add {likely or 'the package that has it'} to {requirements}")
        if found:
            ways.append(f"add {found} to 'include'")
        return f"nothing in the ZIP provides it; {', '.join((*ways, ''))}or {self._allow(one)}"

    def _likely(self, one: Missing) -> str:
        return distributions.likely(one.gap.wanted or (one.gap.name,), self.around.environments)

    def _alike(self, first: str) -> str:
        """Return a module whose name differs in case only: a mistake that macOS hides."""
        known = self._top | available.standard_library(self.variant.python)
        same = (name for name in sorted(known) if name.lower() == first.lower() and name != first)
        return next(same, "")

    def _own(self, broken: str, target: str) -> str:
        """Return the reason for a module that the repository has, but not the ZIP."""
        function, stem = self.variant.function, broken.replace(".", "/")
        for path in self.around.left_out:
            if path in {f"{stem}.py", stem} or path.startswith(f"{stem}/"):
                return f"{path} is left out by default; add '!/{path}' to 'exclude'"
        if found := _present(self.around.root / function.source, stem):
            if function.module:
                return ""  # only the handler's file is the function's
            return f"'exclude' leaves {function.within(found)} out; correct the patterns"
        if found := self._as_bytecode(stem):
            return found
        if target:
            return f"{self.names.get(target, target)} has no such submodule"
        is_own = "." in broken and broken.partition(".")[0] in self._own_top()
        return "the function's code has no such module" if is_own else ""

    def _own_top(self) -> set[str]:
        return {path.partition("/")[0].removesuffix(".py") for path in self.names}

    def _way(self, one: Missing) -> str:
        """Return the imports that lead from the handler to a module."""
        if not one.via:
            return ""
        places = [f"{self.names[path]}:{line}" for path, line in one.via]
        if len(places) > _HOPS:
            places[1 : 1 - _HOPS] = ["..."]
        return f" (imported by {' > '.join(places)})"


def _present(folder: Path, stem: str, suffix: str = ".py") -> str:
    """Return the path of a module in a folder, relative to it; empty if it is not there."""
    for path in (f"{stem}/__init__{suffix}", f"{stem}{suffix}"):
        if (folder / path).is_file():
            return path
    return ""


def _elsewhere(root: Path, function: Function, stem: str) -> str:
    """Return the path of a package or module elsewhere in the repository, the nearest one."""
    found = list(_search(root, stem))
    near = Path(function.source)

    def distance(path: str) -> tuple[int, str]:
        shared = [folder for folder in Path(path).parents if folder in near.parents]
        return len(Path(path).parts) - 2 * len(shared), path

    return min(found, key=distance, default="")


def _search(root: Path, stem: str) -> Iterator[str]:
    name = stem.partition("/")[0]
    skipped = JUNK_FOLDERS | {"build", "dist", "node_modules", "site-packages", "venv", "env"}
    for number, (folder, folders, files) in enumerate(os.walk(root)):
        if number > _FOLDERS:
            return
        folders[:] = sorted(one for one in folders if one not in skipped and one[0] != ".")
        relative = os.path.relpath(folder, root).replace(os.sep, "/").removeprefix(".")
        start = f"{relative}/" if relative else ""
        if name in folders and _has_python(os.path.join(folder, name)):
            yield start + name
        if f"{name}.py" in files:
            yield f"{start}{name}.py"


def _has_python(folder: str) -> bool:
    return any(name.endswith(".py") for name in os.listdir(folder))
