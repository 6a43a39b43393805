"""The command that measures cold starts."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from buildlib import console, errors
from buildlib.cli import common
from buildlib.errors import BuildError
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.runtimes import RUNTIMES

if TYPE_CHECKING:
    from buildlib.commands.coldstart.measure import Options


@click.command()
@common.names_argument
@click.option(
    *("-n", "--starts", "count"),
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="How often to start each function.",
)
@click.option(
    "--compare",
    type=click.Choice(["bytecode"]),
    help="Start each function with bytecode and without it, in turn.",
)
@click.option("--env-file", default="", metavar="FILE", help="Lines of NAME=VALUE.")
@click.option(
    "--where",
    type=click.Choice(["image", "host"]),
    help="In AWS's image, or on this machine.  [default: host]",
)
@click.option("--image", default="", help="An image to use instead of AWS's.")
@click.option("--python", default="", metavar="PATH", help="A local Python interpreter.")
@common.json_option
def coldstart(  # noqa: PLR0913 - click passes each option
    names: Sequence[str],
    count: int,
    *,
    compare: str | None,
    env_file: str,
    where: str | None,
    image: str,
    python: str,
    as_json: bool,
) -> int:
    """Build functions, start each several times as Lambda does, and show where the time goes.

    Without names, the functions that have a 'start_limit', or else all. The exit code is 1 if a
    function does not start, or if even its fastest start is over its limit.
    """
    from buildlib.commands.coldstart import measure, startable
    from buildlib.commands.invoke.variables import read_env_file
    from buildlib.plugin import program

    _check(python, image, where)
    own = read_env_file(env_file) if env_file else {}
    python = common.from_here(python)
    repository = common.project()
    chosen = common.chosen(repository, names)
    startable.check_names(names, [*repository.variants.values()])
    variants = [one for one in chosen if not one.function.is_layer]
    limited = [one for one in variants if one.function.start_limit]
    variants = variants if names else limited or variants
    if not variants:
        console.write(sys.stderr, "nothing to start: lambdas.yaml declares no function\n")
    in_image = bool(image) or where == "image"
    able, unable = startable.split(variants, in_image=in_image)
    layers = {one.id: [layer.id for layer in repository.declared_layers(one)] for one in able}
    tasks = dict.fromkeys(f"hash:{id_}" for one in able for id_ in (*layers[one.id], one.id))
    code, failed = 0, {}
    if tasks:  # without names, doit runs all
        result = program.run([*tasks], command="coldstart", stream=sys.stderr)
        code, failed = result.code, startable.unbuilt(able, layers, result.errors)
    if code and not failed:  # nobody knows which ZIPs are new
        if as_json:
            common.write_error("coldstart", "the functions were not built; see stderr")
        return code
    repository = common.project()
    built = [one for one in able if one.id not in failed]
    built, scripts = startable.with_module(repository, built)

    def options(variant: Variant) -> measure.Options:
        used = image or (RUNTIMES[variant.python].image if in_image else "")
        return measure.Options(count, used, python, compare is not None, own)

    found, problems, unstarted = _measure(repository, built, options, as_json=as_json)
    asked, left_out = startable.missed([*unable, *scripts], able, names)
    for line in startable.by_reason(left_out):
        console.write(sys.stderr, f"skipped {line}\n")
    if failed:
        console.write(sys.stderr, f"error: not built, so not measured: {', '.join(failed)}\n")
    for problem in [*startable.by_reason(asked), *unstarted.values(), *problems]:
        console.write(sys.stderr, f"error: {problem}\n")
    unstarted = {**failed, **{one.variant.id: one.reason for one in asked}, **unstarted}
    if as_json:
        common.write_json({
            "version": 1,
            "command": "coldstart",
            "functions": found,
            "errors": [{"id": id_, "error": error} for id_, error in unstarted.items()],
            "skipped": [{"id": one.variant.id, "reason": one.reason} for one in left_out],
        })  # fmt: skip
    return code or int(bool(problems or unstarted))


def _check(python: str, image: str, where: str | None) -> None:
    if python and (image or where == "image"):
        msg = "names an interpreter of this machine, and an image has its own"
        raise click.BadParameter(msg, param_hint="'--python'")
    if image and where == "host":
        msg = "does not go together with '--where host'"
        raise click.BadParameter(msg, param_hint="'--image'")


def _measure(
    repository: Project,
    variants: Sequence[Variant],
    options: "Callable[[Variant], Options]",
    *,
    as_json: bool,
) -> tuple[list[dict[str, Any]], list[str], dict[str, str]]:
    """Measure variants, and show each at once unless the result is JSON.

    Return the results as JSON, the starts over their limits, and the errors of those that do not
    start, by their ids.
    """
    from buildlib.commands.coldstart import advice, kept, measure, shown

    found: list[dict[str, Any]] = []
    problems: list[str] = []
    unstarted: dict[str, str] = {}
    for variant in variants:
        try:
            starts = measure.measure(repository, variant, options(variant))
        except (BuildError, OSError) as error:  # the others may start
            unstarted[variant.id] = errors.describe(error)
            continue
        measured = kept.of(repository, starts)
        earlier = kept.keep(repository.layout, variant.id, measured)
        hints = advice.find(repository, variant, starts.root)
        problems += filter(None, [shown.over_limit(starts)])
        if as_json:
            found.append(shown.as_json(starts, measured, earlier, hints))
        else:
            common.write(shown.lines(starts, measured, earlier, hints))
    return found, problems, unstarted
