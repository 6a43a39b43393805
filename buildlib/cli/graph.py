"""The commands that run doit's graph."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from buildlib import console, errors
from buildlib.artifacts import earlier, shard
from buildlib.cli import common
from buildlib.errors import BuildError, LockError, NotStarted
from buildlib.layout import Layout
from buildlib.plugin import program
from buildlib.plugin.result import Result
from buildlib.project.project import Project

if TYPE_CHECKING:
    from buildlib.commands.farm.farm import Farm

# A path from the user's directory, which can be below the repository's root.
_PATH = click.Path(dir_okay=False, resolve_path=True, path_type=Path)


def _jobs(function: common.F) -> common.F:
    add = click.option(
        *("-j", "--jobs"),
        type=click.IntRange(min=1),
        metavar="N",
        help="Number of tasks to run at once.  [default: one per processor, memory permitting]",
    )
    return add(function)


def _settings(jobs: int | None, *, force: bool = False) -> dict[str, Any]:
    settings: dict[str, Any] = {"always": force}
    if jobs is not None:
        settings["num_process"] = jobs
    return settings


@click.command()
@common.names_argument
@_jobs
@click.option("--dry-run", is_flag=True, help="Explain each pending build; build nothing.")
@click.option("--force", is_flag=True, help="Run every step, even if it is up to date.")
@click.option("--frozen", is_flag=True, help="Fail if a lockfile is out of date.  [default: in CI]")
@click.option(
    "--against",
    metavar="FILE",
    help="Compare with an earlier build: its lambdas.json or lambdas.hashes.json.",
)
@click.option(
    "--junit", type=_PATH, metavar="FILE", help="Write the results as a JUnit report, for CI."
)
@click.option(
    "--farm",
    "address",
    default=lambda: os.environ.get("LAMBDA_ZIP_FARM"),
    metavar="ADDRESS",
    help="Build on the workers of a Dask cluster: tcp:// or tls://host:port.",
)
@click.option(
    "--farm-timeout",
    "seconds",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="Time of one ZIP on a worker, before another one builds it.  [default: 600]",
)
@common.json_option
def build(  # noqa: PLR0913 - click passes each option
    names: Sequence[str],
    jobs: int | None,
    *,
    dry_run: bool,
    force: bool,
    frozen: bool,
    against: str | None,
    junit: Path | None,
    address: str | None,
    seconds: int | None,
    as_json: bool,
) -> int:
    """Build every function and layer, or those named, into dist/.

    NAME is a function or layer of lambdas.yaml, or one of its variants. Only steps whose inputs
    changed run.
    """
    if dry_run:
        return _dry_run(names, as_json=as_json)
    base = _base(against) if against else None
    with _reported(junit) as report, _farm(address, seconds, force=force) as farm:
        layout = Layout(common.enter())
        shard.remove(layout)
        result = program.run(
            [f"hash:{name}" for name in names] or ["index"],
            command="build",
            frozen="'--frozen' is set" if frozen else "",
            stream=sys.stderr if as_json else None,
            settings=_settings(jobs, force=force),
            base=base,
            farm=farm,
        )
        report(result)
    if names and not result.code:
        from buildlib.commands.shards import results

        results.write(layout, [*result.unchanged, *(one.id for one in result.outcomes)])
    if as_json:
        from buildlib.cli import output

        common.write_json(output.of_build(result))
    return result.code


def _base(against: str) -> earlier.Base:
    """Return the build to compare with, before the command goes to the repository's root.

    Raises:
        NotStarted: the file is no index of an earlier build.

    """
    try:
        return earlier.Base(against, earlier.read(Path(against)))
    except BuildError as error:
        msg = f"--against: {errors.describe(error)}"
        raise NotStarted(msg) from None


@contextlib.contextmanager
def _farm(address: str | None, seconds: int | None, *, force: bool) -> "Iterator[Farm | None]":
    """Yield the farm at an address, and end its work with the build; None without an address.

    Raises:
        FarmError: the address is wrong, or Dask is not installed.

    """
    if not address:
        yield None
        return
    if force:
        msg = "--force runs every step on this machine: leave out --force or --farm"
        raise click.UsageError(msg)
    from buildlib.commands.farm import farm, settings

    found = farm.Farm(settings.read(address, seconds or settings.TIMEOUT))
    with contextlib.closing(found):
        yield found


@contextlib.contextmanager
def _reported(path: Path | None) -> Iterator[Callable[[Result], None]]:
    """Yield a function that writes the JUnit report; write one, too, if nothing was started."""
    if path is None:
        yield lambda _: None
        return
    from buildlib.cli import junit

    try:
        yield lambda result: junit.write(path, junit.of_result(result))
    except (NotStarted, BuildError) as error:
        junit.write(path, junit.of_problem(str(error)))
        raise


def _dry_run(names: Sequence[str], *, as_json: bool) -> int:
    from buildlib.cli import inspect, output
    from buildlib.commands import why

    found = inspect.explanations(names)
    pending = [one for one in found if one.is_pending]
    if as_json:
        common.write_json(output.of_why(found))
    else:
        for one in pending:
            common.write(why.lines(one))
        unchanged = len(found) - len(pending)
        common.write([f"{len(pending)} to build, {unchanged} up to date"])
    return int(any(one.error for one in found))


@click.command()
@common.names_argument
@click.option("--upgrade", is_flag=True, help="Upgrade to the newest allowed versions.")
@click.option(
    *("-P", "--upgrade-package"),
    "packages",
    multiple=True,
    metavar="PACKAGE[==VERSION]",
    help="Take the newest version, or this one, of this package only; can be repeated.",
)
@click.option("--check", is_flag=True, help="Write nothing; fail if a lockfile is out of date.")
@_jobs
def lock(
    names: Sequence[str],
    packages: Sequence[str],
    jobs: int | None,
    *,
    upgrade: bool,
    check: bool,
) -> int:
    """Bring lockfiles in line with their requirements.

    Pinned versions stay as they are unless a requirement changed, or you upgrade them.
    """
    if check:
        return _check_locks(names)
    if packages:
        _check_packages(names, packages)
    common.enter()
    result = program.run(
        [f"lock:{name}" for name in _functions(names)] or ["lock"],
        command="lock",
        settings=_settings(jobs),
        options={"lock": {"upgrade": upgrade, "upgrade_package": list(packages)}},
    )
    return result.code


def _functions(names: Sequence[str]) -> list[str]:
    """Return the functions of names, which may be those of variants."""
    if not names:
        return []
    # Other functions may be missing, as in a sparse checkout.
    variants = Project(common.enter(), generated=True).variants
    found = (variants[name].function.name if name in variants else name for name in names)
    return list(dict.fromkeys(found))


def _check_locks(names: Sequence[str]) -> int:
    repository = common.project()
    problems: dict[str, str] = {}
    for variant in common.chosen(repository, names):
        function = variant.function
        if problem := repository.lock_problem(function):
            problems[str(function.lockfile)] = f"{problem}; run 'lambdas lock {function.name}'"
    for path, problem in problems.items():
        console.write(sys.stderr, f"{path} {problem}\n")
    return int(bool(problems))


def _check_packages(names: Sequence[str], packages: Sequence[str]) -> None:
    """Refuse packages that no lockfile has: a typo would be ignored.

    Raises:
        NotStarted: there are such packages, or a word names none.

    """
    from buildlib.lock import lockfile, upgrades
    from buildlib.text import closest

    repository = common.project()
    paths = {v.function.lockfile for v in common.chosen(repository, names) if v.function.lockfile}
    files = [repository.layout.root / path for path in sorted(paths)]
    known = {name for file in files if file.exists() for name in lockfile.names(file)}
    try:
        wanted = upgrades.read(packages)
    except LockError as error:
        raise NotStarted(str(error)) from None
    problems = []
    for package in sorted(wanted.packages):
        if package not in known:
            close = closest(package, known)
            hint = f"; did you mean '{close}'?" if close else ""
            problems.append(f"--upgrade-package: no lockfile has '{package}'{hint}")
    if problems:
        raise NotStarted("\n".join(problems))


@click.command()
@common.names_argument
def watch(names: Sequence[str]) -> int:
    """Rebuild whenever an input changes, until Ctrl-C."""
    from buildlib.commands import watch as command
    from buildlib.plugin import signals

    root = common.enter()
    signals.install()
    try:
        for line in command.watch(root, names):
            common.write([line])
            sys.stdout.flush()
    except KeyboardInterrupt as error:
        common.write(["Stopped watching."])
        if isinstance(error, signals.Stopped):
            return 128 + signals.number(error)
    return 0


@click.command()
@_jobs
@click.option("--check", is_flag=True, help="Write nothing; fail if the file is out of date.")
@click.option(
    "--accept-growth",
    "accepted",
    multiple=True,
    metavar="NAME",
    shell_complete=common.complete,
    help="Record the size of this function even if it grew over 'size_growth'; repeat it for more.",
)
def record(jobs: int | None, accepted: Sequence[str], *, check: bool) -> int:
    """Write lambdas.hashes.json: the hash that each set of inputs must give.

    Commit the file. A plan then needs no build, and a build that gives another hash fails.
    """
    if accepted and check:
        msg = "'--check' writes nothing, so it accepts no growth; leave out one of them"
        raise click.UsageError(msg)
    frozen = "'--check' is set" if check else ""

    def run() -> int:
        settings = _settings(jobs)
        return program.run(["record"], command="record", frozen=frozen, settings=settings).code

    if not accepted:
        common.enter()
        return run()
    from buildlib.steps import record as step
    from buildlib.steps import shared

    repository = common.project()
    names = [variant.id for variant in common.chosen(repository, accepted)]
    with step.accepted(repository.layout, names) as keep:
        code = run()
        # A function that fails takes nothing back: its own growth may be the next to accept.
        kept = shared.accepted(common.project(), names) if code else None
        keep(kept)
    if kept:
        common.write([f"lambdas.hashes.json: recorded {', '.join(kept)}; commit the file"])
    return code


@click.command()
@click.option("--against", default="", metavar="FILE", help="Compare with an earlier index.")
@_jobs
def report(jobs: int | None, against: str) -> int:
    """Write dist/report.html, a page about sizes, dependencies, changes and times.

    FILE is an earlier lambdas.json, or lambdas.hashes.json.
    """
    path = os.path.abspath(against) if against else ""  # from the directory of the user
    common.enter()
    options = {"report": {"against": path}}
    settings = _settings(jobs)
    return program.run(["report"], command="report", options=options, settings=settings).code


@click.command()
@click.argument("name", shell_complete=common.complete)
@click.option(
    *("-e", "--event"),
    default="{}",
    metavar="EVENT",
    help="A file, '-' for stdin, or JSON.  [default: {}]",
)
@click.option("--timeout", type=int, default=30, show_default=True, help="Seconds, 1 to 1800.")
@click.option("--env-file", default="", metavar="FILE", help="Lines of NAME=VALUE.")
@click.option(
    "--where",
    type=click.Choice(["auto", "image", "host"]),
    default="auto",
    show_default=True,
    help="auto: AWS's image if an engine answers, else this machine.",
)
@click.option("--image", default="", help="An image to use instead of AWS's.")
@click.option("--python", default="", metavar="PATH", help="A local Python interpreter.")
def invoke(name: str, **options: Any) -> int:  # noqa: ANN401 - click's values
    """Build a function, and run it as Lambda does.

    The function's output and the times go to stderr, its response to stdout.
    """
    from buildlib.commands.invoke import run as command

    for option in ("event", "env_file", "python"):
        options[option] = common.from_here(options[option])
    repository = common.project()
    variant = common.one(repository, name)
    layers = repository.declared_layers(variant)
    tasks = [f"hash:{one.id}" for one in (variant, *layers)]
    result: Result = program.run(tasks, command="invoke", stream=sys.stderr)
    if result.code:
        return result.code
    repository = common.project()
    found, where = command.invoke(repository, variant, command.Options(**options))
    for line in command.shown(repository, variant, found, where):
        console.write(sys.stderr, f"{line}\n")
    common.write([found.response])
    if found.error:
        console.write(sys.stderr, f"error: {variant.id}: {found.error}\n")
    return int(bool(found.error))
