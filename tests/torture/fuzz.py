"""Texts that were damaged at random, for every reader of text, within this process."""

import functools
import random
import time
from collections.abc import Callable
from pathlib import Path

from buildlib.artifacts import hashes, index
from buildlib.commands import external
from buildlib.errors import BuildError, describe
from buildlib.layout import Layout
from buildlib.lock import dependencies, lockfile, requirements
from buildlib.manifest import locations, reader
from buildlib.model import LockTarget, Requires, Variant
from tests.torture.world import MANIFEST

# No text of these sizes may take longer.
SECONDS = 5.0

_WORDS = (
    "\0", "\x1b[2J", "\r", "\n", "\t", "\\", "'", '"', "{", "}", "[", "]", ":", "- ", "&a", "*a",
    "!!python/object:os.system", "${HOME}", "..", "../..", "/", "~", "9" * 400, "\ud800", "\ufeff",
    "\u202e", "=", "==", ";", "@", "#", "--hash=sha256:", "-r x", "-e .", "--index-url", "*" * 50,
    "null", "true", "1e999", "0x", "-1", "a" * 3000, "[" * 300, "{a: " * 300,
)  # fmt: skip

_LOCK = (
    "# requirements-sha256: " + "0" * 64 + "\n# targets: 3.13-x86_64\nalpha==1.0 \\\n    --hash="
)
_LOCK += "sha256:" + "a" * 64 + "\nbeta @ https://h/b.whl ; python_version > '3.9' --hash=sha256:"
_LOCK += "b" * 64 + "\n"


def _manifest(root: Path) -> None:
    reader.read(root)


def _requirements(root: Path) -> None:
    requirements.read(root, "requirements.txt")


def _lock(root: Path) -> None:
    found = requirements.Requirements("requirements.txt", "0" * 64, (), frozenset())
    lockfile.state(root / "requirements.lock", found, [LockTarget("3.13", "x86_64")])
    lockfile.images(root / "requirements.lock")
    lockfile.pins_for(root / "requirements.lock", "x", LockTarget("3.13", "x86_64"), "api")


def _index(root: Path) -> None:
    found = index.read(Layout(root))
    assert all(isinstance(entry, dict) for entry in found.values())


def _hashes(root: Path) -> None:
    hashes.read(Layout(root))


def _query(root: Path) -> None:
    external.read((root / "query.json").read_text(encoding="utf-8", errors="replace"))


# A small lock of each other tool, with the keys that are read.
_LOCKS = {
    "uv.lock": (
        'version = 1\n[[package]]\nname = "app"\nversion = "0"\nsource = { virtual = "." }\n'
        'dependencies = [{ name = "a", extra = ["x"], marker = "python_version > \'3.9\'" }]\n'
        '[package.optional-dependencies]\nx = [{ name = "a" }]\n[package.dev-dependencies]\n'
        'dev = [{ name = "a" }]\n[[package]]\nname = "a"\nversion = "1.0"\n'
        'source = { registry = "https://pypi.org/simple" }\n'
        f'wheels = [{{ url = "https://h/a-1.0-py3-none-any.whl", hash = "sha256:{"0" * 64}" }}]\n'
    ),
    "poetry.lock": (
        '[[package]]\nname = "a"\nversion = "1.0"\noptional = false\ngroups = ["main"]\n'
        "markers = \"python_version > '3.9'\"\n"
        f'files = [{{file = "a-1.0-py3-none-any.whl", hash = "sha256:{"0" * 64}"}}]\n'
        '[package.dependencies]\na = {version = ">=1", markers = "extra == \'x\'"}\n'
        '[package.extras]\nx = ["a (>=1)"]\n[metadata]\nlock-version = "2.1"\n'
    ),
    "pdm.lock": (
        '[metadata]\nlock_version = "4.5.1"\n[[package]]\nname = "a"\nversion = "1.0"\n'
        'groups = ["default"]\nmarker = "python_version > \'3.9\'"\ndependencies = ["a>=1"]\n'
        f'files = [{{file = "a-1.0-py3-none-any.whl", hash = "sha256:{"0" * 64}"}}]\n'
    ),
    "pylock.toml": (
        'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1.0"\n'
        "marker = \"'x' in extras and python_version > '3.9'\"\n"
        f'wheels = [{{ name = "a-1.0-py3-none-any.whl", hashes = {{ sha256 = "{"0" * 64}" }} }}]\n'
    ),
    "Pipfile.lock": (
        '{"_meta": {"sources": [{"name": "p", "url": "https://h"}]}, "default": {"a": {"hashes": '
        f'["sha256:{"0" * 64}"], "markers": "python_version > \'3.9\'", "version": "==1.0"}}}}}}'
    ),
}


