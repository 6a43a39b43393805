"""A function for several Pythons and architectures is several ZIPs: its variants."""

from buildlib.model import Function, Variant


def expand(function: Function) -> tuple[Variant, ...]:
    """Return the variants of a function.

    The id is the function's name if there is one variant, else `<name>-py<version>-<arch>`.
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
