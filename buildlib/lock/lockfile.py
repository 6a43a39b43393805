"""Read `requirements.lock`: the pins with their hashes, and whether the file is up to date.

The lockfile is committed. Its header has the sha256 of its requirements, and nothing else decides
whether it is up to date, so a fresh clone resolves nothing.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from buildlib.errors import LockError
from buildlib.lock.requirements import Requirements
from buildlib.model import Image, Pin, Variant
from buildlib.runtimes import machine
from buildlib.text import canonical_name

_SHA256 = re.compile(r"^# requirements-sha256: ([0-9a-f]{64})$", re.MULTILINE)


_IMAGE = re.compile(r"^# image: (\S+) (\S+) (\S+) (\S+@sha256:[0-9a-f]{64}|sha256:[0-9a-f]{64})$")


_PYTHON = re.compile(r"^# python: ([0-9.]+)$", re.MULTILINE)


_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*"
    r"(==\s*(?P<version>[^\s;\\]+)|@\s*(?P<url>\S+))\s*(;\s*(?P<marker>.*))?"
)


_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


def is_current(lock: Path, requirements: Requirements, python: str) -> bool:
    """Tell whether the lockfile matches these requirements and this lowest Python."""
    return state(lock, requirements, python) is None


def state(lock: Path, requirements: Requirements, python: str) -> str | None:
    """Return why a lockfile is out of date, to follow "the lock ..."; None if it is up to date."""
    try:
        head = lock.read_text(encoding="utf-8", errors="replace")[:1000]
    except FileNotFoundError:
        return "is missing"
    locked_sha256, locked_python = _SHA256.search(head), _PYTHON.search(head)
    if not locked_sha256 or not locked_python:
        return "was not written by doit-lambda-zip"
    if locked_sha256[1] != requirements.sha256:
        return f"does not match {Path(requirements.path).name}"
    if locked_python[1] != python:
        return f"is for Python {locked_python[1]} and newer, but the lambda starts at {python}"
    return None


def lowest(pythons: Iterable[str]) -> str:
    """Return the lowest of the Python versions."""
    return min(pythons, key=lambda python: tuple(map(int, python.split("."))))


def is_frozen(frozen: bool, variables: Mapping[str, str]) -> bool:  # noqa: FBT001
    """Tell whether a build must not write lockfiles: by the manifest, or because this is CI."""
    return frozen or variables.get("CI", "").lower() not in {"", "0", "false", "no"}


def images(lock: Path) -> list[Image]:
    """Return the images that a lockfile pins; none if the file is missing."""
    pinned = []
    try:
        with lock.open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if not line.startswith("#"):
                    break
                if match := _IMAGE.match(line.rstrip()):
                    pinned.append(Image(*match.groups()))
    except FileNotFoundError:
        pass
    return pinned


def pins(lock: Path, shown: str, variant: Variant) -> tuple[Pin, ...]:
    """Return the pins of a lockfile that apply to a variant, sorted by name.

    Raises:
        LockError: the lockfile is missing, or has a line that is invalid or lacks a hash.

    """
    try:
        text = lock.read_text(encoding="utf-8-sig", errors="replace").replace("\r\n", "\n")
    except FileNotFoundError:
        msg = f"{shown}: missing; run 'doit lock:{variant.function.name}' and commit the file"
        raise LockError(msg, "lock-missing") from None
    applicable = {}
    for line in text.replace("\\\n", " ").split("\n"):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        requirement, *_ = content.partition(" --hash=")
        match = _PIN.fullmatch(requirement.strip())
        hashes = tuple(sorted(_HASH.findall(content)))
        applies = match and _applies(match["marker"], variant)
        if not match or not hashes or applies is None:
            msg = (
                f"{shown}: '{requirement.strip()}' is not a pin with hashes; "
                f"run 'doit lock:{variant.function.name}' to regenerate the file"
            )
            raise LockError(msg, "lock-line")
        if not applies:
            continue
        name = canonical_name(match["name"])
        applicable[name] = Pin(name, match["version"] or f"@ {match['url']}", hashes)
    return tuple(applicable[name] for name in sorted(applicable))


def _applies(marker: str | None, variant: Variant) -> bool | None:
    """Evaluate an environment marker (PEP 508) for a variant's runtime; None if it is invalid."""
    if not marker:
        return True
    # Takes 40 ms, and few lockfiles have markers.
    from packaging.markers import InvalidMarker, Marker

    try:
        parsed = Marker(marker)
    except InvalidMarker:
        return None
    return parsed.evaluate({
        "implementation_name": "cpython",
        "implementation_version": f"{variant.python}.0",
        "os_name": "posix",
        "platform_machine": machine(variant.architecture),
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{variant.python}.0",
        "python_version": variant.python,
        "sys_platform": "linux",
        "extra": "",
    })  # fmt: skip
