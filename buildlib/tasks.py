"""The tasks, for a repository's dodo.py: `from buildlib.tasks import *`."""

from buildlib.plugin.loader import DOIT_CONFIG, task_lambdas

__all__ = ["DOIT_CONFIG", "task_lambdas"]
