"""Read `requirements.lock`: the pins with their hashes, and whether the file is up to date.

The lockfile is committed. Its header has the sha256 of its requirements and of its own pins, and
nothing else decides whether it is up to date, so a fresh clone resolves nothing.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from buildlib.errors import LockError
from buildlib.layout import is_ci
from buildlib.lock.requirements import Requirements
from buildlib.model import Image, LockTarget, Pin, Variant
from buildlib.runtimes import HIGHEST_PATCH, RUNTIMES, machine
from buildlib.text import canonical_name

_SHA256 = re.compile(r"^# requirements-sha256: ([0-9a-f]{64})$", re.MULTILINE)


_BODY = re.compile(r"^# pins-sha256: ([0-9a-f]{64})$", re.MULTILINE)


_IMAGE = re.compile(r"^# image: (\S+) (\S+) (\S+) (\S+@sha256:[0-9a-f]{64}|sha256:[0-9a-f]{64})$")


_COMPILER = re.compile(r"^# compiler: CPython (3\.\d+\.\d+(?:(?:a|b|rc)\d+)?)$")


_PYTHON = re.compile(r"^# python: ([0-9.]+)$", re.MULTILINE)


_TARGETS = re.compile(r"^# targets: (.+)$", re.MULTILINE)


# The name by which a compiler is upgraded, like a package.
COMPILER = "cpython"


_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*"
    r"(==\s*(?P<version>[^\s;\\]+)|@\s*(?P<url>\S+))\s*(;\s*(?P<marker>.*))?"
)


_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


def is_current(lock: Path, requirements: Requirements, targets: Iterable[LockTarget]) -> bool:
    """Tell whether the lockfile matches these requirements and holds for these targets."""
    return state(lock, requirements, targets) is None


def state(lock: Path, requirements: Requirements, targets: Iterable[LockTarget]) -> str | None:
    """Return why a lockfile is out of date, to follow "the lock ..."; None if it is up to date.

    A lockfile without a list of targets was resolved for every platform, from one Python on.
    """
    try:
        text = _read(lock)
    except FileNotFoundError:
        return "is missing"
    head = text[:1000]
    sha256 = _SHA256.search(head)
    if not sha256 or not (_PYTHON.search(head) or _TARGETS.search(head)):
        return "was not written by doit-lambda-zip"
    if sha256[1] != requirements.sha256:
        return f"is out of date with {Path(requirements.path).name}"
    return _damage(text, head, requirements) or _lacking_target(head, targets)


def _damage(text: str, head: str, requirements: Requirements) -> str | None:
    """Return how the pins differ from those that the header was written for."""
    body = _BODY.search(head)
    if body and body[1] != body_sha256(text):
        return "was edited after it was written, by hand or by a merge"
    lost = _without_pin(text, requirements)
    return f"has no pin of {lost}" if lost else None


def _lacking_target(head: str, targets: Iterable[LockTarget]) -> str | None:
    """Return which target the lockfile was not resolved for."""
    python, locked = _PYTHON.search(head), _TARGETS.search(head)
    if locked:
        known = set(locked[1].split())
        missing = [target for target in targets if target.id not in known]
        if missing:
            return f"does not cover Python {missing[0].python} on {missing[0].architecture}"
    elif python and (lower := [t.python for t in targets if _order(t.python) < _order(python[1])]):
        return f"is for Python {python[1]} and newer, but the lambda needs {min(lower, key=_order)}"
    return None


def body_sha256(text: str) -> str:
    """Return the sha256 of all that a lockfile pins: of its words without comments."""
    pinned = (_IMAGE, _COMPILER)
    lines = (
        line
        for line in _lines(text)
        if not line.startswith("#") or any(pattern.match(line) for pattern in pinned)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _without_pin(text: str, requirements: Requirements) -> str | None:
    """Return a requirement of all targets for which a lockfile has no pin."""
    pinned = {canonical_name(match["name"]) for line in _lines(text) if (match := _PIN.match(line))}
    needed = (e for e in requirements.entries if not e.is_constraint and ";" not in e.text)
    return next((e.name for e in needed if e.name and e.name not in pinned), None)


def _read(lock: Path) -> str:
    return lock.read_text(encoding="utf-8-sig", errors="replace").replace("\r\n", "\n")


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a lockfile that are not empty, with continued ones joined."""
    for line in text.replace("\\\n", " ").split("\n"):
        if content := " ".join(line.split()):
            yield content


