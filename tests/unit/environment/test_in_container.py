"""The program that installs in a container."""

import types

import pytest

from buildlib.environment import in_container


def test_manylinux_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the container pip takes no wheel for a newer glibc than the runtime's (PEP 600)."""
    monkeypatch.setitem(__import__("sys").modules, "_manylinux", types.ModuleType("x"))
    in_container.limit_manylinux(2, 17)
    module = __import__("sys").modules["_manylinux"]
    assert [module.manylinux_compatible(2, minor, "x86_64") for minor in (5, 17, 18, 34)] == [
        True, True, False, False,
    ]  # fmt: skip
