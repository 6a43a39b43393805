"""Defects of this package: details go into a file for a report, the user reads a few lines."""

import os
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import buildlib
from buildlib.text import harmless
from buildlib.uv.redact import redact

_OUT_OF_MEMORY = (
    "there is not enough memory: run fewer tasks at once, as with 'lambdas build -j 1', or close "
    "other programs; earlier artifacts are untouched"
)


def describe(trace: str, folder: Path) -> str:
    """Return the message for an unexpected exception, after writing its details to a file.

    `trace` is the text of a traceback, and `folder` where the file goes; if that cannot be written,
    the system's folder for temporary files.
    """
    last = trace.strip().rpartition("\n")[2]
    if last.startswith("MemoryError"):
        return _OUT_OF_MEMORY
    text = harmless(redact("".join(_details(trace))))
    for place in (folder, Path(tempfile.gettempdir())):
        path = place / f"defect-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
        try:
            place.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError:
            continue
        return harmless(
            f"internal error in doit-lambda-zip, not in your project: {redact(last)}\n"
            f"Please report it and attach {path}; review it first, "
            "because it contains paths of this machine. Earlier artifacts are untouched."
        )
    return text


def _details(trace: str) -> Iterator[str]:
    yield f"doit-lambda-zip {buildlib.__version__}, doit {_version('doit')}, uv {_version('uv')}\n"
    yield f"Python {platform.python_version()} on {platform.platform()}\n"
    yield f"{shlex.join(sys.argv)}\n\n"
    yield f"{trace.strip()}\n"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(none)"
