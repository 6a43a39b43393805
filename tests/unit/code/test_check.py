"""Imports are followed from the handler, and only surely missing ones are certain."""

import pytest

from buildlib.code import check, reader, resolve
from buildlib.code.check import Missing


def walk(
    own: dict[str, str],
    others: tuple[str, ...] = (),
    *,
    allowed: tuple[str, ...] = (),
    handler: str = "app.py",
    python: str = "3.13",
) -> list[Missing]:
    """Return what a function's imports do not find."""

    def read(path: str) -> reader.Module:
        return reader.read(own[path].encode(), python)

    tree = resolve.tree({*own, *others}, own, read, python)
    return check.missing(tree, handler, allowed).missing


def missing(
    own: dict[str, str],
    others: tuple[str, ...] = (),
    *,
    allowed: tuple[str, ...] = (),
    handler: str = "app.py",
    python: str = "3.13",
) -> dict[str, bool]:
    """Return whether each missing name is certain to fail."""
    found = walk(own, others, allowed=allowed, handler=handler, python=python)
    return {one.gap.name: one.is_certain for one in found}


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
        "if debug:\n    import x",
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
    (found,) = walk(own)
    assert (found.at, found.gap.name) == (("c.py", 1), "x")


def test_the_way_from_the_handler() -> None:
    """Each missing import comes with the imports that lead to it, by the shortest way."""
    own = {"app.py": "import a\nimport b", "a.py": "\nimport c", "b.py": "", "c.py": "import x"}
    (found,) = walk(own)
    assert found.via == (("app.py", 1), ("a.py", 2))


def test_packages_of_the_handler_run_first() -> None:
    """The packages that the handler is in run when Lambda imports it."""
    own = {
        "service/__init__.py": "import one",
        "service/handlers/__init__.py": "from . import gone",
        "service/handlers/orders.py": "from ..models import order\nfrom ... import beyond",
        "service/models.py": "order = 1",
    }
    found = missing(own, handler="service/handlers/orders.py")
    assert found == {"one": True, "service.handlers.gone": True, "...": True}


@pytest.mark.parametrize(
    "line",
    [
        "import json.decoder",
        "from email import message",
        "import email.message",
        "from six.moves import urllib",
    ],
)
def test_a_data_folder_hides_no_module(line: str) -> None:
    """A folder without `__init__.py` gives way to the runtime's module of the same name."""
    assert missing({"app.py": line}, ("json/a.json", "email/welcome.html", "six/x.txt")) == {}


def test_a_package_hides_a_module() -> None:
    """A package of the function's own comes before the standard library's and before a module."""
    own = {"app.py": "from json import gone\nfrom a import y", "json/__init__.py": "x = 1"}
    own |= {"a/__init__.py": "y = 1", "a.py": "z = 1"}
    assert missing(own) == {"json.gone": True}


@pytest.mark.parametrize(
    ("helper", "name", "is_missing"),
    [
        ("def other(): ...", "wanted", True),
        ("", "wanted", True),
        ("import os as wanted", "wanted", False),
        ("def f():\n    global wanted\n    wanted = 1", "wanted", False),
        ("for wanted in x: ...", "wanted", False),
        ("if x:\n    wanted = 1", "wanted", False),
        ("try:\n    from json import wanted\nexcept ImportError: ...", "wanted", False),
        ("from json import *", "wanted", False),
        ("globals()['wanted'] = 1", "wanted", False),
        ("exec(code)", "wanted", False),
        ("def __getattr__(name): ...", "wanted", False),
        ("import sys\nsys.modules[__name__] = x", "wanted", False),
        ("x = (", "wanted", False),  # the syntax is another check's
        ("class wanted: ...", "wanted", False),
        ("type wanted = int", "wanted", False),
        ("with x as (wanted, y): ...", "wanted", False),
        ("", "__file__", False),
    ],
)
def test_names_of_own_modules(helper: str, name: str, is_missing: bool) -> None:
    """A name that an own module surely does not bind is missing."""
    found = missing({"app.py": f"from helper import {name}", "helper.py": helper})
    assert found == ({f"helper.{name}": True} if is_missing else {})


