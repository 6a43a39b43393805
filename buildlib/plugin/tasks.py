"""The tasks. In a repository's dodo.py: `from buildlib.tasks import *`.

Nothing else than the loading of the tasks happens here: each task calls a function of
`buildlib.steps`, and asks another whether it has to.
"""

import atexit
import gc
import os
import sys
from collections.abc import Callable, Collection, Container, Iterable, Iterator
from pathlib import Path
from typing import Any

from doit.action import PythonAction
from doit.cmd_base import NamespaceTaskLoader
from doit.doit_cmd import DoitMain
from doit.exceptions import InvalidDodoFile, TaskFailed
from doit.loader import create_after
from doit.task import Task as DoitTask

from buildlib import errors, progress
from buildlib.commands import why
from buildlib.errors import BuildError
from buildlib.layout import MANIFEST
from buildlib.manifest import variants
from buildlib.model import Function, Variant
from buildlib.plugin import github
from buildlib.plugin.uptodate import META, LockUpToDate, StepUpToDate, UpToDate
from buildlib.project.project import Project
from buildlib.steps import clean, engines, run, shared
from buildlib.steps.pending import STEPS, Step
from buildlib.steps.shared import lock_reason
from buildlib.text import closest

__all__ = [
    "DOIT_CONFIG",
    "task_invoke",
    "task_lambdas",
    "task_size",
    "task_verify",
    "task_watch",
    "task_why",
]


DOIT_CONFIG = {
    "backend": "lambdas",
    "dep_file": os.path.join("build", ".doit.json"),
    "default_tasks": ["index"],
    # One function that cannot be built is no reason to leave out the others; doit still fails.
    "continue": True,
    "reporter": "lambdas",
    "verbosity": 2,
}


Task = dict[str, Any]


_WHY = "say why each variant would be built, or why it was"


_INVOCATION = "run a function as Lambda does: doit invoke:<id> --event event.json"


_VERIFY = "build each variant twice more, elsewhere, and compare with dist/"


_WATCH = "build again at each change, all functions or those that are named, until Ctrl-C"


_LAST = STEPS[-1]


# Tasks of one function have these names and, after a colon, that of a function or variant.
_STEPS = frozenset({"lock", *(step.name for step in STEPS)})


_LOCK = "pin the dependencies with their hashes, in requirements.lock"


_SIZE = "show how large each variant is, and what is large in it"


_INDEX = "build everything; dist/lambdas.json lists just what lambdas.yaml declares"


_REPORT = "write dist/report.html, a page about sizes, dependencies, changes and times"


_RECORD = "write the keys and hashes of all to lambdas.hashes.json, for plans without a build"


# A task of this name is not shown by doit.
_CONTAINED = "_containers"


_RENEW = {
    "name": "renew",
    "long": "renew",
    "type": bool,
    "default": False,
    "help": "take newer versions, as naming the task does",
}


# Commands of doit that show what tasks there are.
_LISTING = {"help", "list", "tabcompletion"}


_INVOKE: list[dict[str, Any]] = [
    {"name": "event", "long": "event", "default": "{}", "help": "file, '-' for stdin, or JSON"},
    {"name": "timeout", "long": "timeout", "type": int, "default": 30, "help": "in seconds"},
    {"name": "env_file", "long": "env-file", "default": "", "help": "lines of NAME=VALUE"},
    {
        "name": "where",
        "long": "where",
        "default": "auto",
        "choices": [("auto", "image, else host"), ("image", "AWS's"), ("host", "this machine")],
        "help": "where it runs",
    },
    {"name": "image", "long": "image", "default": "", "help": "instead of AWS's image"},
    {"name": "python", "long": "python", "default": "", "help": "an interpreter of this machine"},
]


def task_lambdas() -> Iterator[Task | DoitTask]:
    """Build the functions that lambdas.yaml declares."""
    # Thousands of tasks live until the end: looking for garbage among them, while they are made and
    # ever after, takes a quarter of an unchanged run.
    collecting = gc.isenabled()
    gc.disable()
    try:
        project = _project()
        yield from tasks(project)
        if _is_listed():  # to read a manifest of a thousand functions once takes long enough
            for name, made in _ASKED.items():
                yield from ({"basename": name, **task} for task in made(project))
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