def _order(python: str) -> tuple[int, ...]:
    return tuple(map(int, python.split(".")))


def is_frozen(frozen: bool, variables: Mapping[str, str]) -> bool:  # noqa: FBT001
    """Tell whether a build must not write lockfiles: by the manifest, or because this is CI."""
    return frozen or is_ci(variables)


def images(lock: Path) -> list[Image]:
    """Return the images that a lockfile pins; none if the file is missing."""
    return [Image(*match.groups()) for line in _head(lock) if (match := _IMAGE.match(line))]


def compilers(lock: Path) -> list[str]:
    """Return the full versions of CPython that a lockfile pins; none if the file is missing."""
    return [match[1] for line in _head(lock) if (match := _COMPILER.match(line))]


def _head(lock: Path) -> Iterator[str]:
    """Yield the comments at the beginning of a lockfile."""
    try:
        with lock.open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if not line.startswith("#"):
                    break
                yield line.rstrip()
    except FileNotFoundError:
        pass


def names(lock: Path) -> set[str]:
    """Return the normalised names of all packages in a lockfile, and of a pinned compiler."""
    lines = _lines(_read(lock))
    found = {canonical_name(re.split(r"[\s=@\[;]", line, maxsplit=1)[0]) for line in lines}
    return found | ({COMPILER} if compilers(lock) else set())


def pins(lock: Path, shown: str, variant: Variant) -> tuple[Pin, ...]:
    """Return the pins of a lockfile that apply to a variant, sorted by name.

    Raises:
        LockError: the lockfile is missing, or has a line that is invalid or lacks a hash.

    """
    target = LockTarget(variant.python, variant.architecture)
    return pins_for(lock, shown, target, variant.function.name)


def pins_for(lock: Path, shown: str, target: LockTarget, name: str) -> tuple[Pin, ...]:
    """Return the pins of a lockfile that apply to a target; `name` is a function that uses it."""
    command = f"lambdas lock {name}" if name else "lambdas lock"
    try:
        text = _read(lock)
    except FileNotFoundError:
        msg = f"{shown}: missing; run '{command}' and commit the file"
        raise LockError(msg, "lock-missing") from None
    applicable: dict[str, Pin] = {}
    for content in _lines(text):
        if content.startswith("#"):
            continue
        requirement, *_ = content.partition(" --hash=")
        match = _PIN.fullmatch(requirement.strip())
        hashes = tuple(sorted(_HASH.findall(content)))
        holds = match and applies(match["marker"], target)
        if not match or not hashes or holds is None:
            why = "is not a pin with hashes"
            if match and hashes and re.search("(full|implementation)_version", match["marker"]):
                why = "holds for some patch levels of Python only, and AWS raises them at any time"
            msg = f"{shown}: '{requirement.strip()}' {why}; run '{command}' to regenerate the file"
            raise LockError(msg, "lock-line")
        if not holds:
            continue
        package = canonical_name(match["name"])
        pin = Pin(package, match["version"] or f"@ {match['url']}", hashes)
        if applicable.setdefault(package, pin) != pin:
            msg = (
                f"{shown}: two pins of {package}, {applicable[package].version} and {pin.version}, "
                f"as after a merge; run '{command}' to regenerate the file"
            )
            raise LockError(msg, "lock-line")
    return tuple(applicable[package] for package in sorted(applicable))


def applies(marker: str | None, target: LockTarget) -> bool | None:
    """Evaluate an environment marker (PEP 508) for a runtime.

    None if it is invalid, or depends on the patch level of the runtime's Python, which AWS raises
    at any time.
    """
    if not marker:
        return True
    # Takes 40 ms, and few lockfiles have markers.
    from packaging.markers import (
        InvalidMarker,
        Marker,
        UndefinedComparison,
        UndefinedEnvironmentName,
    )

    try:
        parsed = Marker(marker)
        results = {
            parsed.evaluate({
                "implementation_name": "cpython",
                "implementation_version": patch,
                "os_name": "posix",
                "platform_machine": machine(target.architecture),
                "platform_python_implementation": "CPython",
                "platform_release": "",
                "platform_system": "Linux",
                "platform_version": "",
                "python_full_version": patch,
                "python_version": target.python,
                "sys_platform": "linux",
                "extra": "",
            })
            for patch in (RUNTIMES[target.python].lowest_patch, f"{target.python}.{HIGHEST_PATCH}")
        }  # fmt: skip
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName):
        return None
    return results.pop() if len(results) == 1 else None
