"""The tasks, for a repository's dodo.py: `from buildlib.tasks import *`."""

import sys

from buildlib.plugin.loader import Dodo, configuration, task_lambdas

__all__ = ["DOIT_CONFIG", "task_lambdas"]  # noqa: F822 - made by __getattr__


def __getattr__(name: str) -> object:
    """Return `DOIT_CONFIG` for the module that imports it, with the settings that it has already.

    The import would replace them, and a later assignment would replace ours: see `Dodo`.
    """
    if name != "DOIT_CONFIG":
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    frame = sys._getframe(1)  # noqa: SLF001
    importer = sys.modules.get(str(frame.f_globals.get("__name__")))
    # Only the code of a plain module, not that of a function that looks at this one.
    if type(importer) is not type(sys) or frame.f_code.co_name != "<module>":
        return configuration({})
    importer.__class__ = Dodo
    return importer.DOIT_CONFIG


def __dir__() -> list[str]:
    return __all__
