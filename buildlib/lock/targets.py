"""The targets for which each lockfile must hold."""

from collections.abc import Iterable, Mapping

from buildlib.model import Function, LockTarget


def by_lockfile(functions: Iterable[Function]) -> Mapping[str | None, tuple[LockTarget, ...]]:
    """Return the sorted targets of each lockfile: those of all functions that share it.

    A package that one of them allows to build is allowed for all.
    """
    sharing: dict[str | None, list[Function]] = {}
    for function in functions:
        sharing.setdefault(function.lockfile, []).append(function)
    return {path: _targets(some) for path, some in sharing.items()}


def _targets(functions: Iterable[Function]) -> tuple[LockTarget, ...]:
    found: dict[tuple[str, str], LockTarget] = {}
    for function in functions:
        for python in function.pythons:
            for architecture in function.architectures:
                known = found.get((python, architecture), LockTarget(python, architecture))
                found[python, architecture] = known._replace(
                    builds=known.builds or function.install == "docker",
                    allow_sdist=tuple(sorted({*known.allow_sdist, *function.allow_sdist})),
                )
    return tuple(found[key] for key in sorted(found))
