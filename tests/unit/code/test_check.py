"""Imports are followed from the handler, and only surely missing ones are certain."""

import pytest

from buildlib.code import check, reader


def missing(
    own: dict[str, str], others: tuple[str, ...] = (), *, allowed: tuple[str, ...] = ()
) -> dict[str, bool]:
    """Return whether each missing name of a function is certain; its handler is in app.py."""
    tree = check.tree({*own, *others}, own, lambda path: reader.read(own[path].encode()))
    found = check.missing(tree, "app.py", "3.13", allowed)
    return {item.name: item.is_certain for item in found}


@pytest.mark.parametrize(
    "line",
    [
        "import os.path, json, zoneinfo, _ssl",
        "import boto3, botocore.exceptions, urllib3, dateutil.parser",
        "import awslambdaric",
        "import setuptools, pkg_resources",  # there at present; AWS promises nothing
        "from __future__ import annotations",
        "import dep, dep.any.thing",  # a package can make its modules when it runs
        "from dep import anything",
        "import space.one, space.one.deeper",
        "from space import one",
        "import native, folder.native",
        "import single",
        "from both import thing",
    ],
)
def test_provided(line: str) -> None:
    """The ZIP, the standard library and Lambda's runtime provide modules."""
    others = (
        *("dep/__init__.py", "space/one/__init__.py", "native.cpython-313-x86_64-linux-gnu.so"),
        *("folder/__init__.py", "folder/native.abi3.so", "single.py"),
        *("both.abi3.so", "both/stub.pyi"),
    )
    assert missing({"app.py": line}, others) == {}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("import yaml", "yaml"),
        ("import yaml.dumper as d", "yaml.dumper"),
        ("from google.cloud import storage", "google.cloud"),
        ("import google.cloud.storage", "google.cloud"),
        ("from space import two", "space.two"),
        ("import space.two", "space.two"),
        ("import distutils.core", "distutils.core"),  # not in 3.12 and newer
        ("import own.gone", "own.gone"),
        ("from own.gone import x", "own.gone"),
        ("from . import helper", "."),
        ("from .helper import x", ".helper"),
    ],
)
def test_missing(line: str, name: str) -> None:
    """A module that nothing provides is certainly missing, also inside a namespace package."""
    own = {"app.py": line, "own/__init__.py": "A = 1", "helper.py": ""}
    others = ("google/protobuf/__init__.py", "space/one/__init__.py")
    assert missing(own, others) == {name: True}


@pytest.mark.parametrize(
    "init",
    [
        "from .made import *",
        "gone = 1",
        "def __getattr__(name): ...",
        "import sys\nsys.path.append(x)",
    ],
)
def test_an_own_package_that_makes_its_modules(init: str) -> None:
    """A submodule without a file is not missing where the package may bind or make it."""
    own = {"app.py": "from own import gone", "own/__init__.py": init, "own/made.py": ""}
    assert missing(own) == {}
    assert missing(own | {"app.py": "import own.gone"}) == {}


def test_own_modules_are_followed() -> None:
    """All modules that the handler reaches are read, by each form of import, and loops end."""
    own = {
        "app.py": "from service.handlers import orders\nimport app",
        "service/__init__.py": "import one",
        "service/handlers/__init__.py": "import two",
        "service/handlers/orders.py": "from ..models import order\nfrom . import h\nimport three",
        "service/handlers/h.py": "import four",
        "service/models/order.py": "import five\nfrom service.handlers import orders",
        "not_reached.py": "import six_of_one",
    }
    assert missing(own) == dict.fromkeys(["one", "two", "three", "four", "five"], True)


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import x\nexcept ImportError:\n    x = None",
        "def f():\n    import x",
        "if sys.platform == 'win32':\n    import x",
        "sys.path.insert(0, 'vendored')\nimport x",
        "try:\n    import ujson as json\nexcept ImportError:\n    import x",
    ],
)
def test_perhaps_missing(source: str) -> None:
    """An import that need not run, or may be found elsewhere, is not certain to fail."""
    assert missing({"app.py": source})["x"] is False


def test_a_doubtful_way_makes_all_doubtful() -> None:
    """What only a guarded import reaches is as doubtful, unless another way is certain."""
    own = {"app.py": "try:\n    import own\nexcept ImportError:\n    pass\n", "own.py": "import x"}
    assert missing(own) == {"x": False}
    assert missing(own | {"app.py": own["app.py"] + "import own"}) == {"x": True}


def test_never() -> None:
    """Types' imports and those of a program's main part are not looked at."""
    source = "if TYPE_CHECKING:\n    import x\nif __name__ == '__main__':\n    import y\n"
    assert missing({"app.py": source}) == {}


def test_allowed() -> None:
    """A name that the manifest allows covers the modules below it, and no others."""
    own = {"app.py": "import acme.core.x, acme.other, acmes"}
    assert missing(own, allowed=("acme.core",)) == {"acme.other": True, "acmes": True}
    assert missing(own, allowed=("acme",)) == {"acmes": True}


def test_each_place_once() -> None:
    """A module that many import is read once, and each of its imports named once."""
    own = {"app.py": "import a, b", "a.py": "import c", "b.py": "import c", "c.py": "import x"}
    tree = check.tree(set(own), own, lambda path: reader.read(own[path].encode()))
    (found,) = check.missing(tree, "app.py", "3.13", ())
    assert (found.path, found.line, found.name) == ("c.py", 1, "x")
