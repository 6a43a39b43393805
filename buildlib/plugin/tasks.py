"""The tasks, as the plain dictionaries that doit takes, in the order in which the data flows."""

import dataclasses
import gc
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from buildlib.model import Function, Variant
from buildlib.plugin import actions
from buildlib.plugin.generated import Makers
from buildlib.plugin.meta import ENGINE, keeps_open, meta, of_task, unchanged
from buildlib.plugin.selection import INVOKE, REPORT, Request, Selection, lock_options, select
from buildlib.plugin.uptodate import (
    Forgotten,
    LockUpToDate,
    ReportUpToDate,
    StepUpToDate,
    UpToDate,
)
from buildlib.project.project import Project
from buildlib.steps.pending import Step

Task = dict[str, Any]


# A task whose name begins like this is not shown by doit.
_CONTAINED = "_containers"
_LEFT_OUT = "_left_out"
_PRUNE = "_prune"
_MAKERS = "_makers"


def load(request: Request) -> Iterator[Task]:
    """Yield the tasks that a command can need.

    Raises:
        InvalidDodoFile: the manifest has mistakes, or a name is mistyped.

    """
    with actions.boundary():
        yield from _load(request)


def _load(request: Request) -> Iterator[Task]:
    # Thousands of tasks live until the end: looking for garbage among them, while they are made and
    # ever after, takes a quarter of an unchanged run.
    collecting = gc.isenabled()
    gc.disable()
    try:
        project = actions.load(
            Path.cwd(),
            generated=not request.is_alone,
            runs=request.runs,
            frozen=request.frozen,
            sparse=request.is_narrow,
        )
        names = [step.name for step in actions.steps()]
        selection = select(project.variants, names, request)
        needed = project.variants if selection.is_complete else selection.variants
        actions.check_present(project, needed.values())
        if request.is_default:
            selection = _without_unchanged(project, selection, request.state)
            needed = selection.variants
        if request.is_alone:  # otherwise other tasks may make sources first
            project.remote.expect(needed.values())
        if request.farm is not None:
            actions.use_farm(project, request.farm, needed.values())
        tasks = itertools.chain(
            _of_functions(project, selection),
            _of_all(project, selection) if selection.is_complete else (),
        )
        yield from tasks if request.is_alone else _after_makers(project, tasks)
        yield from _on_demand(project, selection)
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


def _without_unchanged(project: Project, selection: Selection, state: str) -> Selection:
    """Return a selection without the variants that have nothing to do: tasks take longer.

    Functions in containers stay: whether an engine is there is asked in a task.
    """
    finished = actions.finished(project, state)
    done = {n for n, v in selection.variants.items() if not v.function.docker and finished(v)}
    pending = {n: v for n, v in selection.variants.items() if n not in done}
    return dataclasses.replace(selection, variants=pending, unchanged=sorted(done))


def _after_makers(project: Project, tasks: Iterable[Task]) -> Iterator[Task]:
    """Yield tasks of which each that reads sources comes after the tasks which make them."""
    first = {"lock", actions.steps()[0].name}
    needed: dict[str, Function] = {}
    for task in tasks:
        step = of_task(task)
        if step and step.step in first and step.variants:
            function = project.variants[step.variants[0]].function
            needed[function.name] = function
            task["calc_dep"] = [f"{_MAKERS}:{function.name}"]
        elif task["basename"] == _CONTAINED:
            task["calc_dep"] = [f"{_MAKERS}:{f.name}" for f in _contained(project)]
            needed |= {function.name: function for function in _contained(project)}
        yield task
    for name, function in needed.items():
        yield {
            "basename": _MAKERS,
            "name": name,
            "doc": f"find the tasks that generate sources of {name}",
            "actions": [(actions.makers, [])],
            "uptodate": [Makers(function)],
            "meta": meta(_MAKERS, []),
        }


def _contained(project: Project) -> list[Function]:
    return [function for function in project.manifest.functions if function.docker]


