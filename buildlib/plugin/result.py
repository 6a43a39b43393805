"""The result of a run, for programs and for the summary of a job."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from buildlib.steps.summary import Outcome


class Result(NamedTuple):
    """The result of a run of doit.

    `outcomes` are those of the variants that had something to do, and `unchanged` the ids of the
    others; `errors` are messages by variant, and `warnings` have one line each.
    """

    code: int
    outcomes: Sequence[Outcome]
    unchanged: Sequence[str]
    errors: Mapping[str, str]
    warnings: Sequence[str]
    seconds: float
