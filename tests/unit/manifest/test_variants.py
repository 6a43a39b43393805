"""One function, several targets, one ZIP for each."""

import re

from buildlib.manifest import keys, variants
from tests.unit.conftest import function


def test_single() -> None:
    """A function for one target is one variant that bears its name."""
    one = function("team_keys", pythons=("3.12",), architectures=("arm64",))
    (variant,) = variants.expand(one)
    assert (variant.id, variant.python, variant.architecture) == ("team_keys", "3.12", "arm64")
    assert variant.function is one


def test_matrix() -> None:
    """Every Python is combined with every architecture, and the id says which they are."""
    several = function("api", pythons=("3.12", "3.13"), architectures=("x86_64", "arm64"))
    assert [(v.id, v.python, v.architecture) for v in variants.expand(several)] == [
        ("api-py3.12-x86_64", "3.12", "x86_64"),
        ("api-py3.12-arm64", "3.12", "arm64"),
        ("api-py3.13-x86_64", "3.13", "x86_64"),
        ("api-py3.13-arm64", "3.13", "arm64"),
    ]


def test_one_axis() -> None:
    """The id names both axes as soon as one of them has several values."""
    several = function("api", pythons=("3.12",), architectures=("x86_64", "arm64"))
    assert [v.id for v in variants.expand(several)] == ["api-py3.12-x86_64", "api-py3.12-arm64"]


def test_ids_of_two_functions_never_meet() -> None:
    """No function can be named like a variant of another: names have no dot, such ids do."""
    several = function("api", pythons=("3.12", "3.13"))
    assert not any(re.fullmatch(keys.NAME, v.id) for v in variants.expand(several))
