"""Declarations of one namespace package are as good as each other; code is not."""

import pytest

from buildlib.environment import namespaces

PKGUTIL = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
PKG_RESOURCES = "__import__('pkg_resources').declare_namespace(__name__)\n"
BOTH = """\
try:
    import pkg_resources
    pkg_resources.declare_namespace(__name__)
except ImportError:
    import pkgutil
    __path__ = pkgutil.extend_path(__path__, __name__)
"""


@pytest.mark.parametrize(
    ("contents", "chosen"),
    [
        ([f"# one\n{PKGUTIL}", f"# two\n{PKGUTIL}"], 0),
        (
            [
                "from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)",
                PKGUTIL,
            ],
            0,
        ),
        ([PKG_RESOURCES, PKGUTIL], 1),
        ([PKG_RESOURCES, f"# {PKG_RESOURCES}{PKG_RESOURCES}"], 0),
        ([PKG_RESOURCES, BOTH, PKGUTIL], 1),
        (["", PKGUTIL], 0),
        (['"One."', '"Two."'], 0),
        (["A = 1  # one", "A = 1  # two"], 0),
        (["A = 1", "A = 2"], None),
        ([f"{PKGUTIL}A = 1", PKGUTIL], None),
        (["__version__ = '1'", ""], None),
        (["__path__ = other(__path__, __name__)", PKGUTIL], None),
        (["import os", PKGUTIL], None),
        (["def broken(:", PKGUTIL], None),
        (["\0", PKGUTIL], None),
    ],
)
def test_choose(contents: list[str], chosen: int | None) -> None:
    """The first declaration that works in Lambda is taken; different code is no declaration."""
    assert namespaces.choose([content.encode() for content in contents]) == chosen
