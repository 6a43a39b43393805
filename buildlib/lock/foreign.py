"""Take the pins of a function from a lockfile of another tool, as they are."""

import functools
import hashlib
import os
from pathlib import Path

from buildlib.errors import LockError
from buildlib.lock import choice, formats, projects
from buildlib.lock.graph import Graph, Package
from buildlib.lock.requirements import Requirements
from buildlib.model import Include, LockTarget, Pin, Requires, Variant
from buildlib.runtimes import RUNTIMES, platform_tag


def read(root: Path, requires: Requires, source: str, parsed: formats.Parse) -> Requirements:
    """Return the dependencies of the function in `source`, with the packages of local projects.

    `parsed` gives the content of the lock.

    Raises:
        LockError: the lock cannot be read, or names a package that cannot be installed.

    """
    path = requires.paths[0]
    graph = formats.read(root, requires, source, parsed)
    reached = graph.reached(None)
    if problems := [f"{path}: {p.name} {p.problem}" for p in reached if p.problem]:
        raise LockError("\n".join(problems), "requirements")
    packages, files = _local(root, path, reached)
    return Requirements(
        path,
        hashlib.sha256((root / path).read_bytes()).hexdigest(),
        formats.indexes(reached),
        frozenset({path, *files}),
        packages=tuple(packages),
        pins=functools.partial(pins, graph),
        graph=graph,
    )


def _local(root: Path, lock: str, reached: list[Package]) -> tuple[list[Include], list[str]]:
    """Return the packages of the projects that a function depends on, and files that say so."""
    found: list[Include] = []
    beside = os.path.join(os.path.dirname(lock), "pyproject.toml").replace(os.sep, "/")
    files = [beside] if (root / beside).is_file() else []
    for package in reached:
        if package.folder is None:
            continue
        folder = os.path.normpath(os.path.join(os.path.dirname(lock), package.folder))
        folder = folder.replace(os.sep, "/")
        if folder.startswith("../") or os.path.isabs(folder):
            msg = f"{lock}: {package.name} is in {package.folder}, outside the repository"
            raise LockError(msg, "local-project")
        project = f"{folder}/pyproject.toml".removeprefix("./")
        files += [project] if (root / project).is_file() and project not in files else []
        if package.has_code:
            found += projects.packages(root, folder, f"{lock}: {package.name}")
    return found, files


def pins(graph: Graph, variant: Variant) -> tuple[Pin, ...]:
    """Return the pins of a variant, each with the hash of the wheel that its runtime gets.

    Where a container installs, or this machine may build, the other files of the release count,
    too; and where the lock does not say which hash is of which file.

    Raises:
        LockError: a package has no wheel for the runtime, or no hash. It lists all of them.

    """
    target = LockTarget(variant.python, variant.architecture)
    function, found, problems, unhashed = variant.function, [], [], []
    for package in graph.reached(target):
        if package.folder is not None:
            continue
        hashes = tuple(sorted(set(package.files.values())))
        if not hashes:
            unhashed.append(
                f"{graph.shown}: {package.name} {package.version} has no sha256; lock again "
                f"from an index that gives hashes"
            )
            continue
        is_named = any(name.endswith((".whl", ".tar.gz", ".zip")) for name in package.files)
        wheel = choice.wheel(package.files, target) if is_named else None
        if wheel and not function.docker:
            hashes = (package.files[wheel],)
        elif is_named and not wheel and not _may_build(variant, package):
            problems.append(_no_wheel(graph.shown, package, target))
            continue
        version = f"@ {package.url}" if package.url else package.version
        found.append(Pin(package.name, version, hashes))
    twice = sorted({p.name for p in found if sum(q.name == p.name for q in found) > 1})
    problems += (
        f"{graph.shown}: two versions of {name} apply to {target.id}; regenerate the "
        f"lockfile with its own tool"
        for name in twice
    )
    if unhashed:
        raise LockError("\n".join(unhashed), "lock-line")
    if problems:
        raise LockError("\n".join(problems), "wheel-missing")
    return tuple(found)


def _may_build(variant: Variant, package: Package) -> bool:
    return variant.function.docker is not None or package.name in variant.function.allow_sdist


def _no_wheel(shown: str, package: Package, target: LockTarget) -> str:
    tag = platform_tag(target.python, target.architecture)
    return (
        f"{shown}: {package.name} {package.version} has no wheel for Python {target.python} on "
        f"{target.architecture} ({RUNTIMES[target.python].system}, {tag} and older); lock another "
        f"version, set 'install: docker' for the lambda, or 'allow_sdist: [{package.name}]' if it "
        "is pure Python"
    )
