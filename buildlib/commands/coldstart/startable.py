"""The functions that can start at all, and the reasons of the others."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from buildlib.commands.coldstart import origins
from buildlib.commands.invoke import on_host
from buildlib.errors import NotStarted
from buildlib.manifest import variants
from buildlib.model import Function, Variant
from buildlib.project.project import Project
from buildlib.tree import handler


class Unable(NamedTuple):
    """A variant that cannot start here, and the reason, which follows its name."""

    variant: Variant
    reason: str


def check_names(names: Sequence[str], found: Sequence[Variant]) -> None:
    """Check that each name is one of a function: a layer does not start by itself.

    `found` are all variants of the manifest.

    Raises:
        NotStarted: with each name that is only one of a layer, and the functions that use it.

    """
    problems = []
    for name in dict.fromkeys(names):
        functions = [one.function for one in variants.named(found, [name])]
        if all(function.is_layer for function in functions):
            users = sorted({user for one in functions for user in _users(one, found)})
            remedy = (
                f"name a function that uses it: {', '.join(users)}"
                if users
                else "add it to the 'layers' of a function, and name that function"
            )
            problems.append(f"layer '{name}' does not start by itself; {remedy}")
    if problems:
        raise NotStarted("\n".join(problems))


def _users(layer: Function, found: Sequence[Variant]) -> list[str]:
    return [one.function.name for one in found if layer.name in one.function.layers]


def split(found: Sequence[Variant], *, in_image: bool) -> tuple[list[Variant], list[Unable]]:
    """Return the variants for this machine, and those that only an image can run.

    An engine may emulate another processor, so with an image, all are worth a try.
    """
    if in_image:
        return [*found], []
    reasons = [(one, on_host.other_machine(one)) for one in found]
    unable = [Unable(one, reason) for one, reason in reasons if reason]
    return [one for one, reason in reasons if not reason], unable


def unbuilt(
    found: Sequence[Variant], layers: Mapping[str, Sequence[str]], failed: Mapping[str, str]
) -> dict[str, str]:
    """Return the variants that have no new ZIP, or whose layers have none, each with the reason.

    `layers` are the ids of the layers by variant, and `failed` the messages of the build.
    """
    reasons: dict[str, str] = {}
    for one in found:
        for id_ in (one.id, *layers[one.id]):
            if id_ in failed:
                reasons.setdefault(one.id, failed[id_])
    return reasons


_NO_MODULE = (
    "its handler is a file that a layer runs; only the start of a Python module is measured"
)


def with_module(project: Project, found: Sequence[Variant]) -> tuple[list[Variant], list[Unable]]:
    """Return the variants with a Python handler, and those with a file such as `run.sh`.

    Their ZIPs are in dist/.
    """
    files = [Unable(one, _NO_MODULE) for one in found if _runs_file(project, one)]
    ids = {one.variant.id for one in files}
    return [one for one in found if one.id not in ids], files


def _runs_file(project: Project, variant: Variant) -> bool:
    name, paths = variant.function.handler, origins.names(project, variant)
    return name in paths and not name.endswith(".py") and handler.module_of(name, paths) is None


def missed(
    unable: Sequence[Unable], able: Sequence[Variant], names: Sequence[str]
) -> tuple[list[Unable], list[Unable]]:
    """Return those that the user asked for, and those that may be left out without harm.

    The user asks for something with each name, or with the command itself. A variant may be left
    out if something else that was asked for in the same way can start.
    """
    ids = {one.variant.id for one in unable}
    able = [one for one in able if one.id not in ids]
    asked: list[Unable] = []
    left_out: list[Unable] = []
    for one in unable:
        of_name = [[name] for name in names if variants.named([one.variant], [name])]
        is_asked = not all(variants.named(able, name) for name in of_name or [[]])
        (asked if is_asked else left_out).append(one)
    return asked, left_out


def by_reason(unable: Sequence[Unable]) -> list[str]:
    """Return a line for each reason, with the variants that it is about."""
    ids: dict[str, list[str]] = {}
    for one in unable:
        ids.setdefault(one.reason, []).append(one.variant.id)
    return [f"{', '.join(found)}: {reason}" for reason, found in ids.items()]
