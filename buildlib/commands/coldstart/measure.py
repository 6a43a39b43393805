"""Start a function several times under AWS's emulator, and measure its init phase.

Each start is a new process of a Python of the runtime's version, with AWS's client, which imports
the module of the handler. The emulator says how long that took. The function handles no event.
"""

import contextlib
import os
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib import progress
from buildlib.commands.coldstart import importtime
from buildlib.commands.coldstart.importtime import Import
from buildlib.commands.invoke import on_host, result, variables
from buildlib.commands.invoke.on_host import Place
from buildlib.errors import InvokeError
from buildlib.model import Variant
from buildlib.project.project import Project

# Lambda's limit for the init phase is 10 s; a slow machine gets three times that.
_LONGEST = 30

# Starts of an empty module, for the time that Python and AWS's client take themselves.
_EMPTY_STARTS = 3

# The module with the handler that AWS's client loads: it imports the function's module, and its
# handler does nothing, so that no code of the function handles an event. Unlike functions of
# importlib, `__import__` is one of the calls whose time `-X importtime` reports.
_PROBE = "lambda_zip_probe"
_CODE = """\
__import__({module!r})


def handler(_event, _context):
    return None
"""


class Starts(NamedTuple):
    """The measured starts of a variant, in ms.

    `empty` are starts of an empty module. `imports` are the modules that the function's module
    imports, of one more start; `where` says in which surroundings.
    """

    variant: Variant
    runs: Sequence[float]
    empty: Sequence[float]
    root: Import | None
    where: Sequence[str]

    @property
    def median(self) -> float:
        """The median of the starts."""
        return statistics.median(self.runs)

    @property
    def base(self) -> float:
        """The median of the starts of an empty module."""
        return statistics.median(self.empty)

    @property
    def limit(self) -> float | None:
        """The allowed duration of a start; None without one."""
        text = self.variant.function.start_limit
        return milliseconds(text) if text else None

    @property
    def is_over(self) -> bool:
        """Tell whether even the fastest start is over the limit: noise makes starts slower only."""
        return self.limit is not None and min(self.runs) > self.limit


def milliseconds(text: str) -> float:
    """Return a duration of the manifest in ms."""
    is_ms = text.endswith("ms")
    return float(text.removesuffix("ms").removesuffix("s")) * (1 if is_ms else 1000)


def measure(project: Project, variant: Variant, count: int, python: str) -> Starts:
    """Start a variant `count` times on this machine; its ZIP is in dist/.

    Raises:
        InvokeError: this machine cannot run the function, or its module cannot be imported.

    """
    layout = project.layout
    paths = [layout.zip(one.id) for one in (variant, *project.layer_variants(variant))]
    with on_host.unpacked(variant, paths, python or None, layout) as place:
        probing = _with_probe(place)
        files = [*_files(place.top)]
        is_cold = _is_dropped(files)
        module = variant.function.handler.rpartition(".")[0].replace("/", ".")
        empty = [_start(variant, probing, "sys").init_ms for _ in range(_EMPTY_STARTS)]
        runs = []
        for number in range(count):
            progress.update(f"{variant.id}: start {number + 1} of {count}")
            _drop(files)
            runs.append(_start(variant, probing, module).init_ms)
        root = _imports(variant, probing, module)
        notes = ["with the code dropped from the page cache"] if is_cold else ["with a warm cache"]
        where = [f"on this machine, by {place.python}", *notes]
    return Starts(variant, _known(runs), _known(empty), root, where)


def _known(times: Sequence[float | None]) -> Sequence[float]:
    known = [one for one in times if one is not None]
    if len(known) < len(times):
        msg = "the emulator did not say how long the start took; unset LAMBDA_ZIP_EMULATOR"
        raise InvokeError(msg)
    return known


def _with_probe(place: Place) -> Place:
    folder = place.top / "probe"
    folder.mkdir()
    folder.chmod(0o755)  # under each umask: the function may run as another user
    return place._replace(runtime=place.runtime, layers=[*place.layers, str(folder)])


def _start(variant: Variant, place: Place, module: str, **own: str) -> result.Result:
    """Start the function once.

    Raises:
        InvokeError: the module cannot be imported.

    """
    known = variables.lambda_variables(variant, _LONGEST, str(place.folder), {})
    task = {
        "event": "null",
        "timeout": _LONGEST,
        "variables": {**known, **own, "_HANDLER": f"{_PROBE}.handler"},
    }
    probe = place.top / "probe" / f"{_PROBE}.py"
    probe.write_text(_CODE.format(module=module), encoding="utf-8")
    probe.chmod(0o644)
    found = result.read(place.invoke(task, f"{_PROBE}.handler"))
    if found.error:
        frames = "".join(f"\n  | {line}" for line in _own_frames(place, found.logs))
        msg = f"{variant.id}: the function does not start: {found.error}{frames}"
        raise InvokeError(msg)
    return found


def _own_frames(place: Place, logs: Sequence[str]) -> list[str]:
    """Return the end of a traceback from the function's first frame on, with Lambda's paths."""
    folder, layers = f'"{place.folder}/', f'"{place.top}/opt/'
    start = next((number for number, line in enumerate(logs) if folder in line), len(logs))
    shown = (line.replace(folder, '"/var/task/').replace(layers, '"/opt/') for line in logs[start:])
    return [line for line in shown if line.strip()][-15:]


def _imports(variant: Variant, place: Place, module: str) -> Import | None:
    found = _start(variant, place, module, PYTHONPROFILEIMPORTTIME="1")
    roots, _ = importtime.read(found.logs)
    return importtime.find(roots, module)


def _files(top: Path) -> Iterator[str]:
    for folder, _, names in os.walk(top):
        yield from (os.path.join(folder, name) for name in names)


def _is_dropped(files: Sequence[str]) -> bool:
    """Drop files from the page cache; return False where the system has no call for that."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in files:  # a page that is not on the disk yet stays
        with contextlib.suppress(OSError), open(path, "rb") as stream:
            os.fsync(stream.fileno())
    return _drop(files)


def _drop(files: Sequence[str]) -> bool:
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in files:
        with contextlib.suppress(OSError), open(path, "rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True