def _of_functions(project: Project, selection: Selection) -> Iterator[Task]:
    """Yield the tasks of each variant and function, and the groups of all."""
    steps = actions.steps()
    doc = "update lockfiles to match their requirements; --upgrade takes newer versions"
    yield _group("lock", doc) | {"params": lock_options()}
    for step in steps:
        yield _group(step.name, step.doc)
    needed = {
        one.lockfile
        for variant in selection.variants.values()
        for one in project.with_layers(variant.function)
    }
    by_lockfile: dict[str, list[Function]] = {}
    for function in project.manifest.functions:
        if function.lockfile and function.lockfile in needed:
            by_lockfile.setdefault(function.lockfile, []).append(function)
    for functions in by_lockfile.values():
        yield from _locks(project, functions)
    for variant in selection.variants.values():
        yield from _variant(project, variant, selection, steps)
    for step in steps:
        yield from _functions(step.name, selection)


def _group(basename: str, doc: str) -> Task:
    """Return the task of all tasks `<basename>:<name>`."""
    return {"basename": basename, "name": None, "doc": doc}


def _functions(basename: str, selection: Selection) -> Iterator[Task]:
    """Yield the task of each function that has several variants."""
    for name, ids in selection.several.items():
        yield {
            "basename": basename,
            "name": name,
            "actions": None,
            "task_dep": [f"{basename}:{variant_id}" for variant_id in ids],
            "doc": f"all variants of {name}",
        }


def _locks(project: Project, functions: Sequence[Function]) -> Iterator[Task]:
    """Yield the tasks of the functions that share a lockfile: the first one makes it."""
    first, *others = functions
    tasks = [f"lock:{function.name}" for function in others]
    making = {
        "actions": [(actions.make_lock, [project, first])],
        "uptodate": [LockUpToDate(actions.LOCK.reason, project, first, tasks)],
        "targets": [str(first.lockfile)],
    }
    for function in functions:
        yield {
            "basename": "lock",
            "name": function.name,
            "params": lock_options(),
            "doc": f"pin {function.requirements}",
            "meta": meta("lock", actions.ids(function)),
            **(making if function is first else _sharing(first)),
        }


def _sharing(first: Function) -> Task:
    """Return the fields of a task whose lockfile another one makes."""
    return {"actions": None, "task_dep": [f"lock:{first.name}"]}


def _variant(
    project: Project, variant: Variant, selection: Selection, steps: Iterable[Step]
) -> Iterator[Task]:
    """Yield the task of each step of a variant; each depends on the one before it."""
    name, function = variant.id, variant.function
    target = f"{function.name}, Python {variant.python}, {variant.architecture}"
    before = [f"lock:{one.name}" for one in project.with_layers(function) if one.lockfile]
    checks, closing = actions.Checks(project, variant), actions.Open(project)
    for step in steps:
        task: Task = {
            "basename": step.name,
            "name": name,
            "actions": [(actions.perform, [project, variant, step.name])],
            "task_dep": before,
            "uptodate": [StepUpToDate(checks, step.name, function.name)],
            "meta": meta(step.name, (name,)) | keeps_open(closing),
        }
        if step.name in {"zip", "hash"}:
            task["task_dep"] = [*before, *_described(project, variant, selection)]
        if step.name == "hash":
            # Not of `zip`: doit runs a task whose target is missing, and `hash` may get it from the
            # store.
            task["targets"] = [f"dist/{name}.zip", f"dist/{name}.zip.sha256"]
        if not selection.is_run:
            task["doc"] = f"{step.name} of {target}"
            task["clean"] = [(actions.clean, [project, variant, step.name])]
        yield task
        before = [f"{step.name}:{name}"]


def _described(project: Project, variant: Variant, selection: Selection) -> list[str]:
    """Return the tasks of the layers whose ZIPs the evidence of a function names.

    A layer in a container may be left out in this run, and does not hold up its functions.
    """
    layers = project.declared_layers(variant) if variant.function.evidence else []
    return [
        f"hash:{layer.id}"
        for layer in layers
        if layer.id in selection.variants and not layer.function.docker
    ]


