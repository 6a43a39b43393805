"""Write a lockfile: each target's pins, resolved so that they install, in one file."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import NamedTuple

from buildlib.errors import LockError
from buildlib.files import atomic
from buildlib.lock import changes, lockfile, patches
from buildlib.lock.join import Locked, join, parse
from buildlib.lock.requirements import Entry, Requirements
from buildlib.lock.resolve import Resolver
from buildlib.model import Image, LockTarget, Upgrade
from buildlib.uv import settings

_HEADER = """\
# Made by doit-lambda-zip from {name}; commit it, do not edit it.
# requirements-sha256: {sha256}
# targets: {targets}
"""


class Written(NamedTuple):
    """The result of writing a lockfile: changes of its pins, and warnings, each as a line."""

    changes: list[str]
    warnings: list[str]


def write_lock(  # noqa: PLR0913 - each is one independent input of the resolution
    root: Path,
    lock: Path,
    requirements: Requirements,
    targets: Sequence[LockTarget],
    *,
    upgrade: Upgrade = Upgrade(),  # noqa: B008 - a frozen value
    images: Iterable[Image] = (),
    compilers: Iterable[str] = (),
    log: Path | None = None,
) -> Written:
    """Resolve the requirements for each target, write the lockfile, and return its changes.

    Pins of an earlier lockfile that still fit are kept, unless `upgrade` names them. The header
    pins `images`, the images in which the dependencies will be installed, and `compilers`, the full
    versions of CPython that will compile them.

    Raises:
        LockError: the resolution failed, or its result breaks a demand of the requirements or of
            `upgrade`.

    """
    cooldown = settings.cooldown(os.environ, root)
    resolver = Resolver(root, requirements, log, cooldown, upgrade)
    earlier = {target: _earlier(lock, target) for target in targets}
    kept = {target: upgrade.kept(pins) for target, pins in earlier.items()}
    by_python: dict[str, list[LockTarget]] = {}
    for target in targets:
        by_python.setdefault(target.python, []).append(target)
    pins: dict[LockTarget, list[Locked]] = {}
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(copy_context().run, _of_one_python, resolver, some, kept, upgrade)
            for some in by_python.values()
        ]
        for job in jobs:
            pins |= job.result()
    _check_versions(requirements, upgrade, earlier, pins)
    pins = _with_demanded_hashes(requirements, pins)
    _check_hashes(requirements, pins.values())
    header = _HEADER.format(
        name=Path(requirements.path).name,
        sha256=requirements.sha256,
        targets=" ".join(sorted({target.id for target in targets})),
    )
    header += "".join(
        f"# exclude-newer: {f'{name} = {value}' if name else value}\n"
        for name, value in cooldown.items()
    )
    header += "".join(f"# image: {' '.join(image)}\n" for image in sorted(images))
    header += "".join(f"# compiler: CPython {version}\n" for version in sorted(compilers))
    body = join(pins)
    header += f"# pins-sha256: {lockfile.body_sha256(header + body)}\n"
    with atomic.replacing(lock) as temporary:
        temporary.write_bytes((header + body).encode())
        _check_readable(temporary, requirements, pins)
    # Pins that an earlier lockfile keeps are old by choice: only a new one tells what is held back.
    is_new = not any(kept.values())
    held_back = _held_back(resolver, targets[0], pins[targets[0]]) if cooldown and is_new else []
    notes = [*resolver.warnings, *held_back]
    return Written(
        changes.of_pins(earlier.values(), pins.values()),
        [*requirements.notes, *(f"{requirements.path}: {line}" for line in notes)],
    )


def _held_back(resolver: Resolver, target: LockTarget, pins: Iterable[Locked]) -> list[str]:
    """Return the releases that the cooldown held back for a target, in words."""
    free = Resolver(resolver.root, resolver.requirements, resolver.log)
    try:
        newest = _versions(parse(free.resolve(target)))
    except LockError:
        return []
    return [
        f"'exclude-newer' excludes {newest[name]}; locked {text}"
        for name, text in sorted(_versions(pins).items())
        if newest.get(name, text) != text
    ]


def _check_readable(
    lock: Path, requirements: Requirements, pins: Mapping[LockTarget, Sequence[Locked]]
) -> None:
    """Read a new lockfile as a build does, before it takes its place.

    Raises:
        LockError: a build would not accept it, or would read other pins than were resolved.

    """
    for target, some in pins.items():
        read = lockfile.pins_for(lock, f"{requirements.path}: the new lock", target, "")
        if {(pin.name, pin.version) for pin in read} != {(pin.name, pin.version) for pin in some}:
            msg = (
                f"{requirements.path}: the new lockfile does not match the resolution for "
                f"{target.id}, so it was not written. Report this, and attach the log of 'lock'"
            )
            raise LockError(msg, "lock-line")


def _earlier(lock: Path, target: LockTarget) -> list[str]:
    try:
        pins = lockfile.pins_for(lock, lock.name, target, "")
    except LockError:
        return []
    return [f"{pin.name}=={pin.version}" for pin in pins if not pin.version.startswith("@")]


def _of_one_python(
    resolver: Resolver,
    targets: Sequence[LockTarget],
    kept: Mapping[LockTarget, Sequence[str]],
    upgrade: Upgrade,
) -> dict[LockTarget, list[Locked]]:
    """Resolve for the architectures of one Python, with the same versions where that is possible.

    A later architecture prefers the versions of an earlier one. Where it had to take others, the
    earlier ones take those if they can.
    """
    found: dict[LockTarget, list[Locked]] = {}
    preferred: dict[str, str] = {}
    for target in targets:
        wanted = {**preferred, **_by_name(kept.get(target, ()))}
        found[target] = _resolved(resolver, target, wanted, upgrade.packages)
        preferred = _by_name(pin.requirement for pin in found[target] if "==" in pin.requirement)
    for target in targets[:-1]:
        if _versions(found[target]) != _versions(found[targets[-1]]):
            again = parse(resolver.resolve(target, preferred.values()))
            if _versions(again) == _versions(found[targets[-1]]):
                found[target] = again
    return patches.for_all_levels(resolver, found)


def _resolved(
    resolver: Resolver, target: LockTarget, wanted: Mapping[str, str], upgraded: Collection[str]
) -> list[Locked]:
    """Resolve for a target; `wanted` pins move only where a newer `upgraded` package needs it."""
    found = parse(resolver.resolve(target, wanted.values()))
    if not wanted or not upgraded:
        return found
    newest = parse(resolver.resolve(target, wanted.values(), firmly=False))
    now, then = _versions(found), _versions(newest)
    return found if all(now.get(name) == then.get(name) for name in upgraded) else newest


def _by_name(pins: Iterable[str]) -> dict[str, str]:
    return {pin.partition("==")[0]: pin for pin in pins}


def _versions(pins: Iterable[Locked]) -> dict[str, str]:
    return {pin.name: pin.requirement for pin in pins}


def _check_versions(
    requirements: Requirements,
    upgrade: Upgrade,
    earlier: Mapping[LockTarget, Sequence[str]],
    found: Mapping[LockTarget, Sequence[Locked]],
) -> None:
    """Refuse a resolution that drops a package of which a version was asked for.

    To uv, the version is a constraint: a release of another package that does not need this one
    fulfils it as well.

    Raises:
        LockError: with the changes that the resolution would make.

    """
    lost = {
        pin
        for pin in upgrade.pins
        for target in earlier
        if pin.partition("==")[0] in _by_name(earlier[target])
        and pin.partition("==")[0] not in _versions(found[target])
    }
    if lost:
        msg = (
            f"{requirements.path}: no lock with {', '.join(sorted(lost))}, so the old one stays. "
            "Without that package, the requirements resolve to:\n"
            + "".join(f"  {line}\n" for line in changes.of_pins(earlier.values(), found.values()))
            + f"To have that version, or the reason against it, add it to {requirements.path}"
        )
        raise LockError(msg, "lock-failed")


def _check_hashes(requirements: Requirements, pins: Iterable[Sequence[Locked]]) -> None:
    """Refuse pins without a hash: no build would accept them.

    Raises:
        LockError: a page of links or an index gives no sha256 for a package.

    """
    lacking = sorted({pin.requirement for some in pins for pin in some if not pin.hashes})
    if lacking:
        msg = (
            f"{requirements.path}: the index gives no sha256 for {', '.join(lacking)}, so the "
            "lockfile was not written. Use an index that gives hashes, or put the files into a "
            "folder of the repository and add it with '--find-links'"
        )
        raise LockError(msg, "lock-line")


def _with_demanded_hashes(
    requirements: Requirements, pins: Mapping[LockTarget, Sequence[Locked]]
) -> dict[LockTarget, list[Locked]]:
    """Return the pins with no other hashes than the requirements allow.

    Raises:
        LockError: the index has no file of a release with a hash that the requirements demand, or
            they demand hashes for all packages and lack some.

    """
    demanded: dict[str, list[Entry]] = {}
    for entry in requirements.entries:
        if entry.hashes:
            demanded.setdefault(entry.name, []).append(entry)
    problems: dict[str, None] = {}
    checked: dict[LockTarget, list[Locked]] = {}
    for target, some in pins.items():
        checked[target] = []
        for pin in some:
            entries = demanded.get(pin.name, [])
            hashes = {hash_ for entry in entries for hash_ in entry.hashes}
            allowed = tuple(hash_ for hash_ in pin.hashes if hash_ in hashes)
            if entries and not allowed:
                problems[
                    f"{entries[0].where}: the index has no file of {pin.requirement} with a hash "
                    "that this requirement allows"
                ] = None
            elif not entries and requirements.requires_hashes:
                problems[
                    f"{requirements.path}: '--require-hashes' is set, but no line gives a hash "
                    f"for {pin.requirement}"
                ] = None
            checked[target].append(pin._replace(hashes=allowed) if entries else pin)
    if problems:
        advice = (
            "The release was replaced, the index is compromised, or the hashes are of another "
            "release: find the cause before you change the hashes."
        )
        raise LockError("\n".join([*problems, advice]), "hash-mismatch")
    return checked
