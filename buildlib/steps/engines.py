"""Which variants that are installed in a container can be built here."""

import os

from buildlib.errors import BuildError, InstallError
from buildlib.lock import lockfile
from buildlib.model import Docker, Variant
from buildlib.project.project import Project
from buildlib.steps import pending


def buildable(project: Project) -> tuple[list[Variant], dict[str, str]]:
    """Return the variants of containers that can be built here, and the problems of the others.

    An engine is asked only if something has to be installed or pinned, and once.
    """
    problems: dict[tuple[str, Docker], str | None] = {}
    found: list[Variant] = []
    left_out: dict[str, str] = {}
    for variant in project.variants.values():
        function = variant.function
        if function.docker is None:
            continue
        if not _needs_engine(project, variant):
            found.append(variant)
            continue
        place = (variant.architecture, Docker(engine=function.docker.engine))
        if place not in problems:
            from buildlib.environment import container  # only when an engine is asked

            problems[place] = container.answers(function, variant.architecture)
        problem = problems[place]
        if problem is None:
            found.append(variant)
        else:
            left_out[variant.id] = problem
    return found, left_out


def leave_out(project: Project) -> dict[str, str]:
    """Mark the variants that cannot be built here in the index; return the problem of each.

    Raises:
        InstallError: CI is set, where every variant has to be built.

    """
    _, left_out = buildable(project)
    unbuilt = [project.variants[name] for name in left_out]
    project.listing.note_unbuilt(unbuilt, project.variants.values())
    if left_out and lockfile.is_frozen(False, os.environ):  # noqa: FBT003 - that is, in CI
        problems = dict.fromkeys(left_out.values())
        msg = "\n".join([*problems, f"Not built: {', '.join(left_out)}; with CI set, all must be."])
        raise InstallError(msg, "engine-absent")
    return left_out


def _needs_engine(project: Project, variant: Variant) -> bool:
    """Tell whether something has to be pinned or installed in a container."""
    try:
        if project.lock_problem(variant.function):
            return True
        return pending.reason(project, variant, "venv") is not None
    except BuildError:
        return True