def _of_all(project: Project, selection: Selection) -> Iterator[Task]:
    """Yield the tasks that depend on every variant."""
    contained = [v.id for v in project.variants.values() if v.function.docker]
    # The first task tidies dist/, so that it is done also if a function cannot be built.
    index = _whole(
        project,
        "index",
        actions.EVICT,
        doc="build everything and write dist/lambdas.json, the index for Terraform",
        task_dep=[_PRUNE, *(f"hash:{n}" for n in selection.variants if n not in contained)],
        clean=[(actions.clean_all, [project])],
    )
    index["meta"] |= unchanged(selection.unchanged)
    if contained:
        # Which of them can be built is known when it is needed, and the engine is asked then.
        arguments = [project, _CONTAINED, _LEFT_OUT]
        yield {
            "basename": _CONTAINED,
            "doc": "find the functions whose Docker engine is available",
            "actions": [(actions.buildable, arguments)],
        }
        yield {
            "basename": _LEFT_OUT,
            "doc": "record the functions whose Docker engine is not available",
            "actions": [(actions.leave_out, [project])],
            "meta": meta(ENGINE, []),
        }
        index["calc_dep"] = [_CONTAINED]
    yield _whole(
        project, _PRUNE, actions.PRUNE, doc="remove files of undeclared functions from dist/"
    )
    yield index
    yield _whole(
        project,
        "record",
        actions.RECORD,
        doc="write lambdas.hashes.json, for plans without a build",
        task_dep=["index"],
    )
    yield _whole(
        project,
        "report",
        actions.REPORT,
        shows=project.layout.relative(project.layout.report),
        doc="write dist/report.html: sizes, dependencies, changes and times",
        # If a function fails, doit leaves this out, and the reporter writes the page.
        task_dep=["index"],
        params=REPORT,
        uptodate=[ReportUpToDate(actions.REPORT.reason, project)],
        clean=[(actions.clean_report, [project])],
    )


def _whole(
    project: Project, name: str, work: actions.Work, shows: str = "", **fields: object
) -> Task:
    return {
        "basename": name,
        "actions": [(actions.act, [work.make, project])],
        "uptodate": [UpToDate(work.reason, project)],
        "meta": meta(name, [], shows),
    } | fields


def of_variant(variant: Variant) -> Iterator[str]:
    """Yield the names of the tasks of a variant, that of its lockfile first."""
    yield f"lock:{variant.function.name}"
    yield from (f"{step.name}:{variant.id}" for step in actions.steps())


# The tasks on demand that are about all variants.
_OF_THE_PROJECT = {
    "size": (
        actions.size,
        "show each ZIP's size against Lambda's limits, and its largest packages",
    ),
    "drift": (actions.drift, "compare the code that runs in AWS Lambda with this commit"),
}


def _on_demand(project: Project, selection: Selection) -> Iterator[Task]:
    """Yield the tasks that exist only where one of them can be needed."""
    chosen = list(selection.variants)
    if "why" in selection.on_demand:
        yield _group("why", "explain why each variant will be or was rebuilt")
        for name in chosen:
            yield {
                "basename": "why",
                "name": name,
                "actions": [(actions.why, [project, project.variants[name]])],
                "uptodate": [Forgotten(of_variant(project.variants[name]))],
                "meta": {},
                "doc": f"explain why {name} will be or was rebuilt",
            }
    if "invoke" in selection.on_demand:
        yield _group("invoke", "run a function as Lambda does: doit invoke:<id> --event=event.json")
        for name in chosen:
            if project.variants[name].function.is_layer:
                continue
            layers = project.declared_layers(project.variants[name])
            yield {
                "basename": "invoke",
                "name": name,
                "actions": [(actions.invoke, [project, project.variants[name]])],
                "params": INVOKE,
                "task_dep": [f"hash:{name}", *(f"hash:{layer.id}" for layer in layers)],
                "doc": f"invoke {name} as Lambda does",
            }
    if "verify" in selection.on_demand:
        yield _group("verify", "rebuild each variant twice under different conditions and compare")
        for name in chosen:
            yield {
                "basename": "verify",
                "name": name,
                "actions": [(actions.act, [actions.verify, project, project.variants[name]])],
                "doc": f"rebuild {name} twice under different conditions and compare",
            }
        yield from _functions("verify", selection)
    yield from (
        {"basename": name, "actions": [(action, [project])], "doc": doc}
        for name, (action, doc) in _OF_THE_PROJECT.items()
        if name in selection.on_demand
    )
    if "watch" in selection.on_demand:
        yield {
            "basename": "watch",
            "actions": [actions.watch],
            "pos_arg": "names",
            "doc": "rebuild all or the named functions at each change, until Ctrl-C",
        }
