"""The variants of a function: one ZIP for each combination of Python and architecture."""

from collections.abc import Collection, Iterable

from buildlib.model import Function, Variant


def expand(function: Function) -> tuple[Variant, ...]:
    """Return the variants of a function.

    The id of a single variant is the function's name; of several, `<name>-py<version>-<arch>`.
    """
    single = len(function.pythons) * len(function.architectures) == 1
    return tuple(
        Variant(
            id=function.name if single else f"{function.name}-py{python}-{architecture}",
            function=function,
            python=python,
            architecture=architecture,
        )
        for python in function.pythons
        for architecture in function.architectures
    )


def names(variants: Iterable[Variant]) -> dict[str, None]:
    """Return the names by which a user may name variants: those of functions, and their ids."""
    return dict.fromkeys(name for one in variants for name in (one.function.name, one.id))


def named(variants: Iterable[Variant], wanted: Collection[str]) -> list[Variant]:
    """Return the variants with one of these names, as `names` has them; all without names."""
    return [one for one in variants if not wanted or {one.id, one.function.name} & set(wanted)]
