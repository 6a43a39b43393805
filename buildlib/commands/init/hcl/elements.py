"""The elements of a block: one, or those that `for_each` or `count` say."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from buildlib.commands.init.hcl.files import Expression
from buildlib.commands.init.hcl.values import Unknown

Value = Any


# The key of an element that only Terraform knows: no file name or identifier has this character.
ANY = "\ue000"


# Elements of one block.
_MOST = 1_000


class Element(NamedTuple):
    """One element of a block with `for_each` or `count`: its key, and the names in it.

    `doubt` says why the elements are not known: then the key is `ANY`.
    """

    key: str | int | None
    names: Mapping[str, Value]
    doubt: str = ""


def counted(number: Value, expression: Expression) -> list[Element]:
    """Return the elements of a `count`: one without a key for a switch, whose value is 1."""
    first = {"count": {"index": 0}}
    if isinstance(number, bool) or not isinstance(number, int | float):
        return [Element(None, first)]
    if number > _MOST:
        return [Element(ANY, first, f"its count, {expression.place}, is more than {_MOST}")]
    return [
        Element(None if number <= 1 else index, {"count": {"index": index}})
        for index in range(int(number))
    ]


def each(value: Value, expression: Expression, *, is_set: bool) -> Iterator[Element]:
    """Yield the elements of a `for_each`; an unknown one if they are not known."""
    where = f"its for_each, {expression.place},"
    doubt = ""
    if isinstance(value, Unknown):
        doubt = f"{where} is known only to Terraform: {value.cause}"
    elif not isinstance(value, dict):
        doubt = f"{where} is neither a map nor a set"
    elif not value:
        doubt = f"{where} is empty, as far as the files say"
    elif len(value) > _MOST:
        doubt = f"{where} has {len(value)} elements, more than {_MOST}"
    if doubt:
        inner = Unknown(doubt)
        yield Element(ANY, {"each": {"key": ANY, "value": ANY if is_set else inner}}, doubt)
        return
    for key, one in value.items():
        yield Element(str(key), {"each": {"key": str(key), "value": one}})
