"""The values of HCL expressions, and the limits of their evaluation.

Strings, numbers, booleans and null are Python's; a tuple or list is a list, an object or map is a
dictionary with strings as keys. A set of strings is a dictionary whose keys are its values.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

# Elements of one collection, and characters of one string.
MOST = 10_000
LONGEST = 1 << 18


# Where an integer stays one in every program that reads it.
_GREATEST = 1 << 63


class Failure(Exception):  # noqa: N818 - part of the language: `try` continues behind it
    """An expression that Terraform refuses, such as an attribute that an object lacks."""


class Index(NamedTuple):
    """The element of a reference in brackets: `data.archive_file.keys["orders"]`."""

    key: str | int


Path = tuple[str | Index, ...]


class Owner(Protocol):
    """A module, in which references have a value."""

    def resolve(self, path: Path) -> Any:  # noqa: ANN401 - a value of HCL
        """Return the value of a reference, or an unknown one."""


@dataclass(frozen=True, eq=False)
class Unknown:
    """A value that only Terraform knows.

    `cause` is a phrase for people: `var.stage has no default`. `path` is the reference itself,
    in its module, the `owner`; it is empty for a value computed from unknown ones.
    """

    cause: str
    path: Path = ()
    owner: "Owner | None" = None

    def attribute(self, name: str | Index) -> Any:  # noqa: ANN401 - a value of HCL
        """Return the value of an attribute or element."""
        if self.owner is None:
            return self
        return self.owner.resolve((*self.path, name))


class Budget:
    """The most work that one repository may cost, also a hostile one."""

    def __init__(self, steps: int = 1_000_000, depth: int = 100) -> None:
        self.steps = steps
        self.depth = depth

    def spend(self, steps: int = 1) -> bool:
        """Take steps; return whether some were left."""
        self.steps -= steps
        return self.steps > 0


def dotted(path: Path) -> str:
    """Return a reference as HCL writes it."""
    text = ""
    for part in path:
        if isinstance(part, Index):
            shown = f'"{part.key}"' if isinstance(part.key, str) else str(part.key)
            text += f"[{shown}]"
        else:
            text += f".{part}" if text else part
    return text


def text_of(value: Any) -> str:  # noqa: ANN401 - a value of HCL
    """Return a value as a template shows it.

    Raises:
        Failure: it is null or a collection.

    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    msg = "a collection or null is no text"
    raise Failure(msg)


def elements(value: Any) -> list[Any]:  # noqa: ANN401 - a value of HCL
    """Return the elements of a list, tuple or set, or the values of a map.

    Raises:
        Failure: it has no elements.

    """
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return value
    msg = "a value without elements"
    raise Failure(msg)


def as_set(values: list[Any]) -> dict[str, str]:
    """Return a set of strings, sorted as Terraform does.

    Raises:
        Failure: an element is no string.

    """
    return {text: text for text in sorted(text_of(value) for value in values)}


def first_unknown(values: Any) -> Unknown | None:  # noqa: ANN401 - some values of HCL
    """Return the first unknown value among some, or directly in a list or map of them."""
    for value in values:
        if isinstance(value, Unknown):
            return value
        inner = value.values() if isinstance(value, dict) else value
        if isinstance(value, list | dict):
            found = next((one for one in inner if isinstance(one, Unknown)), None)
            if found is not None:
                return found
    return None


def bounded(value: Any, budget: Budget) -> Any:  # noqa: ANN401 - a value of HCL
    """Return a value, or an unknown one in the place of one that is too large."""
    size = len(value) if isinstance(value, str | list | dict) else 0
    most = LONGEST if isinstance(value, str) else MOST
    is_great = isinstance(value, int | float) and abs(value) > _GREATEST
    if size > most or is_great or not budget.spend(size // 16):
        return Unknown("it is too large to be evaluated here")
    return value
