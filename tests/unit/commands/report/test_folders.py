"""The levels of a treemap: parts, folders, files."""

from buildlib.archive import contents
from buildlib.archive.contents import OWN_FILES, Placed
from buildlib.commands.report import folders
from buildlib.commands.report.folders import Level, Tile
from tests.pages import FILES


def levels(files: list[Placed], most: int = 1000) -> dict[str, Level]:
    """Return the levels of a ZIP with these files, by their names."""
    found = folders.levels(contents.parts_of(files), files, most)
    return {"/".join(name for _, name in level.trail[1:]): level for level in found}


def test_levels() -> None:
    """A package leads to its folders, a folder to its files; each tile is in its level once."""
    found = levels(FILES)
    assert list(found) == ["", "numpy 2.2", "numpy 2.2/_core/", "numpy 2.2/tests/"]
    names = [tile.name for tile in found["numpy 2.2"].tiles]
    assert names == [
        *("_core/", "tests/", "__init__.py", "numpy-2.2.dist-info/", "200 smaller ones"),
    ]
    assert [tile.name for tile in found["numpy 2.2/_core/"].tiles] == [f"{n}.so" for n in range(4)]
    assert [tile.level for tile in found["numpy 2.2"].tiles] == [2, 3, 0, 0, 0]


def test_sizes_add_up() -> None:
    """Whatever is aggregated or left out of the depth, a level has the size of its tile."""
    for level in levels(FILES).values():
        assert sum(tile.size for tile in level.tiles) == level.size
    (top,) = levels(FILES)[""].tiles
    assert top == Tile("numpy 2.2", sum(f.size for f in FILES), 8_000_000, "package", 1)


def test_could_go() -> None:
    """The bytes that could go are known at each level; the runtime's own packages are a kind."""
    files = [
        *FILES,
        Placed("boto3/__init__.py", 100, "boto3 1.40", contents.IN_RUNTIME),
        Placed("app.py", 10, OWN_FILES, ""),
    ]
    found = levels(files)
    spare = {tile.name: tile.spare for tile in found["numpy 2.2"].tiles}
    assert spare["tests/"] == 8_000_000
    assert spare["_core/"] == 0
    alone = levels(files[-2:])[""].tiles
    assert [(tile.kind, tile.spare) for tile in alone] == [("runtime", 100), ("own", 0)]


def test_bounded() -> None:
    """A tree of any size has few tiles: the largest folders are split first."""
    files = [
        Placed(f"big/{a}/{b}/{c}.py", 1000 + a, "big 1.0", "")
        for a in range(50)
        for b in range(20)
        for c in range(20)
    ]
    found = levels(files, 100)
    assert sum(len(level.tiles) for level in found.values()) <= 100 + folders.TILES + 1
    assert all(len(level.tiles) <= folders.TILES + 1 for level in found.values())
    assert list(found)[:3] == ["", "big 1.0", "big 1.0/49/"]


def test_empty_files() -> None:
    """Files without content have no tile, and a ZIP of them has an empty level."""
    found = levels([Placed("app/__init__.py", 0, OWN_FILES, "")])
    assert [(level.size, level.tiles) for level in found.values()] == [(0, [])]


def test_layer() -> None:
    """In a layer the folder `python/` of all packages is no level of its own."""
    files = [Placed(f"python/{f.path}", f.size, f.part, f.saving) for f in FILES]
    assert list(levels(files)) == list(levels(FILES))
