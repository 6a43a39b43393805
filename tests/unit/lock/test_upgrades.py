"""The words of `--upgrade-package`: packages, and versions that they must get."""

import pytest

from buildlib.errors import LockError
from buildlib.lock import upgrades
from buildlib.model import Upgrade


def test_names_and_versions() -> None:
    """Names are normalised; a version is kept as it is written, without spaces."""
    found = upgrades.read(["My_Package", "Other == 2.0rc1", "cpython"])
    packages = frozenset({"my-package", "other", "cpython"})
    assert found == Upgrade(packages=packages, pins=frozenset({"other==2.0rc1"}))
    assert upgrades.read([], everything=True) == Upgrade(everything=True)


def test_every_mistake() -> None:
    """Each word that names no package, or no version, is in the message, as all others are."""
    words = ["a>1", "b==new", "==1", "c==", "-d", "e==1.0 --index-url=x", "f"]
    with pytest.raises(LockError) as raised:
        upgrades.read(words)
    assert str(raised.value).splitlines() == [
        f"--upgrade-package: expected PACKAGE or PACKAGE==VERSION, found '{word}'"
        for word in words[:-1]
    ]


def test_the_compiler_has_no_version() -> None:
    """The compiler of bytecode moves to this machine's newest, so a version would be ignored."""
    with pytest.raises(LockError, match="'cpython' takes no version; name one with 'compiler'"):
        upgrades.read(["cpython==3.13.1"])