def test_a_module_is_no_package() -> None:
    """Nothing is below an own module, whatever a folder of its name holds."""
    own = {"app.py": "import tool.part", "tool.py": "", "tool/part.py": ""}
    (found,) = walk(own)
    assert (found.gap.name, found.gap.target) == ("tool.part", "tool.py")


@pytest.mark.parametrize(
    ("line", "others", "name"),
    [
        ("from google.cloud import storage", ("google/protobuf/__init__.py",), "google.cloud"),
        (
            "from google.cloud import storage",
            ("google/cloud/kms/__init__.py",),
            "google.cloud.storage",
        ),
        ("import yaml.dumper", (), "yaml.dumper"),
    ],
)
def test_wanted(line: str, others: tuple[str, ...], name: str) -> None:
    """A gap says which part is missing and what the import is for; either can be allowed."""
    (found,) = walk({"app.py": line}, others)
    assert found.gap.name == name
    assert found.gap.wanted in {("google.cloud.storage",), ("yaml.dumper",)}
    for allowed in (found.gap.broken, *found.gap.wanted):
        assert missing({"app.py": line}, others, allowed=(allowed,)) == {}


@pytest.mark.parametrize(
    "line",
    [
        "sys.path.insert(0, 'vendored')",
        "sys.path.append(os.path.join(os.path.dirname(__file__), 'vendored'))",
        "sys.path.insert(0, '/var/task/vendored')",
        "sys.path = ['./vendored', *sys.path]",
        "site.addsitedir('vendored')",
    ],
)
def test_folders_on_the_path(line: str) -> None:
    """A folder that code adds to the search path is looked at; the own modules in it are read."""
    own = {"app.py": f"{line}\nimport lib, other", "vendored/lib/__init__.py": "import gone"}
    assert missing(own) == {"other": False, "gone": False}


def test_own_folder_on_the_path() -> None:
    """A module in a folder that puts this folder on the path finds its neighbours."""
    own = {
        "src/app.py": "sys.path.append(os.path.dirname(__file__))\nimport helper",
        "src/helper.py": "",
    }
    assert missing(own, handler="src/app.py") == {}


@pytest.mark.parametrize(
    ("line", "python", "name"),
    [
        ("import tomllib", "3.10", "tomllib"),
        ("import tomllib", "3.11", ""),
        ("import imp", "3.11", ""),
        ("import imp", "3.12", "imp"),
        ("import cgi", "3.13", "cgi"),
        ("from compression import zstd", "3.13", "compression"),
        ("from compression import zstd", "3.14", ""),
        ("from string.templatelib import Template", "3.13", "string.templatelib"),
        ("from string import templatelib", "3.13", "string.templatelib"),
        ("from concurrent import interpreters, futures", "3.13", "concurrent.interpreters"),
        ("import importlib.resources.abc", "3.10", "importlib.resources.abc"),
        ("import importlib.resources.abc", "3.11", ""),
        ("import winreg", "3.13", "winreg"),
        ("import ConfigParser", "3.13", "ConfigParser"),
    ],
)
def test_the_standard_library_of_the_target(line: str, python: str, name: str) -> None:
    """The standard library is that of the target's version, on Linux."""
    assert missing({"app.py": line}, python=python) == ({name: True} if name else {})


def test_extension_modules_of_the_target() -> None:
    """An extension module for another Python is none."""
    names = ("one.cpython-313-x86_64-linux-gnu.so", "two.cpython-312-x86_64-linux-gnu.so")
    assert missing({"app.py": "import one, two, lib"}, (*names, "lib.so.1")) == {
        "two": True,
        "lib": True,
    }


def test_two_ways_are_no_doubt() -> None:
    """Code that tries a relative import, and then an absolute one, is right."""
    code = "try:\n    from .helper import x\nexcept ImportError:\n    from helper import x"
    assert missing({"app.py": code, "helper.py": "x = 1"}) == {}


def test_imports_by_name() -> None:
    """`import_module` with a text is followed; a missing module may be meant so."""
    own = {"app.py": "importlib.import_module('a.b')\n__import__('c')", "a/b.py": "import x"}
    assert missing(own) == {"x": False, "c": False}
    assert missing({"app.py": "importlib.import_module(f'a.{b}')"}) == {}