@create_after()  # type: ignore[untyped-decorator] # these tasks exist only when asked for
def task_why() -> Iterator[Task] | None:
    """Say why each variant would be built, or why it was."""
    return None if _is_listed() else _why(_project())


def _why(project: Project) -> Iterator[Task]:
    yield {"name": None, "doc": _WHY}
    for variant in project.variants.values():
        yield {
            "name": variant.id,
            "actions": [(_say, [why.why, project, variant])],
            "doc": f"say why {variant.id} would be built, or why it was",
        }


def _is_listed() -> bool:
    """Tell whether all tasks are wanted, but only to be shown, as for the shell's completion."""
    return any(word in _LISTING for word in sys.argv[1:])


def task_watch() -> Task:
    """Build again whenever an input changes: `doit watch`, `doit watch team_keys`."""
    return {"actions": [_watch], "pos_arg": "names", "doc": _WATCH}


def _watch(names: list[str]) -> TaskFailed | None:
    from buildlib.commands import watch  # for one task

    try:
        for line in watch.watch(Path.cwd(), names):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stdout.write("no longer watching\n")
    except (BuildError, OSError) as error:
        return TaskFailed(errors.describe(error))
    return None


def task_invoke() -> Iterator[Task] | None:
    """Run a function as Lambda does: doit invoke:<id> --event event.json."""
    # Tasks that doit creates later have no options on the command line, so these are there at once,
    # but only for who names them.
    if _is_listed():
        return None
    if sys.argv[1:2] == ["invoke"]:
        msg = "invoke: name a variant, as in 'doit invoke:<id> --event=event.json'"
        raise InvalidDodoFile(msg)
    return _invocations(_project()) if any(w.startswith("invoke:") for w in sys.argv[1:]) else None


def _invocations(project: Project) -> Iterator[Task]:
    yield {"name": None, "doc": _INVOCATION}
    for variant in project.variants.values():
        yield {
            "name": variant.id,
            "actions": [(_invoke, [project, variant])],
            "params": _INVOKE,
            "task_dep": [f"hash:{variant.id}"],
            "doc": f"invoke {variant.id} as Lambda does",
        }


def _invoke(project: Project, variant: Variant, **options: Any) -> TaskFailed | None:  # noqa: ANN401
    from buildlib.commands.invoke import run

    try:
        found, where = run.invoke(project, variant, run.Options(**options))
    except (BuildError, OSError) as error:
        return TaskFailed(errors.describe(error))
    for line in run.shown(variant, found, where):
        sys.stderr.write(f"{line}\n")
    sys.stdout.write(f"{found.response}\n")
    return TaskFailed(f"{variant.id}: {found.error}") if found.error else None


@create_after()  # type: ignore[untyped-decorator]
def task_verify() -> Iterator[Task] | None:
    """Build each variant twice more, elsewhere, and compare with dist/."""
    return None if _is_listed() else _verifications(_project())


def _verifications(project: Project) -> Iterator[Task]:
    yield {"name": None, "doc": _VERIFY}
    for variant in project.variants.values():
        yield {
            "name": variant.id,
            "actions": [(_act, [_verify, project, variant])],
            "doc": f"build {variant.id} twice more, elsewhere, and compare with dist/",
        }
    for function in project.manifest.functions:
        ids = [variant.id for variant in variants.expand(function)]
        if ids != [function.name]:
            yield {
                "name": function.name,
                "actions": None,
                "task_dep": [f"verify:{name}" for name in ids],
                "doc": f"all variants of {function.name}",
            }


@create_after()  # type: ignore[untyped-decorator]
def task_size() -> Iterator[Task] | None:
    """Show how large each variant is, of what Lambda takes, and what is large in it."""
    return None if _is_listed() else _sizes(_project())


def _sizes(project: Project) -> Iterator[Task]:
    from buildlib.commands import size  # for one task

    yield {"basename": "size", "actions": [(_say, [size.sizes, project])], "doc": _SIZE}


