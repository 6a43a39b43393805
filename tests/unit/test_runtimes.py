"""What is known about Lambda's runtimes."""

import pytest

from buildlib import runtimes
from buildlib.runtimes import ARCHITECTURES, RUNTIMES


@pytest.mark.parametrize(
    ("python", "architecture", "tag"),
    [
        ("3.10", "x86_64", "manylinux_2_17_x86_64"),
        ("3.11", "arm64", "manylinux_2_17_aarch64"),
        ("3.12", "x86_64", "manylinux_2_34_x86_64"),
        ("3.13", "arm64", "manylinux_2_34_aarch64"),
        ("3.14", "x86_64", "manylinux_2_34_x86_64"),
    ],
)
def test_platform_tag(python: str, architecture: str, tag: str) -> None:
    """The tag is the newest that the glibc of the runtime's Amazon Linux allows."""
    assert runtimes.platform_tag(python, architecture) == tag


def test_no_wheel_needs_a_newer_glibc() -> None:
    """A tag never asks for more than the runtime has."""
    for python, runtime in RUNTIMES.items():
        assert runtimes.manylinux(python) <= runtime.glibc


def test_names() -> None:
    """The names are those of Lambda's API, and of AWS's images."""
    assert RUNTIMES["3.13"].identifier == "python3.13"
    assert RUNTIMES["3.10"].image == "public.ecr.aws/lambda/python:3.10"
    assert all(runtime.python == python for python, runtime in RUNTIMES.items())


def test_machines() -> None:
    """Every architecture has a machine, as wheel tags and `uname -m` call it."""
    assert [runtimes.machine(name) for name in ARCHITECTURES] == ["x86_64", "aarch64"]
