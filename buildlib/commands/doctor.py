"""`lambdas doctor`: checks of this machine and of the repository."""

import contextlib
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import buildlib
from buildlib.commands.invoke import on_host
from buildlib.errors import BuildError
from buildlib.layout import MANIFEST, find_root
from buildlib.project.project import Project
from buildlib.runtimes import RUNTIMES
from buildlib.text import amount
from buildlib.uv import run

OK, NOTE, ERROR = "ok", "note", "error"

# Free space in bytes below which a build of large packages is at risk.
_ROOM = 1 << 30


class Check(NamedTuple):
    """A check: its name, its status, the finding, and the next step, or nothing."""

    name: str
    status: str
    finding: str
    advice: str = ""


def checks(folder: Path) -> list[Check]:
    """Return the checks of this machine, and of the repository that a folder is in."""
    root = find_root(folder)
    found = [_version(), _python(), _uv(), _encoder(), _workers()]
    found += [_engine(), _interpreters(root or folder), *_extras()]
    if root is None:
        advice = "change to a repository that has one, or run 'lambdas init'"
        return [*found, Check("manifest", NOTE, f"no {MANIFEST} here or above", advice)]
    return [*found, *_of_repository(root)]


def lines(found: Sequence[Check]) -> Iterator[str]:
    """Yield the checks as lines."""
    width = max(len(check.name) for check in found)
    for check in found:
        mark = {OK: "ok   ", NOTE: "note ", ERROR: "ERROR"}[check.status]
        yield f"{mark}  {check.name.ljust(width)}  {check.finding}"
        if check.advice:
            yield f"{' ' * (width + 9)}{check.advice}"


def _version() -> Check:
    doit = metadata.version("doit")
    return Check("version", OK, f"doit-lambda-zip {buildlib.__version__}, doit {doit}")


def _python() -> Check:
    return Check("python", OK, f"{platform.python_version()} on {platform.platform()}")


def _uv() -> Check:
    try:
        version = run.version()
    except (ImportError, OSError) as error:
        advice = "reinstall doit-lambda-zip, which depends on uv"
        return Check("uv", ERROR, f"cannot run: {error}", advice)
    return Check("uv", OK, version)


def _encoder() -> Check:
    try:
        from buildlib import contract
    except ImportError as error:
        return Check("compressor", ERROR, str(error), "reinstall doit-lambda-zip")
    return Check("compressor", OK, contract.encoder())


def _workers() -> Check:
    from buildlib import workers

    return Check("parallel", OK, f"{workers.count()} tasks at once by default")


def _engine() -> Check:
    from buildlib.docker import engine

    try:
        found = engine.describe()
    except BuildError as error:
        reason = str(error).splitlines()[0]
        return Check("docker", NOTE, reason, "needed for 'install: docker' and for 'invoke'")
    return Check("docker", OK, found)


_FOR_INVOKE = "for 'invoke' without Docker"


def _interpreters(root: Path) -> Check:
    found = [version for version in RUNTIMES if on_host.has_interpreter(version, root)]
    if not found:
        return Check("interpreters", NOTE, "no Python version of Lambda found", _FOR_INVOKE)
    return Check("interpreters", OK, f"{', '.join(found)} {_FOR_INVOKE}")


# The modules behind the extras, and their use.
_EXTRAS = {
    "aws": ("boto3", "'lambdas drift', 'deploy', 'rollback' and 'gc', and AWS profiles"),
    "farm": ("distributed", "'lambdas build --farm'"),
    "init": ("hcl2", "'lambdas init' with Terraform"),
    "remote": ("obstore", "a remote cache, 'lambdas publish' and 'promote'"),
    "watch": ("watchfiles", "'lambdas watch'"),
}


def _extras() -> Iterator[Check]:
    from importlib.util import find_spec

    for extra, (module, use) in _EXTRAS.items():
        if find_spec(module):
            yield Check(f"extra {extra}", OK, use)
        else:
            advice = f"pip install 'doit-lambda-zip[{extra}]'"
            yield Check(f"extra {extra}", NOTE, f"not installed; for {use}", advice)


