"""How doit gets the tasks: by the loader `lambdas`, or by a dodo.py."""

import contextlib
import itertools
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from doit import loader as doit_loader
from doit.cmd_base import DodoTaskLoader, DoitCmdBase, NamespaceTaskLoader
from doit.cmd_run import Run
from doit.cmdparse import CmdOption, CmdParse, CmdParseError
from doit.doit_cmd import DoitMain
from doit.exceptions import InvalidDodoFile
from doit.task import Task

from buildlib import workers
from buildlib.layout import find_root
from buildlib.plugin import tasks
from buildlib.plugin.selection import STATE, Expecting, Request

_DODO = "dodo.py"

# Tasks that talk to the user.
_IN_FRONT = re.compile(r"(watch|invoke)(:|$)")

DOIT_CONFIG: dict[str, Any] = {
    "backend": "lambdas",
    "dep_file": STATE,
    "default_tasks": ["index"],
    # One function that cannot be built is no reason to leave out the others; doit still fails.
    "continue": True,
    "reporter": "lambdas",
    "verbosity": 2,
    "num_process": workers.count(),
    # uv and the compressor work outside of Python's lock, and a thread costs nothing to start.
    "par_type": "thread",
}


def configuration(others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of doit for a dodo.py that has others of its own.

    A task that talks to the user has the main thread for itself, which alone gets Ctrl-C.
    """
    alone = {"num_process": 0} if any(map(_IN_FRONT.match, sys.argv[1:])) else {}
    return DOIT_CONFIG | alone | dict(others)


def task_lambdas() -> Iterator[tasks.Task]:
    """Build the functions that lambdas.yaml declares."""
    yield from tasks.load(from_command_line())


class Loader(NamespaceTaskLoader):  # type: ignore[misc] # doit has no type hints
    """The loader `lambdas` of doit: a repository with a manifest needs no dodo.py.

    The tasks of a dodo.py next to the manifest are loaded, too. `settings` come before those of
    the dodo.py; `options` are values for the parameters of tasks, by the names of their groups;
    `command` is the command of `lambdas`, for messages, and `frozen` says why
    lockfiles must not be written, if they must not. `farm` are other machines that build.
    """

    def __init__(
        self,
        settings: Mapping[str, object] | None = None,
        options: Mapping[str, Mapping[str, object]] | None = None,
        command: str = "",
        frozen: str = "",
        farm: Expecting | None = None,
    ) -> None:
        super().__init__()
        self._settings = settings or {}
        self._options = options or {}
        self._command = command
        self._frozen = frozen
        self._farm = farm

    def setup(self, opt_values: dict[str, Any]) -> None:
        """Go to the repository's root, and read its dodo.py if there is one."""
        self._always = bool(opt_values.get("always"))
        if root := find_root(Path.cwd()):
            os.chdir(root)
        self.namespace: dict[str, Any] = {}
        if Path(_DODO).exists():
            self.namespace |= vars(_module())
        self._others = frozenset(_creators(self.namespace))
        theirs = self.namespace.get("DOIT_CONFIG", {})
        self.namespace["DOIT_CONFIG"] = configuration({**theirs, **self._settings})

    def load_tasks(self, cmd: DoitCmdBase, pos_args: list[str]) -> list[Task]:
        """Return the tasks that a command can need with these arguments."""
        words = (cmd.sel_tasks or ()) if cmd.execute_tasks else pos_args
        request = Request(
            tuple(words),
            runs=cmd.execute_tasks,
            is_alone=not self._others,
            taken=self._others,
            command=self._command,
            frozen=self._frozen,
            always=self._always,
            state=self.namespace["DOIT_CONFIG"]["dep_file"],
            farm=self._farm,
        )
        self.namespace["task_lambdas"] = _creator(request)
        loaded: list[Task] = super().load_tasks(cmd, pos_args)
        for task in loaded:
            if options := self._options.get(task.name.partition(":")[0]):
                task.cfg_values = options
        return loaded


def _module() -> ModuleType:
    """Return the dodo.py of this directory.

    Raises:
        InvalidDodoFile: its code raises an exception.

    """
    try:
        module: ModuleType = doit_loader.get_module(_DODO)
    except Exception as error:
        places = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename).name == _DODO
        ]
        line = getattr(error, "lineno", None) or (places[-1] if places else 1)
        msg = f"{_DODO}:{line}: {type(error).__name__}: {error}; correct this file"
        raise InvalidDodoFile(msg) from error
    return module


def _creator(request: Request) -> Callable[[], Iterator[tasks.Task]]:
    def task_lambdas() -> Iterator[tasks.Task]:
        yield from tasks.load(request)

    return task_lambdas


def from_command_line() -> Request:
    """Return the request for which doit loads a dodo.py.

    doit's loader of a dodo.py keeps the arguments to itself: it calls the functions `task_*`
    without any, and `doit.task_params` and `doit.get_var` give options and variables, but no names
    of tasks. So the words are those of the process, if its program is doit; in another program,
    which has arguments of its own, every task is made.
    """
    program = Path(sys.argv[0])
    if program.stem != "doit" and program.parts[-2:] != ("doit", "__main__.py"):
        return Request()
    try:
        return _parse(sys.argv[1:])
    except CmdParseError:
        return Request()  # doit will say the same


def _parse(arguments: list[str]) -> Request:
    """Return the request of arguments, by the rules of `doit.doit_cmd.DoitMain.run`."""
    values: dict[str, Any] = {}
    with contextlib.suppress(CmdParseError):  # options of a command that goes unnamed
        values, arguments = _parser(DodoTaskLoader.cmd_options).parse_only(arguments)
    words = [word for word in arguments if word[:1] == "-" or "=" not in word]  # no variables
    commands = {command.get_name(): command for command in DoitMain.DOIT_CMDS}
    command = commands[words.pop(0)] if words and words[0] in commands else Run
    parser = _parser(DoitCmdBase.base_options, DodoTaskLoader.cmd_options, command.cmd_options)
    known, words = parser.parse(words)
    module = sys.modules.get(Path((known | values)["dodoFile"]).stem)
    if module is None:
        return Request(tuple(words), command.execute_tasks, is_alone=False)
    selected: list[str] | None = words
    config = getattr(module, "DOIT_CONFIG", {})
    if command.execute_tasks and not words:
        selected = config.get("default_tasks")
    others = frozenset(_creators(vars(module)))
    return Request(
        None if selected is None else tuple(selected),
        runs=command.execute_tasks,
        is_alone=not others,
        taken=others,
        always=bool(known.get("always")),
        state=config.get("dep_file", STATE),
    )


def _parser(*options: Iterable[dict[str, Any]]) -> CmdParse:
    return CmdParse([CmdOption(option) for option in itertools.chain(*options)])


def _creators(namespace: Mapping[str, object]) -> Iterator[str]:
    """Yield the names of the tasks that a dodo.py adds to ours."""
    for name, value in namespace.items():
        if value is not task_lambdas and (
            name.startswith("task_") or hasattr(value, "create_doit_tasks")
        ):
            yield name.removeprefix("task_")


class Dodo(ModuleType):
    """A dodo.py whose `DOIT_CONFIG` adds to ours, wherever in the file it is.

    doit takes the attribute `DOIT_CONFIG` of the module, and a second assignment would replace the
    first one, with the place of the state and the reporter in it.
    """

    @property
    def DOIT_CONFIG(self) -> dict[str, object]:  # noqa: N802 - doit's name
        """Our settings, with those of the dodo.py in front."""
        return configuration(dict(vars(self).get("DOIT_CONFIG", {})))
