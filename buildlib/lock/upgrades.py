"""The packages that `--upgrade-package` names, each with a version or without."""

import re
from collections.abc import Iterable

from packaging.version import InvalidVersion, Version

from buildlib.errors import LockError
from buildlib.lock.lockfile import COMPILER
from buildlib.model import Upgrade
from buildlib.text import canonical_name

# A name of a package, as PEP 508 has it.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def read(words: Iterable[str], *, everything: bool = False) -> Upgrade:
    """Return the upgrade of packages; each word is `name` or `name==version`.

    Raises:
        LockError: with every word that is neither.

    """
    names, pins, problems = set(), set(), []
    for word in words:
        name, has_version, version = (part.strip() for part in word.partition("=="))
        if not _NAME.fullmatch(name) or (has_version and not _is_version(version)):
            problems.append(
                f"--upgrade-package: expected PACKAGE or PACKAGE==VERSION, found '{word}'"
            )
            continue
        name = canonical_name(name)
        names.add(name)
        if has_version:
            pins.add(f"{name}=={version}")
        if has_version and name == COMPILER:
            problems.append(
                f"--upgrade-package: '{COMPILER}' takes no version; name one with 'compiler' in "
                "lambdas.yaml, or leave out the version for the newest of this machine"
            )
    if problems:
        raise LockError("\n".join(problems), "lock-failed")
    return Upgrade(everything, frozenset(names), frozenset(pins))


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
