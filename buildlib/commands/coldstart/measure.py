"""Start a function several times under AWS's emulator, and measure its init phase.

Each start is a new process of a Python of the runtime's version, with AWS's client, which imports
the module of the handler. The emulator says how long that took. The function handles no event.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from buildlib import progress
from buildlib.commands.coldstart import importtime, origins, place
from buildlib.commands.coldstart.importtime import Import
from buildlib.commands.coldstart.kept import Surroundings
from buildlib.commands.coldstart.place import Place
from buildlib.commands.invoke import result, variables
from buildlib.commands.invoke.in_container import TASK
from buildlib.errors import InvokeError
from buildlib.model import Variant
from buildlib.project.project import Project

# Lambda's limit for the init phase in seconds; a slow machine gets three times that. Source:
# "Lambda execution environment lifecycle" in the AWS Lambda developer guide, "Init phase".
INIT_LIMIT = 10
_LONGEST = 3 * INIT_LIMIT

# Starts of an empty module, for the time that Python and AWS's client take themselves.
_EMPTY_STARTS = 3

# The modules with the handler that AWS's client loads: one imports the function's module, the other
# one nothing. Their handlers do nothing, so that no code of the function handles an event. Unlike
# functions of importlib, `__import__` is one of the calls whose time `-X importtime` reports.
_PROBE, _EMPTY = "lambda_zip_probe", "lambda_zip_probe_empty"
_CODE = """\
__import__({module!r})


def handler(_event, _context):
    return None
