"""Which variants that are installed in a container can be built here."""

import logging

from buildlib.errors import BuildError
from buildlib.model import Docker, Variant
from buildlib.project.project import Project
from buildlib.steps import pending

_logger = logging.getLogger(__name__)


def buildable(project: Project) -> list[Variant]:
    """Return the variants that are installed in a container and can be, or have no need to be.

    An engine is asked only if something has to be installed or pinned, and once; one warning names
    all variants that are left out for want of it.
    """
    problems: dict[tuple[str, Docker], str | None] = {}
    found, left_out = [], {}
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
        if problems[place] is None:
            found.append(variant)
        else:
            left_out[variant.id] = problems[place]
    if left_out:
        _logger.warning("%s\nLeft out: %s.", next(iter(left_out.values())), ", ".join(left_out))
    return found


def _needs_engine(project: Project, variant: Variant) -> bool:
    """Tell whether something has to be pinned or installed in a container."""
    try:
        if project.lock_problem(variant.function):
            return True
        return pending.reason(project, variant, "venv") is not None
    except BuildError:
        return True
