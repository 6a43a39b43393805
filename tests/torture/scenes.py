"""The scenes: each yields trials, by names that stay the same from run to run."""

import copy
import functools
import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from buildlib.files import records
from tests.torture import damage
from tests.torture import fuzz as attacks
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
            yield Trial(f"{kind} {name}", functools.partial(_damaged_cache, name, kind))


def _damaged_cache(name: str, kind: str, world: World) -> None:
    shutil.rmtree(world.root / "build")
    shutil.rmtree(world.root / "dist")
    damage.KINDS[kind](world.folder / name)
    done = world.run()
    world.check(done)
    assert done.code == 0, f"a damaged cache stops the build\n{done.output}"
    world.check_heals()


def outputs(world: World) -> Iterator[Trial]:
    """Damage each file of build/ and dist/ in each way."""
    for path in (*files(world.root / "build"), *files(world.root / "dist")):
        name = path.relative_to(world.root).as_posix()
        if "/locks/" in name:
            continue
        for kind in damage.KINDS:
            yield Trial(f"{kind} {name}", functools.partial(_damaged_output, name, kind))


def _damaged_output(name: str, kind: str, world: World) -> None:
    damage.KINDS[kind](world.root / name)
    done = world.run()
    world.check(done)
    world.check_heals()
    # The same with all ZIPs to be written anew, from what is remembered.
    if (world.root / name).is_file():
        damage.KINDS[kind](world.root / name)
    for folder in ("dist", "build/cache/zips-v1"):
        shutil.rmtree(world.root / folder, ignore_errors=True)
    world.check(world.run())
    world.check_heals()


HOSTILE: tuple[object, ...] = (
    "../../victim", "/victim", "..", "", ".", "a/../../../victim", "\\\\x", "C:x", "\0",
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
                    functools.partial(_hostile, name, place, bad, sealed),
                )


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    """Yield the place of each value, and of keys, of which the last part is a tuple."""
    yield at
    pairs: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        pairs = list(value.items())[:6]
        yield from ((*at, (key,)) for key, _ in pairs)
    elif isinstance(value, list):
        pairs = list(enumerate(value))[:3]
    for key, item in pairs:
        yield from _places(item, (*at, key))


def _hostile(name: str, place: tuple[Any, ...], bad: object, sealed: bool, world: World) -> None:
    outside = world.folder / "victim"
    for victim in (outside, world.root / "victim"):
        victim.write_text("precious")
    path = world.root / name
    content = json.loads(path.read_bytes())
    before = content["record"] if sealed else content
    bad = str(outside) if bad == "/victim" else bad
    value = _put(copy.deepcopy(before), place, bad)
    if value == before:
        return
    text = json.dumps(value).encode("utf-8", "surrogatepass")
    path.write_bytes(records.sealed(text) if sealed else text)
    done = world.run()
    world.check(done)
    for victim in (outside, world.root / "victim"):
        assert victim.read_text() == "precious", f"{victim} was changed"
    world.check_heals()


def _put(value: Any, place: tuple[Any, ...], bad: object) -> Any:  # noqa: ANN401
    if not place:
        return bad
    first, *rest = place
    if isinstance(first, tuple):  # the key itself
        renamed = bad if isinstance(bad, str) else first[0]
        return {renamed if key == first[0] else key: item for key, item in value.items()}
    value[first] = _put(value[first], tuple(rest), bad)
    return value


# -- faults of the system, by strace: what is about to happen in each situation --------------------


def _nothing_built(world: World) -> None:
    for folder in ("build", "dist"):
        shutil.rmtree(world.root / folder)


def _first_install(world: World) -> None:
    _nothing_built(world)
    shutil.rmtree(world.folder / "cache")


def _an_edit(world: World) -> None:
    with (world.root / "lambdas/api/app.py").open("a") as stream:
        stream.write("X = 1\n")
    _expect(world)


