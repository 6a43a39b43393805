"""Tasks as doit makes them, for views and counts."""

from collections.abc import Callable

import pytest
from doit.task import Task

from buildlib.plugin.meta import meta

Make = Callable[..., Task]


def _nothing() -> None:
    """Do nothing."""


@pytest.fixture
def ours() -> Make:
    """Give a function that makes the task of a step of a variant."""

    def make(step: str, *variants: str, shows: str = "") -> Task:
        name = f"{step}:{variants[0]}" if variants else step
        return Task(name, [_nothing], meta=meta(step, variants, shows))

    return make


@pytest.fixture
def other() -> Make:
    """Give a function that makes a task that is not ours."""

    def make(name: str, *, is_group: bool = False) -> Task:
        return Task(name, None if is_group else [_nothing])

    return make