def _of_repository(root: Path) -> Iterator[Check]:
    free = shutil.disk_usage(root).free
    status, advice = (
        (OK, "") if free > _ROOM else (NOTE, "free some space: large packages need more")
    )
    yield Check("disk", status, f"{amount(free)} free", advice)
    if not os.access(root, os.W_OK):
        yield Check("folder", ERROR, f"{root} is not writable", "check its owner and permissions")
    try:
        project = Project(root)
    except BuildError as error:
        yield Check(
            "manifest",
            ERROR,
            str(error).splitlines()[0],
            "run 'lambdas build' to list every problem",
        )
        return
    functions = sum(not function.is_layer for function in project.manifest.functions)
    layers = len(project.manifest.functions) - functions
    counts = f"{functions} functions, {layers} layers, {len(project.variants)} variants"
    yield Check("manifest", OK, f"{root / MANIFEST}: {counts}")
    stale = [
        str(function.lockfile)
        for function in project.manifest.functions
        if _problem(project, function.name)
    ]
    if stale:
        shown = ", ".join(dict.fromkeys(stale))
        yield Check("lockfiles", NOTE, f"out of date: {shown}", "run 'lambdas lock'")
    else:
        yield Check("lockfiles", OK, "up to date")
    if any(variant.function.bytecode for variant in project.variants.values()):
        yield _compilers(project)
    yield _cache(project)
    if project.remote.is_configured:
        yield _remote(project)


def _problem(project: Project, name: str) -> str | None:
    function = next(one for one in project.manifest.functions if one.name == name)
    with contextlib.suppress(BuildError):
        return project.lock_problem(function)
    return "cannot be read"


def _compilers(project: Project) -> Check:
    """Check that the pinned compilers of bytecode are here."""
    from buildlib.bytecode import compiler

    wanted: set[str] = set()
    for variant in project.variants.values():
        with contextlib.suppress(BuildError):  # the lockfile is said to be out of date
            wanted |= {project.compiler(variant)} - {""}
    root = project.layout.root
    missing = [version for version in sorted(wanted) if compiler.find(version, root) is None]
    if not wanted:
        compiled = [v for v in project.variants.values() if v.function.bytecode]
        used = {v.python for v in compiled}
        here = [one for python in sorted(used) for one in compiler.available(python, root)]
        finding = f"none pinned yet for bytecode; here: CPython {', '.join(here) or '(no version)'}"
        # A function without requirements has no lockfile that could pin one.
        is_locked = all(v.function.lockfile for v in compiled)
        remedy = "run 'lambdas lock', or set 'compiler'" if is_locked else "set 'compiler'"
        return Check("compilers", NOTE, finding, remedy)
    if not missing:
        return Check("compilers", OK, f"CPython {', '.join(sorted(wanted))} for bytecode")
    pythons = {version.rpartition(".")[0] for version in missing}
    here = [one for python in sorted(pythons) for one in compiler.available(python, root)]
    finding = f"CPython {', '.join(missing)} is pinned for bytecode, and not here"
    finding += f" (here: {', '.join(here)})" if here else ""
    advice = "; ".join(f"uv python install {version}" for version in missing)
    return Check("compilers", NOTE, finding, f"{advice}; ZIPs of the cache need no compiler")


def _cache(project: Project) -> Check:
    if problem := project.cache.problem():
        return Check(
            "cache", ERROR, problem, "set LAMBDA_ZIP_CACHE to a folder that you can write to"
        )
    return Check("cache", OK, f"{project.cache.folder}, at most {amount(project.cache.limit)}")


def _remote(project: Project) -> Check:
    try:
        address, *problems = project.remote.try_out()
    except BuildError as error:
        return Check("remote cache", ERROR, str(error))
    if problems:
        advice = "builds go on without it; see docs/how-to/share-builds.md"
        return Check("remote cache", NOTE, "; ".join(problems), advice)
    return Check("remote cache", OK, f"{address} answers")
