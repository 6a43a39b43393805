"""The scenes: each yields trials, by names that stay the same from run to run."""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib.files import records
from tests.torture import damage
from tests.torture.world import World, files


class Trial(NamedTuple):
    """A trial: its name, and the function that does it in a world of its own."""

    name: str
    run: Callable[[World], None]


Scene = Callable[[World], Iterator[Trial]]


def cache(world: World) -> Iterator[Trial]:
    """Damage each file of uv's cache in each way, and build from nothing with it."""
    for path in files(world.folder / "cache"):
        name = path.relative_to(world.folder).as_posix()
        if path.name in {".lock", "CACHEDIR.TAG", ".gitignore", ".git"}:
            continue
        for kind in damage.KINDS:
            yield Trial(f"{kind} {name}", lambda one, n=name, k=kind: _damaged_cache(one, n, k))


def _damaged_cache(world: World, name: str, kind: str) -> None:
    shutil.rmtree(world.root / "build")
    shutil.rmtree(world.root / "dist")
    damage.KINDS[kind](world.folder / name)
    done = world.run()
    world.check(done)
    if done.code:
        raise AssertionError(f"a damaged cache stops the build\n{done.output}")
    world.check_heals()


def outputs(world: World) -> Iterator[Trial]:
    """Damage each file of build/ and dist/ in each way."""
    for path in (*files(world.root / "build"), *files(world.root / "dist")):
        name = path.relative_to(world.root).as_posix()
        if "/locks/" in name:
            continue
        for kind in damage.KINDS:
            yield Trial(f"{kind} {name}", lambda one, n=name, k=kind: _damaged_output(one, n, k))


def _damaged_output(world: World, name: str, kind: str) -> None:
    damage.KINDS[kind](world.root / name)
    done = world.run()
    world.check(done)
    world.check_heals()
    # The same with all ZIPs to be written anew, from what is remembered.
    if (world.root / name).is_file():
        damage.KINDS[kind](world.root / name)
    for folder in ("dist", "build/store"):
        shutil.rmtree(world.root / folder, ignore_errors=True)
    world.check(world.run())
    world.check_heals()


HOSTILE: tuple[object, ...] = (
    "../../victim", "/tmp/victim", "..", "", ".", "a/../../../victim", "\\\\x", "C:x", "\0",
    -1, 1 << 70, 1.5, None, True, [], {}, "x" * 5000, "\x1b[2J::error::x", "\udc80",
)  # fmt: skip


def hostile(world: World) -> Iterator[Trial]:
    """Put a hostile value at each place of each record, with the right sha256 of the record."""
    for path in files(world.root):
        name = path.relative_to(world.root).as_posix()
        if not name.startswith(("build/", "dist/")) or path.suffix != ".json":
            continue
        value = json.loads(path.read_bytes())
        sealed = isinstance(value, dict) and value.keys() == {"sha256", "record"}
        for place in _places(value["record"] if sealed else value):
            for number, bad in enumerate(HOSTILE):
                yield Trial(
                    f"{number} at {'.'.join(map(str, place))} of {name}",
                    lambda one, n=name, p=place, b=bad, s=sealed: _hostile(one, n, p, b, s),
                )


def _places(value: object, at: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Yield the place of each value, and of keys, of which the last part is a tuple."""
    yield at
    pairs: list[tuple[object, object]] = []
    if isinstance(value, dict):
        pairs = list(value.items())[:6]
        yield from ((*at, (key,)) for key, _ in pairs)
    elif isinstance(value, list):
        pairs = list(enumerate(value))[:3]
    for key, item in pairs:
        yield from _places(item, (*at, key))


def _hostile(world: World, name: str, place: tuple[object, ...], bad: object, sealed: bool) -> None:
    victims = [world.folder / "victim", world.root / "victim", Path("/tmp/victim")]
    for victim in victims:
        victim.write_text("precious")
    path = world.root / name
    content = json.loads(path.read_bytes())
    before = content["record"] if sealed else content
    value = _put(copy.deepcopy(before), place, bad)
    if value == before:
        return
    text = json.dumps(value).encode("utf-8", "surrogatepass")
    path.write_bytes(records.sealed(text) if sealed else text)
    done = world.run()
    world.check(done)
    for victim in victims:
        if victim.read_text() != "precious":
            raise AssertionError(f"{victim} was changed")
    world.check_heals()


def _put(value: object, place: tuple[object, ...], bad: object) -> object:
    if not place:
        return bad
    first, *rest = place
    if isinstance(first, tuple):  # the key itself
        assert isinstance(value, dict)
        return {
            bad if key == first[0] and isinstance(bad, str) else key: v for key, v in value.items()
        }
    assert isinstance(value, dict | list)
    value[first] = _put(value[first], tuple(rest), bad)  # type: ignore[index]
    return value


SCENES: dict[str, Scene] = {"cache": cache, "outputs": outputs, "hostile": hostile}
