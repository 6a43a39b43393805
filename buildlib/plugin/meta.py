"""Facts about a task of ours for the reporter, in doit's field `meta`."""

from collections.abc import Sequence
from typing import NamedTuple

from doit.task import Task

_KEY = "lambdas"


class Meta(NamedTuple):
    """The step of a task, the ids of its variants, and the file that it makes to be looked at."""

    step: str
    variants: Sequence[str]
    shows: str = ""


def meta(step: str, variants: Sequence[str], shows: str = "") -> dict[str, Meta]:
    """Return the field of a task of ours."""
    return {_KEY: Meta(step, variants, shows)}


def read(task: Task) -> Meta | None:
    """Return the facts about a task of ours; None if the task is another's."""
    return task.meta.get(_KEY) if task.meta else None
