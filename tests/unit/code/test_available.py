"""The tables of the runtime's modules agree with sources of others."""

import importlib.metadata
import sys
from pathlib import Path

import mypy
import pytest

from buildlib.code import available
from buildlib.runtimes import RUNTIMES


def typeshed() -> dict[str, tuple[str, str]]:
    """Return the first and the last version of each module in typeshed's table."""
    text = (Path(mypy.__file__).parent / "typeshed/stdlib/VERSIONS").read_text()
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    rows = (line.split(": ") for line in lines if line)
    return {name: (span.partition("-")[0], span.partition("-")[2]) for name, span in rows}


def number(version: str) -> int:
    return int(version.partition(".")[2])


def test_submodules() -> None:
    """Each public submodule that a supported Python gained is known with its version."""
    oldest = min(map(number, RUNTIMES))
    for name, (first, last) in typeshed().items():
        if "._" in name or "." not in name or name in {"sys.__jit", "asyncio.mixins"}:
            continue
        if name.startswith(
            ("importlib.readers", "importlib.simple", "importlib.metadata", "pydoc_")
        ):
            continue  # nothing but Python itself imports them
        parts = name.split(".")
        if number(first) > oldest and not last:
            before = f"3.{number(first) - 1}"
            if parts[0] in available.standard_library(before):
                assert available.lacks(parts, before) == name
            assert not available.lacks(parts, first)


@pytest.mark.parametrize("python", RUNTIMES)
def test_top_level_modules(python: str) -> None:
    """The standard library of each version has the modules that typeshed knows of."""
    for name, (first, last) in typeshed().items():
        if "." in name or name[0] == "_" or name.startswith("xx"):
            continue
        if name.endswith("_extensions"):
            continue
        is_there = number(first) <= number(python) and (not last or number(python) <= number(last))
        if first.startswith("3."):
            assert (name in available.standard_library(python)) is is_there, name


def test_the_present_python() -> None:
    """The standard library of this Python is the one that it names itself."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert available.standard_library(version) >= set(sys.stdlib_module_names)


@pytest.mark.parametrize("name", ["boto3", "botocore", "s3transfer"])
def test_dependencies_of_the_sdk(name: str) -> None:
    """The SDK's dependencies are those that its metadata names."""
    for line in importlib.metadata.requires(name) or ():
        if "extra ==" not in line:
            word = "".join(c if c.isalnum() or c in "-_" else " " for c in line).split()[0]
            assert word in available.DISTRIBUTIONS


@pytest.mark.parametrize(
    ("module", "python", "said"),
    [
        ("imp", "3.12", "Python 3.12 no longer has this module"),
        ("tomllib", "3.10", "the standard library has it since Python 3.11"),
        ("string.templatelib", "3.13", "the standard library has it since Python 3.14"),
        ("xml.etree.cElementTree", "3.13", "Python 3.13 no longer has this module"),
        ("winreg", "3.13", "the standard library has it on other systems only"),
        ("yaml", "3.13", ""),
    ],
)
def test_elsewhere(module: str, python: str, said: str) -> None:
    """A module of another version or system is said to be one."""
    assert available.elsewhere(module, python) == said
