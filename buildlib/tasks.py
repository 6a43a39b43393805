"""The tasks, for a repository's dodo.py: `from buildlib.tasks import *`."""

from buildlib.plugin.tasks import (
    DOIT_CONFIG,
    task_invoke,
    task_lambdas,
    task_size,
    task_verify,
    task_watch,
    task_why,
)

__all__ = [
    "DOIT_CONFIG",
    "task_invoke",
    "task_lambdas",
    "task_size",
    "task_verify",
    "task_watch",
    "task_why",
]