def _verify(project: Project, variant: Variant) -> None:
    from buildlib.commands import verify  # 10 ms, and seldom asked for

    _say(verify.verify, project, variant)


def _say(lines: Callable[..., Iterator[str]], *arguments: object) -> None:
    for line in lines(*arguments):
        sys.stdout.write(f"{line}\n")


# The tasks that exist only when asked for, and when all are listed.
_ASKED = {"why": _why, "invoke": _invocations, "verify": _verifications, "size": _sizes}


def _project() -> Project:
    try:
        project = Project(Path.cwd())
    except (BuildError, OSError) as error:
        message = errors.describe(error)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            sys.stdout.writelines(f"{line}\n" for line in github.annotations(MANIFEST, message))
        raise InvalidDodoFile(message) from None
    atexit.register(project.save)
    return project


def tasks(project: Project) -> Iterator[Task | DoitTask]:
    """Yield every task that may be wanted, in the order in which the data flows."""
    chosen = _chosen(project)
    functions = list({variant.function: None for variant in chosen.values()})
    yield {"basename": "lock", "name": None, "doc": _LOCK}
    groups = [_group(step, chosen) for step in STEPS]
    yield from groups
    locks: dict[str, str] = {}
    wanted = {function.lockfile for function in functions}
    for function in project.manifest.functions:
        if function.lockfile and function.lockfile in wanted:
            yield _lock(project, function, locks)
    for variant in chosen.values():
        yield from _variant(project, variant, groups)
    for function in functions:
        ids = [variant.id for variant in variants.expand(function)]
        if ids != [function.name]:
            for step in STEPS:
                leaves = [f"{step.name}:{variant_id}" for variant_id in ids]
                yield {
                    "basename": step.name,
                    "name": function.name,
                    "actions": None,
                    "task_dep": leaves,
                    "doc": f"all variants of {function.name}",
                }
    if len(chosen) == len(project.variants):
        yield from _of_all(project)


def _chosen(project: Project) -> dict[str, Variant]:
    """Return the variants that can be wanted: all, or those of which tasks are named.

    doit makes all tasks before it looks at what is named, and of a thousand functions that takes
    longer than all else. Where the command line has nothing but names of tasks, and there are no
    tasks but ours that might depend on others, the rest cannot matter.
    """
    everything = project.variants.values()
    owners = {name: v.function.name for v in everything for name in (v.id, v.function.name)}
    named = [word.partition(":") for word in sys.argv[1:]]
    if not named or not _is_alone():
        return project.variants
    _check_names(named, owners, {v.function.name for v in everything if not v.function.lockfile})
    wanted = {owners.get(name) if step in _STEPS else None for step, _, name in named}
    if None in wanted:
        return project.variants
    return {variant.id: variant for variant in everything if variant.function.name in wanted}


def _check_names(
    named: Iterable[tuple[str, str, str]], known: Collection[str], unlocked: Container[str]
) -> None:
    """Stop at what names a function wrongly, which to doit is just not a task."""
    steps_ = sorted(_STEPS | _ASKED.keys())
    for step, colon, name in named:
        if step in steps_ and colon and name not in known and "*" not in name:
            hint = "'doit list --all' shows what there is"
            if close := closest(name, known):
                hint = f"did you mean '{step}:{close}'?"
            msg = f"{step}:{name}: {MANIFEST} declares no '{name}'; {hint}"
            raise InvalidDodoFile(msg)
        if step == "lock" and name in unlocked:
            msg = (
                f"lock:{name}: lambda '{name}' has no requirements, so there is nothing to lock; "
                "write what it needs in a requirements.txt in its folder"
            )
            raise InvalidDodoFile(msg)
        if step not in steps_ and colon and name in known and step[:1] != "-":
            close = closest(step, steps_)
            hint = f"did you mean '{close}:{name}'?" if close else f"there are {', '.join(steps_)}"
            msg = f"{step}:{name}: there is no step '{step}'; {hint}"
            raise InvalidDodoFile(msg)
    # More words may be a command of doit and its arguments.
    if len(words := sys.argv[1:]) == 1 and words[0] in known and words[0] not in _words():
        msg = f"{words[0]}: this is a function, not a task; did you mean 'zip:{words[0]}'?"
        raise InvalidDodoFile(msg)