def _a_new_pin(world: World) -> None:
    (world.root / "lambdas/api/requirements.txt").write_text("beta\ndelta\n")
    (world.root / "lambdas/api/requirements.lock").unlink()
    _expect(world)


def _from_the_store(world: World) -> None:
    shutil.rmtree(world.root / "dist")


def _an_undeclared_function(world: World) -> None:
    manifest = world.root / "lambdas.yaml"
    manifest.write_text(manifest.read_text().replace("  plain:\n    handler: app.handler\n", ""))
    _expect(world)


def _expect(world: World) -> None:
    """Note what is right after a change: what a build from nothing gives elsewhere."""
    other = world.copy(world.folder.with_name(world.folder.name + "-right"))
    _nothing_built(other)
    done = other.run()
    assert done.code == 0, done.output
    world.right = other.dist()
    shutil.copytree(other.folder / "cache", world.folder / "cache", dirs_exist_ok=True)
    shutil.copy(other.root / "lambdas/api/requirements.lock", world.folder / "expected.lock")
    shutil.rmtree(other.folder)


SITUATIONS: dict[str, Callable[[World], None]] = {
    "first install": _first_install,
    "nothing built": _nothing_built,
    "an edit": _an_edit,
    "a new pin": _a_new_pin,
    "from the cache": _from_the_store,
    "an undeclared function": _an_undeclared_function,
}

# System calls that change something.
CHANGES = (
    "openat", "write", "pwrite64", "rename", "renameat", "renameat2", "unlink", "unlinkat", "link",
    "linkat", "symlink", "symlinkat", "mkdir", "mkdirat", "rmdir", "ftruncate", "utimensat",
    "fchmod", "fchmodat", "copy_file_range", "fsync", "flock",
)  # fmt: skip

_HIGHEST = 400


def kills(world: World) -> Iterator[Trial]:
    """Kill doit or uv, without a warning, at the n-th system call of a kind."""
    del world
    for situation in SITUATIONS:
        for call in CHANGES:
            for number in _numbers():
                fault = f"{call}:signal=SIGKILL:when={number}"
                yield Trial(f"{situation}: {fault}", _faulty(situation, call, fault))


def disk(world: World) -> Iterator[Trial]:
    """Let system calls fail from the n-th on, as on a full disk or without descriptors."""
    del world
    for situation in SITUATIONS:
        for call in CHANGES:
            for error in ("ENOSPC", "EMFILE", "EIO", "EDQUOT"):
                for number in _numbers():
                    fault = f"{call}:error={error}:when={number}+"
                    yield Trial(f"{situation}: {fault}", _faulty(situation, call, fault))


def _numbers() -> list[int]:
    return [*range(1, 20), *range(20, _HIGHEST, 17)]


def _faulty(situation: str, call: str, fault: str) -> Callable[[World], None]:
    def run(world: World) -> None:
        SITUATIONS[situation](world)
        strace = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}"]
        done = world.run(under=[*strace, "-e", f"inject={fault}"])
        world.check(done)
        world.check_heals()

    return run


# Where one process can meet another: before it takes a lock, reads a state or publishes.
POINTS = (
    "steps.shared:make_lock",
    "steps.tidy:prune",
    "steps.run:perform",
    "steps.run:_Work.environment",
    "steps.run:_Work.stage",
    "steps.run:_Work.touch",
    "steps.run:_Work.zip",
    "steps.run:_Work.hash",
    "steps.run:_Work._take",
    "steps.run:_Work._publish",
    "steps.run:confirm",
    "artifacts.listing:Listing.publish",
    "artifacts.index:write",
    "cache.store:Store.put",
    "files.atomic:write",
)


def races(world: World) -> Iterator[Trial]:
    """Let two processes meet, of which the second one sees an edit and the first one does not."""
    del world
    for situation in ("nothing built", "from the cache"):
        for first in POINTS:
            for second in POINTS:
                name = f"{situation}: {first} against {second}"
                yield Trial(name, functools.partial(_race, situation, first, second))


