"""`requirements.txt` to `requirements.lock`: every distribution pinned, with its hashes.

The lock is committed. Its header names the input that it was made from, and that alone says
whether it is current: a fresh clone resolves nothing.
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
    """Tell whether the lock was made from these requirements for this lowest Python."""
    return state(lock, requirements, python) is None


def state(lock: Path, requirements: Requirements, python: str) -> str | None:
    """Return what is wrong with a lock, in words that fit "the lock ..."; None if it is current."""
    try:
        head = lock.read_text(encoding="utf-8", errors="replace")[:1000]
    except FileNotFoundError:
        return "is missing"
    found, lowest = _SHA256.search(head), _PYTHON.search(head)
    if not found or not lowest:
        return "was not made by this tool"
    if found[1] != requirements.sha256:
        return f"was made from another {Path(requirements.path).name}"
    if lowest[1] != python:
        return f"was made for Python {lowest[1]} and up, the lambda now starts at {python}"
    return None


def lowest(pythons: Iterable[str]) -> str:
    """Return the lowest of some Python versions."""
    return min(pythons, key=lambda python: tuple(map(int, python.split("."))))


def is_frozen(frozen: bool, variables: Mapping[str, str]) -> bool:  # noqa: FBT001
    """Tell whether locks may not be made on the way: the manifest says so, or this is CI."""
    return frozen or variables.get("CI", "").lower() not in {"", "0", "false", "no"}


def images(lock: Path) -> list[Image]:
    """Return the images that a lock pins; none if there is no lock."""
    found = []
    try:
        with lock.open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if not line.startswith("#"):
                    break
                if match := _IMAGE.match(line.rstrip()):
                    found.append(Image(*match.groups()))
    except FileNotFoundError:
        pass
    return found


def pins(lock: Path, shown: str, variant: Variant) -> tuple[Pin, ...]:
    """Return the pins of a lock that hold for a variant, sorted by name.

    Raises:
        LockError: the lock is missing, or a line of it cannot be read or has no hash.

    """
    try:
        text = lock.read_text(encoding="utf-8-sig", errors="replace").replace("\r\n", "\n")
    except FileNotFoundError:
        msg = f"{shown}: there is none; run 'doit lock:{variant.function.name}' and commit it"
        raise LockError(msg, "lock-missing") from None
    found = {}
    for line in text.replace("\\\n", " ").split("\n"):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        requirement, *_ = content.partition(" --hash=")
        match = _PIN.fullmatch(requirement.strip())
        hashes = tuple(sorted(_HASH.findall(content)))
        holds = match and _holds(match["marker"], variant)
        if not match or not hashes or holds is None:
            msg = (
                f"{shown}: '{requirement.strip()}' is not a pin with hashes; "
                f"run 'doit lock:{variant.function.name}' to make the lock anew"
            )
            raise LockError(msg, "lock-line")
        if not holds:
            continue
        name = canonical_name(match["name"])
        found[name] = Pin(name, match["version"] or f"@ {match['url']}", hashes)
    return tuple(found[name] for name in sorted(found))


def _holds(marker: str | None, variant: Variant) -> bool | None:
    """Evaluate an environment marker (PEP 508) for a variant's runtime; None if it is not one."""
    if not marker:
        return True
    # 40 ms, and few locks have markers
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
