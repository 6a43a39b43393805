"""A module is read as its Python version means it, on every host."""

import pytest

from buildlib.code import reader
from buildlib.code.places import ALWAYS, GUARDED, LATER, NEVER
from buildlib.code.reader import Import


def imports(source: str) -> list[tuple[str, tuple[str, ...], str]]:
    """Return the imports of a module: names, and where they stand."""
    return [(i.module, i.names, i.place) for i in reader.read(source.encode(), "3.13").imports]


@pytest.mark.parametrize(
    ("source", "module", "names"),
    [
        ("import a", "a", ()),
        ("import a.b.c as d", "a.b.c", ()),
        ("from a.b import c, d as e", "a.b", ("c", "d")),
        ("from a import (\n    b,  # why\n    c,\n)", "a", ("b", "c")),
        ("from . import a", ".", ("a",)),
        ("from .. a import b", "..a", ("b",)),
        ("from ...a.b import *", "...a.b", ("*",)),
        ("from a import \\\n    b", "a", ("b",)),
        ("lazy import a", "a", ()),  # Python 3.15
        ("x = t'{y}'\nimport a", "a", ()),  # Python 3.14
        ("try: pass\nexcept A, B: pass\nimport a", "a", ()),  # Python 3.14
        ("x = f'{y['z']}'\nimport a", "a", ()),  # Python 3.12
        ("def broken(:\nimport a", "a", ()),
        ("print 'old'\nimport a", "a", ()),
    ],
)
def test_forms(source: str, module: str, names: tuple[str, ...]) -> None:
    """Each form of an import is read, in the syntax of each version, and after errors."""
    assert imports(source) == [(module, names, ALWAYS)]


def test_several() -> None:
    """One statement can import several modules; each is on its line."""
    found = reader.read(b"\nimport a, b.c\n", "3.13").imports
    assert found == (Import("a", (), 2, ALWAYS), Import("b.c", (), 2, ALWAYS))


@pytest.mark.parametrize(
    "source", ["from __future__ import generators", "'import a'", "# import a"]
)
def test_no_imports(source: str) -> None:
    """Texts, comments and `__future__` import nothing."""
    assert imports(source) == []


PLACES = {
    "class A:\n    import x": ALWAYS,
    "with open(y):\n    import x": ALWAYS,
    "try:\n    import x\nfinally:\n    pass": ALWAYS,
    "try:\n    import x\nexcept KeyError:\n    pass": ALWAYS,
    "if not TYPE_CHECKING:\n    import x": ALWAYS,
    "if TYPE_CHECKING:\n    pass\nelse:\n    import x": ALWAYS,
    "try:\n    import x\nexcept ImportError:\n    pass": GUARDED,
    "try:\n    import x\nexcept (KeyError, ModuleNotFoundError) as e:\n    pass": GUARDED,
    "try:\n    import x\nexcept:\n    pass": GUARDED,
    "try:\n    import x\nexcept Exception:\n    pass": GUARDED,
    "try:\n    pass\nexcept KeyError:\n    import x": GUARDED,
    "try:\n    pass\nexcept ImportError:\n    pass\nelse:\n    import x": GUARDED,
    "with contextlib.suppress(ImportError):\n    import x": GUARDED,
    "if sys.version_info < (3, 11):\n    import x": NEVER,
    "if a:\n    pass\nelif b:\n    import x": GUARDED,
    "for a in b:\n    import x": GUARDED,
    "match a:\n    case 1:\n        import x": GUARDED,
    "def f():\n    import x": LATER,
    "async def f():\n    import x": LATER,
    "class A:\n    def f(self):\n        import x": LATER,
    "def f():\n    try:\n        import x\n    except ImportError:\n        pass": LATER,
    "if TYPE_CHECKING:\n    import x": NEVER,
    "if typing.TYPE_CHECKING:\n    import x": NEVER,
    "if False:\n    import x": NEVER,
    "if __name__ == '__main__':\n    import x": NEVER,
}


@pytest.mark.parametrize("source", PLACES)
def test_places(source: str) -> None:
    """An import that fails does no harm where it is guarded, or does not run with the module."""
    assert imports(source) == [("x", (), PLACES[source])]


@pytest.mark.parametrize(
    ("source", "edits"),
    [
        ("sys.path.insert(0, 'lib')", True),
        ("import sys\nsys.path += ['lib']", True),
        ("site.addsitedir('lib')", True),
        ("os.path.join(a)", False),
        ("sys.pathological", False),
    ],
)
def test_changes_of_the_path(source: str, edits: bool) -> None:
    """A module that changes where Python looks for modules is known."""
    assert reader.read(source.encode(), "3.13").edits_path is edits
