"""The one answer to "is this variant finished?"."""

from pathlib import Path
from typing import Any, NamedTuple

from buildlib import recipe
from buildlib.files import records
from buildlib.model import Variant, Written


class Status(NamedTuple):
    """How far a variant is.

    `written` is its ZIP in dist/, if that is whole and of the present inputs. `unchanged` says that
    the fingerprints alone prove it: no file was read. `stored` says that the cache has the ZIP; it
    is only looked up while dist/ has none.
    """

    written: Written | None
    unchanged: bool
    stored: bool


def outputs(variant: Variant) -> tuple[str, ...]:
    """Return the stamp of the step `zip`, the ZIP and its descriptions, below the root.

    As texts: every task asks for them, and they are made ten times faster than paths.
    """
    name = variant.id
    paths: tuple[str, ...] = (
        f"build/zip/{name}.json",
        f"dist/{name}.zip",
        f"dist/{name}.zip.sha256",
    )
    if variant.function.evidence:
        paths += (f"dist/{name}.cdx.json", f"dist/{name}.intoto.json")
    return paths


class Stamped(NamedTuple):
    """The ZIP of a stamp of the step `zip`, its key, and the key of its environment."""

    key: str
    environment: str
    written: Written


def last_stamped(path: Path) -> Stamped | None:
    """Return the ZIP that a stamp of the step `zip` records; None without a stamp.

    Unlike `steps.zip.load`, this needs none of the modules that write a ZIP.
    """
    stamp = records.read(path, _is_stamp)
    if stamp is None:
        return None
    environment = recipe.key(stamp["recipe"].get("environment"))
    return Stamped(stamp["key"], environment, Written(*stamp["written"]))


def _is_stamp(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return (
        records.mapping(value)
        and records.sha256(value.get("key"))
        and records.mapping(value.get("recipe"))
        and records.WRITTEN(value.get("written"))
    )


def stamped(path: Path, key: str) -> Written | None:
    """Return the ZIP that a stamp of the step `zip` records for a key; None for another key."""
    stamp = records.read(path, records.mapping)
    if stamp is None or stamp.get("key") != key or not records.WRITTEN(stamp.get("written")):
        return None
    return Written(*stamp["written"])
