"""Lockfiles of other tools give the packages that the tool itself would install.

tests/locks has a project of each tool, its lock, and the tool's own export of the lock with the
extra `yaml` and the group `extra`, as the tools wrote them.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.markers import Marker

from buildlib.errors import LockError
from buildlib.lock import dependencies
from buildlib.lock.requirements import Requirements
from buildlib.model import Docker, Include, LockTarget, Requires
from buildlib.runtimes import machine
from buildlib.text import canonical_name
from tests.unit.conftest import variant, write

LOCKS = Path(__file__).parents[2] / "locks"
TARGETS = [(p, a) for p in ("3.11", "3.12", "3.13") for a in ("x86_64", "arm64")]
TOOLS = {
    "uv": "uv.lock",
    "poetry-2.5": "poetry.lock",
    "poetry-1.8": "poetry.lock",
    "pdm-2.29": "pdm.lock",
    "pipenv-2026": "Pipfile.lock",
    "pylock-uv": "pylock.toml",
}
# Poetry 1.8 locked a release that has no wheel for Python 3.13.
CASES = [
    (tool, target)
    for tool in TOOLS
    for target in TARGETS
    if (tool, target[0]) != ("poetry-1.8", "3.13")
]


class Exported(NamedTuple):
    """A line of an export: a version, the marker and the hashes."""

    version: str
    marker: str
    hashes: frozenset[str]


def exported(tool: str, target: LockTarget) -> dict[str, Exported]:
    """Return the packages that a tool's export has for a target."""
    text = (LOCKS / tool / "export.txt").read_text().replace("\\\n", " ")
    environment = {
        "platform_machine": machine(target.architecture),
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
        "python_version": target.python,
        "python_full_version": f"{target.python}.5",
        "extra": "",
    }
    found = {}
    for line in text.splitlines():
        match = re.match(r"([\w.-]+)(?:\[.*?\])?==([^\s;]+)\s*(?:;\s*(.*?))?\s*(--hash.*)?$", line)
        if match and (not match[3] or Marker(match[3]).evaluate(environment)):
            hashes = frozenset(re.findall("sha256:[0-9a-f]{64}", line))
            found[canonical_name(match[1])] = Exported(match[2], match[3] or "", hashes)
    return found


def read(tool: str) -> Requirements:
    """Read a tool's lock, with the extra and the group that the export has."""
    # Pipenv has no extras; for pylock.toml, all extras were exported, and no group.
    extras = () if tool.startswith(("pipenv", "pylock")) else ("yaml",)
    groups = () if tool.startswith("pylock") else ("extra",)
    return dependencies.read(LOCKS / tool, Requires((TOOLS[tool],), "", groups, extras), ".")


@pytest.mark.parametrize(("tool", "target"), CASES)
def test_pins(tool: str, target: tuple[str, str]) -> None:
    """The versions are those of the tool's export, and each hash is one that the export has."""
    wanted = exported(tool, LockTarget(*target))
    if tool.startswith("pylock"):
        del wanted["six"]
    found = read(tool).pins
    assert found is not None
    pins = found(variant(*target))
    assert {pin.name: pin.version for pin in pins} == {n: e.version for n, e in wanted.items()}
    assert len(pins) > 10
    for pin in pins:
        assert set(pin.hashes) <= wanted[pin.name].hashes
        assert len(pin.hashes) == 1 or tool.startswith("pipenv")


def wheels(tool: str) -> dict[str, str]:
    """Return the names of the files of MarkupSafe in a lock, by their hashes."""
    text = (LOCKS / tool / TOOLS[tool]).read_text()
    row = r'((?i:markupsafe)-[^"/]*?\.(?:whl|tar\.gz))".*?sha256[: ="]+([0-9a-f]{64})'
    return {f"sha256:{digest}": name for name, digest in re.findall(row, text)}


@pytest.mark.parametrize(("tool", "target"), [case for case in CASES if "pipenv" not in case[0]])
def test_the_wheel_of_the_runtime(tool: str, target: tuple[str, str]) -> None:
    """The hash is that of the wheel for the runtime's Python, architecture and glibc."""
    found = read(tool).pins
    assert found is not None
    (pin,) = (pin for pin in found(variant(*target)) if pin.name == "markupsafe")
    name = wheels(tool)[pin.hashes[0]]
    python, architecture = target
    tag = python.replace(".", "")
    assert f"-cp{tag}-cp{tag}-manylinux" in name
    assert machine(architecture) in name


def test_the_glibc_of_the_runtime(tmp_path: Path) -> None:
    """Of the wheels for the runtime's glibc and older ones, the newest is the choice."""
    rows = {"manylinux_2_34": 3, "manylinux_2_28": 2, "manylinux_2_17": 1, "musllinux_1_2": 4}
    start = "https://x/big-1.0"
    files = (
        "".join(
            f'{{ url = "{start}-cp3{v}-cp3{v}-{tag}_x86_64.whl", hash = "sha256:{n:0>63}{v}" }},\n'
            for v in (1, 3)
            for tag, n in rows.items()
        )
        .replace("cp31-cp31", "cp311-cp311")
        .replace("cp33-cp33", "cp313-cp313")
    )
    write(tmp_path, {"uv.lock": uv_lock('{ name = "big" }', _package("big", files))})
    write(tmp_path, {"pyproject.toml": '[project]\nname = "app"\n'})
    pins = dependencies.read(tmp_path, Requires(("uv.lock",)), ".").pins
    assert pins is not None
    assert pins(variant("3.13"))[0].hashes == (f"sha256:{3:0>63}3",)
    assert pins(variant("3.11"))[0].hashes == (f"sha256:{1:0>63}1",)
    everything = pins(variant("3.11", docker=Docker()))[0].hashes
    assert len(everything) == 2 * len(rows)
    with pytest.raises(LockError, match=r"big 1\.0 has no wheel for Python 3.11 on arm64"):
        pins(variant("3.11", "arm64"))