def _words() -> set[str]:
    """Return what has a meaning to doit though a function may have this name."""
    commands = {command.get_name() for command in DoitMain.DOIT_CMDS}
    return commands | _STEPS | _ASKED.keys() | {"index", "record", "report", "watch"}


def _is_alone() -> bool:
    """Tell whether it is known that there are no tasks but ours: by a dodo.py, or without one."""
    dodo = sys.modules.get("dodo")
    return Loader.is_used or (
        dodo is not None
        and not any(
            name not in __all__
            and (name.startswith("task_") or hasattr(value, "create_doit_tasks"))
            for name, value in vars(dodo).items()
        )
    )


def _of_all(project: Project) -> Iterator[Task]:
    """Yield the tasks that depend on those of all variants."""
    contained = [v.id for v in project.variants.values() if v.function.docker]
    index: Task = {
        "basename": "index",
        "actions": [(_act, [shared.prune, project])],
        "uptodate": [UpToDate(shared.index_reason, project)],
        "task_dep": [f"hash:{name}" for name in project.variants if name not in contained],
        "clean": [(_unreport, [project])],  # it would tell of what is gone
        "doc": _INDEX,
        "meta": _meta("index", []),
    }
    if contained:
        # Which of them can be built is known when it is needed, and the engine is asked then.
        yield {"basename": _CONTAINED, "actions": [(_contained, [project])]}
        index["calc_dep"] = [_CONTAINED]
    yield index
    yield {
        "basename": "record",
        "actions": [(_act, [shared.make_record, project])],
        "uptodate": [UpToDate(shared.record_reason, project)],
        "task_dep": ["index"],
        "doc": _RECORD,
        "meta": _meta("record", []),
    }
    yield {
        "basename": "report",
        "actions": [(_act, [_report, project])],
        "uptodate": [UpToDate(_report_reason, project)],
        "task_dep": ["index"],
        "clean": [(_unreport, [project])],
        "doc": _REPORT,
        "meta": _meta("report", [], project.layout.relative(project.layout.report)),
    }


def _report(project: Project) -> None:
    from buildlib.commands.report import command  # for one task

    command.make(project)


def _report_reason(project: Project) -> str | None:
    from buildlib.commands.report import command  # for one task

    return None if command.is_done(project) else "dist/report.html is out of date"


def _unreport(project: Project) -> None:
    from buildlib.commands.report import command  # for one task

    command.clean(project)


def _lock(project: Project, function: Function, locks: dict[str, str]) -> Task:
    """Return the task that makes a lock; functions with one source folder share it."""
    path = str(function.lockfile)
    first = locks.setdefault(path, function.name)
    shared = first != function.name
    return {
        "basename": "lock",
        "name": function.name,
        "actions": [(_make_lock, [project, function])],
        "params": [_RENEW],
        "uptodate": [LockUpToDate(lock_reason, project, function)],
        "targets": [] if shared else [path],
        "task_dep": [f"lock:{first}"] if shared else [],
        "doc": f"pin {function.requirements}",
        "meta": _meta("lock", [v.id for v in variants.expand(function)]),
    }


def _group(step: Step, names: Iterable[str]) -> DoitTask:
    """Return the task that stands for a step of all variants."""
    leaves = [f"{step.name}:{name}" for name in names]
    return DoitTask(step.name, None, task_dep=leaves, doc=step.doc, has_subtask=True)


