"""The handler's module is in the tree and defines the function; no code runs to find out."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from buildlib.errors import StageError
from buildlib.tree.contents import Contents
from buildlib.tree.handler import check_handler
from buildlib.tree.own_code import OwnCode
from tests.unit.conftest import origin, variant, write

APP = "def handler(event, context): ...\n"


def check(
    tree: Path, contents: Mapping[str, str | bytes], handler: str = "app.handler", **options: str
) -> None:
    """Check a handler against a tree."""
    write(tree, dict(contents))
    origins = [origin(path, content) for path, content in contents.items()]
    one = variant(options.get("python", "3.11"), handler=handler)
    check_handler(one, set(contents), OwnCode(one, origins, tree, Contents(tree)))


def message(tree: Path, contents: Mapping[str, str | bytes], handler: str = "app.handler") -> str:
    """Return the message that a handler gives, without where it is from."""
    with pytest.raises(StageError) as error:
        check(tree, contents, handler)
    prefix = f"lambda 'api': handler '{handler}': "
    assert str(error.value).startswith(prefix)
    return str(error.value).removeprefix(prefix)


@pytest.mark.parametrize(
    "code",
    [
        "def handler(event, context): ...",
        "async def handler(event, context): ...",
        "class handler: ...",
        "@decorated\ndef handler(): ...",
        "import handler",
        "import x as handler",
        "from x import handler",
        "from x import y as handler",
        "handler = make()",
        "handler: object = make()",
        "a = handler = make()",
        "(a, [handler, *b]) = make()",
        "if (handler := make()): ...",
        "if x:\n    def handler(): ...\nelse:\n    handler = None",
        "try:\n    from x import handler\nexcept ImportError:\n    pass",
        "with x as handler: ...",
        "for handler in x: ...",
        "from x import *",
        "if x:\n    from x import *",
        "if x:\n    if y:\n        async def handler(): ...",
        "try:\n    pass\nfinally:\n    class handler: ...",
        "while x:\n    import y as handler",
        "match x:\n    case [handler, *_]: ...",
        "match x:\n    case {'a': 1, **handler}: ...",
        "match x:\n    case [*handler]: ...",
        "match x:\n    case _:\n        def handler(): ...",
        "print(handler := make())",
        "[(handler := y) for y in x]",
        "# -*- coding: latin-1 -*-\n# \u00fc\ndef handler(): ...",
        "'\\d'\ndef handler(): ...",
    ],
)
def test_defined(tmp_path: Path, code: str) -> None:
    """Whatever binds the name at the top of the module counts, without being run."""
    check(tmp_path, {"app.py": code})


@pytest.mark.parametrize(
    "code",
    [
        "",
        "def other():\n    def handler(): ...",
        "class Other:\n    def handler(self): ...",
        "handler.x = 1",
        "handler[0] = 1",
        "print(handler)",
        "'def handler(): ...'",
        "import other.handler",
        "if x:\n    class Other:\n        def handler(self): ...",
        "if x:\n    class Other:\n        handler = 1",
        "try:\n    pass\nfinally:\n    def other():\n        def handler(): ...",
        "with x:\n    def other():\n        from y import handler",
        "if x:\n    def other():\n        handler = 1",
        "if x:\n    def other():\n        from y import *",
        "[handler for handler in x]",
        "{handler: 1 for handler in x}",
        "f = lambda: (handler := 1)",
    ],
)
def test_not_defined(tmp_path: Path, code: str) -> None:
    """What only looks like the handler does not count."""
    assert message(tmp_path, {"app.py": code}).startswith("app.py does not define 'handler'; ")


def test_deep_code(tmp_path: Path) -> None:
    """Code that is nested deeper than Python calls functions is looked through as well."""
    check(tmp_path, {"app.py": f"x = {' + '.join(['1'] * 2000)}\ndef handler(): ..."})


def test_what_is_defined(tmp_path: Path) -> None:
    """The message says which functions there are, the private ones only if there is no other."""
    code = "def main(): ...\nasync def run(): ...\ndef _own(): ...\nX = 1\n"
    assert message(tmp_path, {"app.py": code}) == (
        "app.py does not define 'handler'; it defines main, run. "
        "Name one of these in 'handler', in lambdas.yaml, or define it"
    )
    assert "it defines _own. " in message(tmp_path, {"app.py": "def _own(): ...\n"})
    assert "it defines no function. " in message(tmp_path, {"app.py": "X = 1\n"})


def test_no_module(tmp_path: Path) -> None:
    """The message says which modules there are."""
    contents = {"main.py": APP, "pkg/app.py": APP, "data.txt": ""}
    advice = ". Correct 'handler' or 'source' in lambdas.yaml"
    assert message(tmp_path, contents) == (
        f"the ZIP has no app.py; top-level modules: main.py{advice}"
    )
    assert message(tmp_path, contents, "lib.app.run") == (
        f"the ZIP has no lib/app.py; top-level modules: main.py{advice}"
    )
    assert message(tmp_path, {"x.txt": ""}).endswith(f"top-level modules: none{advice}")


@pytest.mark.parametrize(
    ("handler", "path"),
    [
        ("pkg.app.handler", "pkg/app.py"),
        ("pkg/app.handler", "pkg/app.py"),
        ("pkg/sub.app.handler", "pkg/sub/app.py"),
        ("pkg.handler", "pkg/__init__.py"),
        ("pkg/sub.handler", "pkg/sub/__init__.py"),
    ],
)
def test_module_in_a_package(tmp_path: Path, handler: str, path: str) -> None:
    """Modules in folders are named with dots or slashes; a package is its `__init__.py`."""
    check(tmp_path, {path: APP}, handler)


def test_package_beats_module(tmp_path: Path) -> None:
    """Of a package and a module of one name, Python imports the package."""
    check(tmp_path, {"app.py": "", "app/__init__.py": APP})
    assert message(tmp_path, {"app.py": APP, "app/__init__.py": ""}).startswith("app/__init__.py ")


@pytest.mark.parametrize(
    "path", ["app.so", "app.abi3.so", "app.cpython-313-x86_64-linux-gnu.so", "app/x.so"]
)
def test_compiled_module(tmp_path: Path, path: str) -> None:
    """A compiled module cannot be looked into: that it is there is all that is checked."""
    if "/" in path:
        assert message(tmp_path, {path: b"\x7fELF"}).startswith("the ZIP has no app.py")
    else:
        check(tmp_path, {path: b"\x7fELF"})


def test_nothing_is_run(tmp_path: Path) -> None:
    """The code of the function is not executed."""
    check(tmp_path, {"app.py": "import os\nos.mkdir('made')\nraise SystemExit\n" + APP})
    assert not Path("made").exists()
