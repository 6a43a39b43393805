"""`lambdas clean`: remove build output."""

from collections.abc import Iterator, Sequence

from buildlib.artifacts import shard
from buildlib.commands.report import command as report
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.steps import clean as steps
from buildlib.steps import pending, tidy


def clean(project: Project, variants: Sequence[Variant], *, everything: bool) -> Iterator[str]:
    """Remove the results of variants; with `everything`, also all of build/ and the report.

    Yields a line at the end.
    """
    shard.remove(project.layout)
    for variant in variants:
        for step in reversed(pending.STEPS):
            steps.clean(project, variant, step.name)
    if everything:
        report.clean(project)
        tidy.clean(project)
    yield f"Removed the output of {len(variants)} variant{'' if len(variants) == 1 else 's'}"
