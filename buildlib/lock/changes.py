"""The changes of a lockfile, in words: `Updated requests 2.31.0 -> 2.34.2`."""

from collections.abc import Iterable, Iterator

from buildlib.lock.join import Locked


def of_pins(before: Iterable[Iterable[str]], after: Iterable[Iterable[Locked]]) -> list[str]:
    """Return a line for each package whose versions changed.

    `before` has the earlier pins of each target, as `name==version`, and `after` the present ones.
    """
    old = _versions(pin.partition("==")[::2] for pins in before for pin in pins)
    new = _versions((pin.name, pin.version) for pins in after for pin in pins)
    if not old:
        return [f"Locked {len(new)} package{'' if len(new) == 1 else 's'}"]
    return [line for name in sorted(old | new) if (line := _line(name, old, new))]


def _versions(pins: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version in pins:
        if not version.startswith("@"):  # a URL, which the requirements give
            found.setdefault(name, set()).add(version)
    return found


def _line(name: str, old: dict[str, set[str]], new: dict[str, set[str]]) -> str:
    if name not in new:
        return f"Removed {name} {_shown(old[name])}"
    if name not in old:
        return f"Added {name} {_shown(new[name])}"
    if old[name] == new[name]:
        return ""
    return f"Updated {name} {_shown(old[name])} -> {_shown(new[name])}"


def _shown(versions: set[str]) -> str:
    return ", ".join(sorted(versions))


def of_images(before: Iterable[tuple[str, str]], after: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for each image whose digest changed; pairs of a name and a reference."""
    old = dict(before)
    for name, reference in after:
        if old.get(name, reference) != reference:
            yield f"Updated image {name} to {reference.rpartition('@')[2]}"


def of_compilers(before: Iterable[str], after: Iterable[str]) -> Iterator[str]:
    """Yield a line for each compiler whose version changed; full versions of CPython."""
    old = {version.rpartition(".")[0]: version for version in before}
    for version in after:
        earlier = old.get(version.rpartition(".")[0], version)
        if earlier != version:
            yield f"Updated the compiler CPython {earlier} -> {version}"
