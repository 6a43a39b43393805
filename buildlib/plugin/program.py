"""Run doit's graph from a program of our own, without doit's command line."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from doit.cmd_base import get_loader
from doit.cmd_run import Run
from doit.cmdparse import CmdParseError
from doit.dependency import JSONCodec
from doit.doit_cmd import DoitMain, reset_vars
from doit.exceptions import InvalidCommand, InvalidDodoFile, InvalidTask

from buildlib.artifacts.earlier import Base
from buildlib.errors import NotStarted
from buildlib.model import Variant
from buildlib.plugin import tasks
from buildlib.plugin.loader import DOIT_CONFIG, Loader
from buildlib.plugin.reporter import Reporter
from buildlib.plugin.result import Result
from buildlib.plugin.selection import Expecting
from buildlib.plugin.state import JsonState
from buildlib.project.project import Project


class _Run(Run):  # type: ignore[misc] # doit has no type hints
    """doit's command `run`, without a look at the metadata of all installed packages for plugins.

    That takes a tenth of an unchanged run. The reporter is an instance, and only a dodo.py can name
    another backend than ours.
    """

    name = "run"

    def get_backends(self) -> Mapping[str, Any]:
        """Return the backends, by name."""
        return _Backends(super().get_backends)

    def get_reporters(self) -> dict[str, Any]:
        """Return no reporter by name."""
        return {}


class _Backends(dict[str, Any]):
    """Our backend, and behind it those that doit finds."""

    def __init__(self, find: Callable[[], Mapping[str, Any]]) -> None:
        super().__init__({DOIT_CONFIG["backend"]: JsonState})
        self._find = find

    def get(self, name: str, default: object = None) -> Any:  # noqa: ANN401 - a class
        """Return a backend by its name."""
        return self[name] if name in self else self._find().get(name, default)


def run(  # noqa: PLR0913 - each is one independent input of the run
    names: Sequence[str],
    *,
    command: str,
    frozen: str = "",
    stream: TextIO | None = None,
    settings: Mapping[str, Any] | None = None,
    options: Mapping[str, Mapping[str, object]] | None = None,
    base: Base | None = None,
    farm: Expecting | None = None,
) -> Result:
    """Run tasks by their names, show it on `stream` (stdout by default), and return the result.

    `command` is the command that the user typed, for messages, and `frozen` says why lockfiles must
    not be written, if they must not. `settings` are those of doit's
    command `run`, such as `num_process`, and `options` those of tasks, by their groups. `base` is
    the build to compare with. A `farm` builds variants on other machines.

    Raises:
        NotStarted: nothing ran.

    """
    main = DoitMain()  # with the settings of pyproject.toml and doit.cfg, as doit itself
    reset_vars()
    # An instance, where doit documents a class, so that it can be asked afterwards.
    try:
        reporter = Reporter(stream or sys.stdout, {"base": base})
    except InvalidDodoFile as error:
        raise NotStarted(str(error)) from None
    loader = Loader({**(settings or {}), "reporter": reporter}, options, command, frozen, farm)
    graph = _Run(
        task_loader=get_loader(main.config, loader), config=main.config, bin_name="lambdas"
    )
    try:
        code = graph.parse_execute(list(names))
    except SystemExit as end:  # the reporter's exit code
        code = end.code
    except (CmdParseError, InvalidDodoFile, InvalidCommand, InvalidTask) as error:
        raise NotStarted(str(error)) from None
    return reporter.result(int(code or 0))


def forgotten(project: Project) -> Callable[[Variant], list[str]]:
    """Return a function that tells which steps of a variant run because doit forgot them."""
    state = JsonState(str(project.layout.root / DOIT_CONFIG["dep_file"]), JSONCodec())

    def steps(variant: Variant) -> list[str]:
        names = tasks.of_variant(variant)
        return [name.partition(":")[0] for name in names if state.is_forgotten(name)]

    return steps
