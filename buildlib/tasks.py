"""The tasks, for a repository's dodo.py: `from buildlib.tasks import *`."""

import sys

from buildlib.plugin.loader import Dodo, task_lambdas

__all__ = ["DOIT_CONFIG", "task_lambdas"]  # noqa: F822 - made by __getattr__


def __getattr__(name: str) -> object:
    """Return `DOIT_CONFIG` for the module that imports it, with the settings that it has already.

    The import would replace them, and a later assignment would replace ours: see `Dodo`.
    """
    if name != "DOIT_CONFIG":
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from buildlib.plugin import loader

    importer = sys.modules.get(str(sys._getframe(1).f_globals.get("__name__")))  # noqa: SLF001
    if type(importer) is not type(sys):  # not a plain module
        return dict(loader.DOIT_CONFIG)
    importer.__class__ = Dodo
    return importer.DOIT_CONFIG
