"""Operators and brackets of HCL, applied to values."""

import math
import operator
from collections.abc import Callable
from typing import Any

from buildlib.commands.init.hcl import values
from buildlib.commands.init.hcl.values import Failure, Index, Unknown

Value = Any


def as_number(value: Value) -> int | float:
    """Return a value that is a number.

    Raises:
        Failure: it is of another type.

    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = "no number"
        raise Failure(msg)
    return value


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "%": math.fmod, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip


def binary(sign: str, left: Value, right: Value) -> Value:
    """Return the value of an operator between two known values.

    Raises:
        Failure: they are not of its types.

    """
    if sign in {"&&", "||"}:
        return right  # the left one did not decide
    if sign in {"==", "!="}:
        return _equal(left, right, is_equal=sign == "==")
    try:
        return _OPERATORS[sign](as_number(left), as_number(right))
    except (ArithmeticError, KeyError) as error:
        raise Failure(str(error)) from error


def _equal(left: Value, right: Value, *, is_equal: bool) -> Value:
    if isinstance(left, dict | list) and isinstance(right, dict | list):
        if left and right:
            return Unknown("it compares collections")
        return (not left and not right) is is_equal
    return (left == right) is is_equal


def attribute(value: Value, name: str | int) -> Value:
    """Return an attribute or element of a value.

    Raises:
        Failure: the element does not exist.

    """
    if isinstance(value, Unknown):
        return value.attribute(name if isinstance(name, str) else Index(name))
    if isinstance(value, dict) and str(name) in value:
        return value[str(name)]
    if isinstance(value, list) and str(name).isdecimal() and int(name) < len(value):
        return value[int(name)]
    msg = f"no element {name}"
    raise Failure(msg)


def element(value: Value, key: Value) -> Value:
    """Return the element of a value in brackets.

    Raises:
        Failure: the element does not exist.

    """
    if isinstance(key, Unknown):
        return derived(key)
    if isinstance(value, Unknown):
        return value.attribute(Index(key)) if isinstance(key, str | int) else value
    return attribute(value, key if isinstance(key, str) else int(as_number(key)))


def derived(unknown: Unknown) -> Unknown:
    """Return the unknown value of something that is computed from an unknown one."""
    return Unknown(unknown.cause)


def mapped(found: list[tuple[Value, Value]], *, is_grouped: bool) -> Value:
    """Return the object of a `for` expression; equal keys are an error unless it is grouped."""
    result: dict[str, Value] = {}
    for key, value in found:
        if isinstance(key, Unknown):
            return key
        if is_grouped:
            result.setdefault(values.text_of(key), []).append(value)
        else:
            result[values.text_of(key)] = value
    return result
