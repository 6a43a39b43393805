"""The end of a run with a remote cache: uploads are finished, and the alarm of disputes is rung."""

from collections.abc import Callable

from buildlib import errors
from buildlib.project.project import Project
from buildlib.steps import shared
from buildlib.steps import zip as archive

_KIND = "remote-dispute"


def finish(project: Project, say: Callable[[str], None]) -> dict[str, str]:
    """Wait for the uploads within the budget; return the messages about disputed ZIPs, by variant.

    Such a ZIP is in dist/ already. It is marked as stale there, and the next build makes it again
    and finds the same, until somebody settles the dispute.
    """
    problems = project.remote.finish(say)
    for problem in problems:
        archive.forget(project.layout, problem.name)
        project.cache.store.discard(problem.key)
    if problems:
        shared.note_unbuilt(project, [project.variants[problem.name] for problem in problems])
    return {problem.name: errors.with_help_link(problem.message, _KIND) for problem in problems}