def _variant(project: Project, variant: Variant, groups: list[DoitTask]) -> Iterator[DoitTask]:
    """Yield the tasks of one variant.

    They are copies of the tasks of their groups, with what is their own: doit checks and prepares
    each field of a new task, which takes most of the time in a manifest of a thousand functions.
    """
    name = variant.id
    target = f"{variant.function.name}, Python {variant.python}, {variant.architecture}"
    before = [f"lock:{variant.function.name}"] if variant.function.lockfile else []
    for step, group in zip(STEPS, groups, strict=True):
        task = DoitTask.__new__(DoitTask)
        task.__dict__.update(group.__dict__)
        task.name = f"{step.name}:{name}"
        task.doc = f"{step.name} of {target}"
        task.meta = _meta(step.name, [name])
        task.subtask_of = step.name
        task.has_subtask = False
        task.task_dep = before
        # Not of `zip`: doit runs a task whose target is missing, and `hash` may get it from the
        # store.
        task.targets = [f"dist/{name}.zip", f"dist/{name}.zip.sha256"] if step is _LAST else []
        task.uptodate = [(_ask(step, project, variant), [], {})]
        task._actions = [(_perform, [project, variant, step.name])]  # noqa: SLF001
        task.clean_actions = _Clean(clean.clean, [project, variant, step.name])
        # Each task has its own of what doit changes in place.
        task.file_dep, task.calc_dep = set(), set()
        task.wild_dep, task.setup_tasks, task.value_savers, task.values = [], [], [], {}
        yield task
        before = [task.name]


class _Clean:
    """What `doit clean` does for a task: made when it is asked for."""

    def __init__(self, clean: Callable[..., None], arguments: list[object]) -> None:
        self._clean, self._arguments = clean, arguments

    def __iter__(self) -> Iterator[PythonAction]:
        """Give the action to doit."""
        yield PythonAction(self._clean, self._arguments)


# What the check of a task leaves for its action (`reason`, `forced`, `named`), and that for the
# reporter (`done`).
_ASKED_NOTHING = {"reason": "", "forced": "", "named": False, "done": None}


def _meta(step: str, ids: list[str], shows: str = "") -> dict[str, Any]:
    """Return what the reporter has to know of a task."""
    return {META: {"step": step, "variants": ids, "shows": shows, **_ASKED_NOTHING}}


def _contained(project: Project) -> dict[str, list[str]]:
    """Return what else the default task depends on; what needs an absent engine is left out."""
    with progress.task(_CONTAINED):
        return {"task_dep": [f"hash:{variant.id}" for variant in engines.buildable(project)]}


def _ask(step: Step, project: Project, variant: Variant) -> UpToDate:
    return StepUpToDate(project, variant, step.name)


def _perform(project: Project, variant: Variant, step: str, task: DoitTask) -> TaskFailed | None:
    """Do a step, and leave what it did where the reporter finds it, also in another process."""
    meta = task.meta[META]
    # doit runs what is up to date only if it is told to, by `-a`.
    forced = meta["forced"] or ("" if meta["reason"] else "doit was told to run everything (-a)")
    try:
        with progress.task(task.name):
            meta["done"] = run.perform(project, variant, step, named=meta["named"], forced=forced)
    except (BuildError, OSError) as error:
        return TaskFailed(errors.describe(error))
    return None


def _make_lock(
    project: Project,
    function: Function,
    task: DoitTask,
    renew: bool,  # noqa: FBT001 - doit's parameter
) -> TaskFailed | None:
    return _act(shared.make_lock, project, function, task=task, renew=renew)


def _act(
    step: Callable[..., None], *arguments: object, task: DoitTask, **options: object
) -> TaskFailed | None:
    """Run a step; what the user can mend becomes a failed task, without a traceback."""
    try:
        with progress.task(task.name):
            step(*arguments, **options)
    except (BuildError, OSError) as error:
        return TaskFailed(errors.describe(error))
    return None


class Loader(NamespaceTaskLoader):  # type: ignore[misc] # doit has no type hints
    """The loader `lambdas` of doit: a repository with a manifest needs no dodo.py."""

    is_used = False

    def setup(self, opt_values: dict[str, Any]) -> None:  # noqa: ARG002 - doit's interface
        """Go to the repository's root and offer the tasks."""
        Loader.is_used = True
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / MANIFEST).exists():
                os.chdir(folder)
                break
        self.namespace = {name: globals()[name] for name in __all__}