_PROJECT = (
    '[project]\nname = "app"\ndependencies = ["a>=1; python_version > \'3.9\'"]\n'
    '[dependency-groups]\ndev = ["a", {include-group = "dev"}]\n[tool.uv.sources]\n'
    'a = {path = "../a"}\n[tool.poetry.dependencies]\nb = {version = "^1", extras = ["x"]}\n'
)


def _foreign(name: str, root: Path) -> None:
    (root / "pyproject.toml").write_text('[project]\nname = "app"\ndependencies = ["a"]\n')
    found = dependencies.read(root, Requires((name,)), ".")
    function = reader.read(root).functions[0]
    if found.pins:
        found.pins(Variant("api", function, "3.13", "x86_64"))


def _project(root: Path) -> None:
    locations.default(root, ".")
    dependencies.read(root, Requires(("pyproject.toml",), "", ("dev",)), ".")


READERS: dict[str, tuple[str, str, Callable[[Path], None]]] = {
    "manifest": ("lambdas.yaml", MANIFEST, _manifest),
    "requirements": (
        "requirements.txt",
        "alpha>=1\n-r x.txt\n--index-url http://h/\n",
        _requirements,
    ),
    "lock": ("requirements.lock", _LOCK, _lock),
    **{name: (name, text, functools.partial(_foreign, name)) for name, text in _LOCKS.items()},
    "project": ("pyproject.toml", _PROJECT, _project),
    "index": ("dist/lambdas.json", '{"api": {"sha256": "00", "size": 1}}', _index),
    "hashes": ("lambdas.hashes.json", '{"api": {"key": "0", "sha256": "00"}}', _hashes),
    "query": ("query.json", '{"root": ".", "ids": "api", "plan": "true"}', _query),
}


def damaged(text: str, chance: random.Random) -> bytes:
    """Return a text with a few random changes."""
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(text))
        match chance.randint(0, 5):
            case 0:
                text = text[:at] + text[at + chance.randint(1, 9) :]
            case 1:
                text = text[:at] + chr(chance.randint(0, 0x2FFF)) + text[at:]
            case 2:
                other = chance.randint(0, len(text))
                text = text[:at] + text[min(at, other) : max(at, other)] + text[at:]
            case _:
                text = text[:at] + chance.choice(_WORDS) + text[at:]
    return text.encode("utf-8", "surrogatepass")


def attack(kind: str, seed: int, count: int, root: Path) -> None:
    """Read damaged texts of a kind; each is accepted, or refused with a message, in time."""
    name, text, read = READERS[kind]
    chance = random.Random(f"{kind} {seed}")  # noqa: S311 - the same texts each time
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        content = damaged(text, chance)
        (root / name).write_bytes(content)
        began = time.monotonic()
        message = "accepted"
        try:
            read(root)
        except (BuildError, OSError) as error:
            message = describe(error).strip()
        except Exception as error:
            msg = f"{kind} {seed}, {number}: {error!r} for {content!r}"
            raise AssertionError(msg) from error
        assert message, f"{kind} {seed}, {number}: no message for {content!r}"
        seconds = time.monotonic() - began
        assert seconds < SECONDS, f"{kind} {seed}, {number}: {seconds:.1f} s for {content!r}"
