"""The variants of a function: one ZIP for each combination of Python and architecture."""

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
