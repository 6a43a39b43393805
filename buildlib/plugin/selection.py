"""Which variants and tasks a command can need, and hints for mistyped names.

doit makes every task before it looks at the names that it was given, and for a thousand functions
that takes longer than all else. So the tasks are made for the names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from doit.cmdparse import CmdOption, CmdParseError, TaskParse
from doit.exceptions import InvalidDodoFile

from buildlib.layout import MANIFEST
from buildlib.model import Function, Variant
from buildlib.project.farm import Farm
from buildlib.project.project import Project
from buildlib.text import closest

# doit's state, relative to the repository's root.
STATE = os.path.join("build", ".doit.json")


def lock_options() -> list[dict[str, Any]]:
    """Return new options of `lock`: doit appends values to the default of a list."""
    return [
        {
            "name": "upgrade",
            "long": "upgrade",
            "type": bool,
            "default": False,
            "help": "take the newest versions that the requirements allow",
        },
        {
            "name": "upgrade_package",
            "long": "upgrade-package",
            "type": list,
            "default": [],
            "help": "take the newest version of this package, or PACKAGE==VERSION; can be repeated",
        },
    ]


INVOKE: list[dict[str, Any]] = [
    {"name": "event", "long": "event", "default": "{}", "help": "file, '-' for stdin, or JSON"},
    {
        "name": "timeout",
        "long": "timeout",
        "type": int,
        "default": 30,
        "help": "seconds, 1 to 1800",
    },
    {"name": "env_file", "long": "env-file", "default": "", "help": "lines of NAME=VALUE"},
    {
        "name": "where",
        "long": "where",
        "default": "auto",
        "choices": [
            ("auto", "image if available, else host"),
            ("image", "AWS's"),
            ("host", "this machine"),
        ],
        "help": "where to run it",
    },
    {"name": "image", "long": "image", "default": "", "help": "image to use instead of AWS's"},
    {"name": "python", "long": "python", "default": "", "help": "interpreter of this machine"},
]


REPORT: list[dict[str, Any]] = [
    {
        "name": "against",
        "long": "against",
        "default": "",
        "help": "compare with an earlier lambdas.json or lambdas.hashes.json",
    }
]


# The options of tasks. Each variant or function has a task of these names, except of those in
# `OF_ALL`.
PARAMS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "lock": lock_options,
    "invoke": lambda: INVOKE,
    "report": lambda: REPORT,
}


# The names of tasks that exist only where one of them can be needed.
ON_DEMAND = ("why", "invoke", "verify", "size", "drift", "watch")


# Tasks of all variants together.
OF_ALL = ("index", "record", "report")


# The tasks on demand that need no other task; `watch` takes all words behind it.
_WATCH = "watch"


_ALONE = {"size", "drift", _WATCH}


class Expecting(Farm, Protocol):
    """A farm that is told at the start of a run what it may build."""

    def expect(self, project: Project, variants: Iterable[Variant]) -> None:
        """Connect if a variant has to be built.

        Raises:
            BuildError: the farm cannot be used.

        """


@dataclass(frozen=True)
class Request:
    """The words of a command, as doit understands them."""

    # Names of tasks and targets, and options of tasks; None if they are not known.
    words: tuple[str, ...] | None = None
    # Whether the command is known to run tasks. Others show, clean or forget them.
    runs: bool = False
    # Whether all tasks are ours. Others might depend on any of them.
    is_alone: bool = True
    # Names of tasks that a dodo.py defines itself.
    taken: frozenset[str] = frozenset()
    # The command of `lambdas`, such as `build`; empty for one of doit.
    command: str = ""
    # Why lockfiles must not be written; empty if they may.
    frozen: str = ""
    # Whether each task runs, up to date or not.
    always: bool = False
    # doit's state, relative to the repository's root.
    state: str = STATE
    # Other machines that build variants.
    farm: Expecting | None = None

    @property
    def is_narrow(self) -> bool:
        """Tell whether each word names a task of one function, or of its variants."""
        return self.runs and self.is_alone and all(":" in name for name in self.names or ("",))

    @property
    def is_default(self) -> bool:
        """Tell whether it runs the tasks of all variants, as far as they have something to do."""
        names = self.names
        alone = self.runs and self.is_alone and not self.always
        return alone and bool(names) and set(names or ()) <= set(OF_ALL)

    @property
    def names(self) -> list[str] | None:
        """Return the names of tasks and targets; None if they are not known."""
        if self.words is None:
            return None
        return _names(self.words) if self.runs else [w for w in self.words if w[:1] != "-"]


@dataclass(frozen=True)
class Selection:
    """The variants, by their ids, and the tasks on demand that a command can need."""

    variants: Mapping[str, Variant]
    on_demand: Collection[str] = ON_DEMAND
    # Whether these are all variants, so that tasks can depend on all of them.
    is_complete: bool = True
    # Whether the tasks are known to be for a run, which needs neither texts nor `clean` of them.
    is_run: bool = False
    # The ids of variants without tasks, because nothing changed since they were finished.
    unchanged: Sequence[str] = ()

    @property
    def several(self) -> dict[str, list[str]]:
        """Return the ids of the variants of each function that has several."""
        ids: dict[str, list[str]] = {}
        for variant in self.variants.values():
            ids.setdefault(variant.function.name, []).append(variant.id)
        return {name: found for name, found in ids.items() if found != [name]}


@dataclass
class _Wanted:
    functions: set[str] = field(default_factory=set)
    on_demand: set[str] = field(default_factory=set)
    is_complete: bool = False


def select(variants: Mapping[str, Variant], steps: Collection[str], request: Request) -> Selection:
    """Return the needs of a command: everything, unless it runs only some of our tasks by name.

    `steps` are the names of the steps of which each variant has a task.

    Raises:
        InvalidDodoFile: a name is mistyped, or `invoke` stands without the name of a variant.

    """
    _check_taken(request.taken, steps)
    owners = {name: v.function.name for v in variants.values() for name in (v.id, v.function.name)}
    names = request.names
    if names is None or not request.is_alone:
        return Selection(variants, _without(ON_DEMAND, request.taken), is_run=request.runs)
    declared = (variant.function for variant in variants.values())
    unlocked = {function.name: function for function in declared if not function.lockfile}
    check_names(names, owners, steps, unlocked, request.command)
    if request.runs and "invoke" in names:
        msg = "invoke: name a variant, as in 'doit invoke:<id> --event=event.json'"
        raise InvalidDodoFile(msg)
    wanted = _wanted(names, owners, {"lock", *steps}) if request.runs else None
    if wanted is None:
        return Selection(variants, is_run=request.runs)
    if wanted.is_complete:
        return Selection(variants, wanted.on_demand, is_run=True)
    functions = {v.function.name: v.function for v in variants.values()}
    needed = {layer for name in wanted.functions for layer in functions[name].layers}
    needed |= wanted.functions
    chosen = {v.id: v for v in variants.values() if v.function.name in needed}
    return Selection(chosen, wanted.on_demand, len(chosen) == len(variants), is_run=True)


def _check_taken(taken: Collection[str], steps: Collection[str]) -> None:
    """Refuse tasks of a dodo.py that have reserved names.

    Raises:
        InvalidDodoFile: there are such tasks. doit would only say that names must be unique.

    """
    ours = {"lock", *steps, *OF_ALL}
    if clashes := sorted(ours & set(taken)):
        functions = ", ".join(f"'task_{name}'" for name in clashes)
        msg = (
            f"dodo.py: {functions}: doit-lambda-zip already has tasks of these names; rename your "
            f"functions. Reserved names: {', '.join(sorted(ours))}"
        )
        raise InvalidDodoFile(msg)


def _without(names: Iterable[str], taken: Container[str]) -> list[str]:
    return [name for name in names if name not in taken]


def _wanted(
    names: Iterable[str], owners: Mapping[str, str], steps: Container[str]
) -> _Wanted | None:
    """Return the needs of tasks of these names; None if they are not known."""
    wanted = _Wanted()
    for name in names:
        step, _, rest = name.partition(":")
        if step in ON_DEMAND:
            wanted.on_demand.add(step)
        elif step not in steps and step not in OF_ALL:
            return None  # a target, a pattern such as `*:api`, or a mistake, which doit reports
        if rest in owners:
            wanted.functions.add(owners[rest])
        elif step not in _ALONE:
            wanted.is_complete = True  # a group, or a pattern
    return wanted


def _names(words: Iterable[str]) -> list[str] | None:
    """Return the names among the words of `doit run`; None if doit will refuse the words.

    Words behind a name may be options of that task, and their values: this follows
    `doit.control.TaskControl._process_filter`.
    """
    rest, found = list(words), []
    while rest:
        name = rest.pop(0)
        found.append(name)
        task, colon, _ = name.partition(":")
        if task == _WATCH:
            break
        if "*" in name or not (colon or task in {"lock", *OF_ALL}):
            continue
        try:
            options = [CmdOption(option) for option in PARAMS.get(task, list)()]
            _, rest = TaskParse(options).parse(rest)
        except CmdParseError:
            return None
    return found


def check_names(
    names: Iterable[str],
    known: Collection[str],
    steps: Collection[str],
    unlocked: Mapping[str, Function],
    command: str = "",
) -> None:
    """Refuse mistyped names with hints; to doit they are only not tasks.

    `known` are the names of functions and variants, `unlocked` functions and layers that `lock` has
    no lockfile for. `command` is the command of `lambdas` that got the names without those of
    steps.

    Raises:
        InvalidDodoFile: names are mistyped.

    """
    prefixes = sorted({"lock", *steps, *ON_DEMAND} - {_WATCH})
    problems = []
    for name in names:
        step, colon, rest = name.partition(":")
        if "*" in name:
            continue
        shown = "" if command else f"{name}: "
        if step in prefixes and colon and rest not in known:
            problems.append(f"{shown}{undeclared(rest, known, '' if command else f'{step}:')}")
        elif step == "lock" and rest in unlocked:
            problems.append(f"{shown}{_unlocked(unlocked[rest])}")
        elif step not in prefixes and colon and rest in known:
            close = closest(step, prefixes)
            hint = (
                f"did you mean '{close}:{rest}'?" if close else f"there are {', '.join(prefixes)}"
            )
            problems.append(f"{name}: no step '{step}'; {hint}")
        elif not colon and step in known and step not in {*prefixes, _WATCH, *OF_ALL}:
            problems.append(f"{name}: this is a function, not a task; did you mean 'zip:{name}'?")
    if problems:
        raise InvalidDodoFile("\n".join(problems))


def undeclared(name: str, known: Collection[str], prefix: str = "") -> str:
    """Return the message about a name that the manifest does not declare."""
    hint = "run 'lambdas list' to see the names"
    if close := closest(name, known):
        hint = f"did you mean '{prefix}{close}'?"
    return f"{MANIFEST} declares no '{name}'; {hint}"


def _unlocked(function: Function) -> str:
    """Return the message about a function or layer that `lock` has no lockfile for."""
    if function.requirements:
        return f"{function.title} uses {function.requirements}; update that with its own tool"
    return (
        f"{function.title} has no requirements, so there is nothing to lock; "
        "list its dependencies in a requirements.txt in its folder"
    )