"""

# A missing variable: the error, and the frame that raised it, whose file is frozen or on the disk.
_MISSING = re.compile(r"KeyError: (?P<name>'[^']+')")
_IN_ENVIRON = re.compile(r'File "(<frozen os>|[^"]*[/\\]os\.py)", line \d+, in __getitem__')


class Options(NamedTuple):
    """How to measure: the number of starts, the image or the interpreter, both may be empty.

    `compares` asks for starts of the other form, too: with bytecode in all ZIPs if one lacks it.
    `variables` are those of the function's configuration in Lambda.
    """

    starts: int
    image: str = ""
    python: str = ""
    compares: bool = False
    variables: Mapping[str, str] = MappingProxyType({})


class Other(NamedTuple):
    """The starts of the same function with bytecode in all ZIPs, or in none if no ZIP lacks it.

    `size` is that of the bytecode that makes the difference, in bytes.
    """

    runs: Sequence[float]
    size: int


class Starts(NamedTuple):
    """The measured starts of a variant, in ms.

    `empty` are starts of an empty module. `imports` are the modules that the function's module
    imports, of one more start; `where` says in which surroundings. `has_bytecode` says that neither
    the function's ZIP nor one of its layers lacks bytecode.
    """

    variant: Variant
    runs: Sequence[float]
    empty: Sequence[float]
    root: Import | None
    where: str
    surroundings: Surroundings
    has_bytecode: bool
    other: Other | None

    @property
    def limit(self) -> float | None:
        """The allowed duration of a start; None without one."""
        text = self.variant.function.start_limit
        return milliseconds(text) if text else None

    @property
    def over_init(self) -> int:
        """The number of starts that took longer than Lambda lets the init phase take."""
        return sum(ms > INIT_LIMIT * 1000 for ms in self.runs)

    @property
    def is_over(self) -> bool:
        """Tell whether even the fastest start is over the limit: noise makes starts slower only."""
        return self.limit is not None and min(self.runs) > self.limit


def milliseconds(text: str) -> float:
    """Return a duration of the manifest in ms."""
    is_ms = text.endswith("ms")
    return float(text.removesuffix("ms").removesuffix("s")) * (1 if is_ms else 1000)


def measure(project: Project, variant: Variant, options: Options) -> Starts:
    """Start a variant several times; its ZIP is in dist/.

    The starts of both forms take turns, so that a change of the machine's load reaches both.

    Raises:
        InvokeError: neither the image nor this machine can run the function, its module cannot be
            imported, or it has no sources to compare with.

    """
    has_bytecode = not origins.without_bytecode(project, variant)
    if options.compares and has_bytecode:
        _check_sources(project, variant)
    module = _module_of(variant)
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(_opened(project, variant, options, module))
        places, size = [first], 0
        if options.compares:
            places.append(stack.enter_context(_opened(project, variant, options, module)))
            size = places[1].switch(on=not has_bytecode)
        environment = options.variables
        # The first start reads Python and the client from the disk: that would look like noise.
        _start(variant, first, _EMPTY, environment)
        empty = [_start(variant, first, _EMPTY, environment).init_ms for _ in range(_EMPTY_STARTS)]
        runs: list[list[float | None]] = [[] for _ in places]
        for number in range(options.starts):
            progress.update(f"{variant.id}: start {number + 1} of {options.starts}")
            for one, times in zip(places, runs, strict=True):
                one.drop()
                times.append(_start(variant, one, _PROBE, environment).init_ms)
        root = _imports(variant, first, module, environment)
    other = Other(_known(runs[1]), size) if options.compares else None
    where = f"{first.where}, {first.surroundings.cache}"
    return Starts(
        variant,
        _known(runs[0]),
        _known(empty),
        root,
        where,
        first.surroundings,
        has_bytecode,
        other,
    )


def _check_sources(project: Project, variant: Variant) -> None:
    for one in (variant, *project.layer_variants(variant)):
        if one.function.bytecode and not one.function.sources:
            msg = (
                f"{one.function.title}: its ZIP has no sources, so its bytecode cannot be left "
                "out; compare with 'sources: true'"
            )
            raise InvokeError(msg)


def _opened(
    project: Project, variant: Variant, options: Options, module: str
) -> contextlib.AbstractContextManager[Place]:
    probes = {f"{_PROBE}.py": _CODE.format(module=module)}
    probes[f"{_EMPTY}.py"] = _CODE.format(module="sys")
    return place.opened(project, variant, probes, image=options.image, python=options.python)


def _known(times: Sequence[float | None]) -> Sequence[float]:
    known = [one for one in times if one is not None]
    if len(known) < len(times):
        msg = "the emulator did not say how long the start took; unset LAMBDA_ZIP_EMULATOR"
        raise InvokeError(msg)
    return known


def _start(
    variant: Variant, where: Place, probe: str, environment: Mapping[str, str], **own: str
) -> result.Result:
    """Start the function once; `environment` are its own variables.

    Raises:
        InvokeError: the module cannot be imported.

    """
    known = variables.lambda_variables(variant, _LONGEST, TASK, environment)
    handler = f"{probe}.handler"
    task = {
        "event": "null",
        "timeout": _LONGEST,
        "variables": {**known, **own, "_HANDLER": handler},
    }
    found = result.read(where.invoke(task, handler))
    if found.error:
        # The client names the module that it loads, which is the probe.
        error = found.error.replace(f"'{probe}'", f"'{_module_of(variant)}'")
        frames = "".join(f"\n  | {line}" for line in _end(where, found.logs))
        msg = f"{variant.id}: the function does not start: {error}{frames}{_hint(found)}"
        raise InvokeError(msg)
    return found


def _module_of(variant: Variant) -> str:
    """Return the module of the handler, as Python names it."""
    return variant.function.handler.rpartition(".")[0].replace("/", ".")


def _end(where: Place, logs: Sequence[str]) -> list[str]:
    """Return the end of the function's output, with Lambda's paths.

    Of a traceback, only the function's own frames and those below them. The client writes one,
    unless the process ended or timed out.
    """
    shown = [where.shown(line) for line in logs]
    if not any(line.startswith("[ERROR]") for line in shown):
        return [line for line in shown if line.strip()][-15:]
    own = (n for n, line in enumerate(shown) if f'"{TASK}/' in line and _PROBE not in line)
    start = next(own, len(shown))
    return [line for line in shown[start:] if line.strip()][-15:]


def _hint(found: result.Result) -> str:
    """Return the remedy if the function looked for an environment variable in vain."""
    missing = _MISSING.fullmatch(found.error or "")
    if missing is None or not any(_IN_ENVIRON.search(line) for line in found.logs):
        return ""
    return (
        f"\nSet the variable {missing['name']} with '--env-file', as the function has it in Lambda"
    )


def _imports(
    variant: Variant, where: Place, module: str, environment: Mapping[str, str]
) -> Import | None:
    found = _start(variant, where, _PROBE, environment, PYTHONPROFILEIMPORTTIME="1")
    roots, _ = importtime.read(found.logs)
    return importtime.find(roots, module)
