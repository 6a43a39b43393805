"""The dependencies of a function that its layers or the runtime have."""

from collections.abc import Iterable

from buildlib.code import available
from buildlib.errors import LockError
from buildlib.model import Function, Pin, Variant


def without(
    pins: Iterable[Pin], provided: Iterable[Pin], variant: Variant, layer: Function
) -> tuple[Pin, ...]:
    """Return the pins of a variant that a layer does not have.

    Raises:
        LockError: the layer has another version of one; Lambda would import one of the two. It
            lists all of them.

    """
    there = {pin.name: pin.version for pin in provided}
    rest, problems = [], []
    for pin in pins:
        if pin.name not in there:
            rest.append(pin)
        elif there[pin.name] != pin.version:
            problems.append(f"{pin.name} is {pin.version} here and {there[pin.name]} there")
    if problems:
        function = variant.function
        msg = (
            f"{function.title}: its layer '{layer.name}' has other versions: "
            f"{'; '.join(problems)}. Require the same ones in {function.requirements} and "
            f"{layer.requirements}, and run 'lambdas lock --upgrade {function.name} {layer.name}'; "
            "or take the package out of one of them"
        )
        raise LockError(msg, "layer")
    return tuple(rest)


def without_runtime(
    pins: Iterable[Pin], variant: Variant
) -> tuple[tuple[Pin, ...], tuple[str, ...]]:
    """Return the pins that the runtime does not have, if the function says so, and a note."""
    every = tuple(pins)
    if dict(variant.function.options).get("provided") != "runtime":
        return every, ()
    left = [f"{pin.name} {pin.version}" for pin in every if pin.name in available.DISTRIBUTIONS]
    if not left:
        return every, ()
    note = (
        f"left out because of 'provided: runtime': {', '.join(left)}; Lambda uses the runtime's "
        "versions, which AWS may change at any time"
    )
    return tuple(pin for pin in every if pin.name not in available.DISTRIBUTIONS), (note,)
