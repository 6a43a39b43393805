"""The AWS services that a variant may call: those that its botocore describes."""

from collections.abc import Iterable

from buildlib.model import Function, Pin
from buildlib.tree import services

_BOTOCORE = "botocore"


def of_layers(
    pins: Iterable[Pin], layers: Iterable[tuple[Function, Iterable[Pin]]]
) -> tuple[str, ...] | None:
    """Return the services in the layers with botocore; None if one has all, or no layer has it.

    `pins` are those of the function's own ZIP, and `layers` its layers with their pins. Lambda
    unpacks all layers into one folder.
    """
    if _has_it(pins):
        return None
    found = [services.wanted(layer) for layer, locked in layers if _has_it(locked)]
    named = [one for one in found if one is not None]
    return _sorted(frozenset().union(*named)) if named and len(named) == len(found) else None


def of_own(function: Function, pins: Iterable[Pin]) -> tuple[str, ...] | None:
    """Return the services in the botocore of a function's own ZIP; None for all."""
    return _sorted(services.wanted(function)) if _has_it(pins) else None


def is_restricted(function: Function) -> bool:
    """Tell whether a function or layer names the services that it keeps."""
    return services.wanted(function) is not None


def named(function: Function) -> str:
    """Return the services that a layer keeps, as text; empty for all."""
    return " ".join(_sorted(services.wanted(function)) or ())


def _has_it(pins: Iterable[Pin]) -> bool:
    return any(pin.name == _BOTOCORE for pin in pins)


def _sorted(names: frozenset[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(sorted(names))