def _race(situation: str, first: str, second: str, world: World) -> None:
    # What is right at the end is that of the edit, which comes once the first process has begun.
    other = world.copy(world.folder.with_name(world.folder.name + "-edited"))
    _an_edit(other)
    text = (other.root / "lambdas/api/app.py").read_text()
    shutil.rmtree(other.folder)
    SITUATIONS[situation](world)
    world.right = other.right
    with world.paused(first, "one") as finish:
        (world.root / "lambdas/api/app.py").write_text(text)
        with world.paused(second, "other") as finish_other:
            runs = [finish(), finish_other()]
    for done in runs:
        assert "Traceback" not in done.output, done.output
    world.check_consistent()
    world.check_heals()


# -- edits and texts at random ---------------------------------------------------------------------


def edits(world: World) -> Iterator[Trial]:
    """Make random edits, and compare each build with one from nothing."""
    del world
    for seed in range(200):
        yield Trial(f"seed {seed}", functools.partial(_edits, seed, 5))
    yield Trial("a thousand steps", functools.partial(_edits, 1000, 1000))


def _edits(seed: int, steps: int, world: World) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same edits each time
    for step in range(steps):
        _edit(world, chance)
        done = world.run()
        assert done.code == 0, f"step {step}\n{done.output}"
        other = world.copy(world.folder.with_name(f"{world.folder.name}-{step}"))
        _nothing_built(other)
        again = other.run()
        assert again.code == 0, f"step {step}, from nothing\n{again.output}"
        world.right = other.dist()
        shutil.rmtree(other.folder)
        assert not world.wrong(), f"step {step}: wrong {world.wrong()}\n{done.output}"
    world.check_heals()


def _edit(world: World, chance: random.Random) -> None:
    root = world.root
    source = root / "lambdas" / chance.choice(["api", "jobs", "plain"])
    match chance.randint(0, 8):
        case 0 | 1:
            with (source / "app.py").open("a") as stream:
                stream.write(f"X{chance.randint(0, 99)} = 1\n")
        case 2:
            (source / f"data{chance.randint(0, 3)}.txt").write_text(f"{chance.random()}\n")
        case 3:
            for path in source.glob("data*.txt"):
                path.unlink()
        case 4:
            names = chance.sample(["alpha", "beta", "gamma", "delta"], chance.randint(1, 3))
            (source / "requirements.txt").write_text("".join(f"{name}\n" for name in names))
        case 5:
            (root / "shared/common/__init__.py").write_text(f"C = {chance.randint(0, 3)}\n")
        case 6:
            manifest = root / "lambdas.yaml"
            text = manifest.read_text()
            line = f"    compression: {chance.choice(['stored', 'deflate'])}\n"
            manifest.write_text(re.sub(r"    compression: .*\n", "", text) + line)
        case 7:
            status = (source / "app.py").stat()
            text = (source / "app.py").read_text()
            (source / "app.py").write_text(text.replace("event", "EVENT").swapcase().swapcase())
            os.utime(source / "app.py", ns=(status.st_atime_ns, status.st_mtime_ns))
        case _:
            manifest = root / "lambdas.yaml"
            line = "  more:\n    handler: app.handler\n    source: lambdas/plain\n"
            text = manifest.read_text()
            has = line in text
            manifest.write_text(
                text.replace(line, "") if has else text.replace("  api:", f"{line}  api:")
            )


def fuzz(world: World) -> Iterator[Trial]:
    """Read a hundred texts that were damaged at random."""
    del world
    for seed in range(80):
        for kind in attacks.READERS:
            yield Trial(f"{kind} {seed}", functools.partial(_fuzz, kind, seed))


def _fuzz(kind: str, seed: int, world: World) -> None:
    attacks.attack(kind, seed, 100, world.root)


SCENES: dict[str, Scene] = {
    "edits": edits,
    "fuzz": fuzz,
    "races": races,
    "cache": cache,
    "outputs": outputs,
    "hostile": hostile,
    "kills": kills,
    "disk": disk,
}