def _package(name: str, files: str, more: str = "") -> str:
    return (
        f'[[package]]\nname = "{name}"\nversion = "1.0"\n'
        f'source = {{ registry = "https://pypi.org/simple" }}\n{more}wheels = [\n{files}]\n'
    )


def uv_lock(dependencies_: str, *packages: str) -> str:
    """Return a uv.lock of a project `app`."""
    app = (
        '[[package]]\nname = "app"\nversion = "0"\nsource = { virtual = "." }\n'
        f"dependencies = [{dependencies_}]\n"
    )
    return "\n".join(["version = 1", "revision = 5", app, *packages])


def members(root: Path) -> Iterator[Include]:
    """Yield the packages of local projects that the lock of a repository brings."""
    yield from dependencies.read(root, Requires(("uv.lock",)), "app").packages


def test_members(tmp_path: Path) -> None:
    """The packages of the workspace's members that the function reaches go into the ZIP."""
    lock = "version = 1\n" + "".join(
        f'[[package]]\nname = "{name}"\nversion = "0"\nsource = {{ {kind} = "{folder}" }}\n{more}\n'
        for name, kind, folder, more in (
            ("app", "editable", "app", 'dependencies = [{ name = "core" }]'),
            ("core", "editable", "libs/core", 'dependencies = [{ name = "base" }]'),
            ("base", "virtual", "libs/base", ""),
            ("other", "editable", "libs/other", ""),
        )
    )
    write(tmp_path, {
        "uv.lock": lock,
        "app/pyproject.toml": '[project]\nname = "app"\n',
        "libs/core/pyproject.toml": '[project]\nname = "core"\n',
        "libs/core/src/core/__init__.py": "",
        "libs/other/other/__init__.py": "",
    })  # fmt: skip
    assert list(members(tmp_path)) == [Include("libs/core/src/core", "core")]
    shutil.rmtree(tmp_path / "libs/core/src")
    with pytest.raises(
        LockError, match=r"uv.lock: core: libs/core has no package in a usual place"
    ):
        list(members(tmp_path))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("uv.lock", "version = 2\n", "uv.lock: unsupported version 2; expected version 1"),
        ("uv.lock", "version = [\n", "uv.lock: cannot be read: "),
        ("uv.lock", "version = 1\npackage = 3\n", "uv.lock: unexpected content"),
        ("uv.lock", uv_lock('{ name = "nix" }'), "uv.lock: has no nix, which is required"),
        (
            "uv.lock",
            uv_lock('{ name = "x" }', '[[package]]\nname = "x"\nsource = { git = "https://x" }\n'),
            "uv.lock: x comes from git",
        ),
        (
            "poetry.lock",
            '[metadata]\nlock-version = "3.0"\n',
            "poetry.lock: unsupported version 3.0",
        ),
        ("pdm.lock", '[metadata]\nlock_version = "9"\n', "pdm.lock: unsupported version 9"),
        ("pylock.toml", 'lock-version = "2.0"\n', "pylock.toml: unsupported version 2.0"),
        ("Pipfile.lock", "{", "Pipfile.lock: cannot be read: "),
        ("Pipfile.lock", "[]", "Pipfile.lock: unexpected content"),
    ],
)
def test_a_lock_that_cannot_be_read(tmp_path: Path, name: str, text: str, said: str) -> None:
    """The message says which file, and why."""
    write(tmp_path, {name: text, "pyproject.toml": '[project]\nname = "app"\n'})
    with pytest.raises(LockError) as error:
        dependencies.read(tmp_path, Requires((name,)), ".")
    assert said in str(error.value)


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if "pylock" not in tool])
def test_a_group_that_is_not_there(tool: str) -> None:
    """The message lists the groups of the lock."""
    with pytest.raises(LockError, match=r"'nix'; available: .*extra"):
        dependencies.read(LOCKS / tool, Requires((TOOLS[tool],), "", ("nix",)), ".")


def test_groups_of_pylock(tmp_path: Path) -> None:
    """The markers of pylock.toml select packages by group and extra."""
    rows = {"plain": "", "a": "'a' in dependency_groups", "b": "'b' in extras"}
    text = 'lock-version = "1.0"\ndefault-groups = []\n' + "".join(
        f'[[packages]]\nname = "{name}"\nversion = "1"\n'
        + (f'marker = "{marker}"\n' if marker else "")
        + f'[[packages.wheels]]\nname = "{name}-1-py3-none-any.whl"\n'
        + f'hashes = {{ sha256 = "{"0" * 64}" }}\n'
        for name, marker in rows.items()
    )
    write(tmp_path, {"pylock.toml": text})
    for groups, extras, names in (
        ((), (), ["plain"]),
        (("a",), (), ["a", "plain"]),
        (("a",), ("b",), ["a", "b", "plain"]),
    ):
        requires = Requires(("pylock.toml",), "", groups, extras)
        pins = dependencies.read(tmp_path, requires, ".").pins
        assert pins is not None
        assert [pin.name for pin in pins(variant())] == names
