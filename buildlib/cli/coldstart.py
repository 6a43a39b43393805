"""The command that measures cold starts."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from buildlib import console
from buildlib.cli import common
from buildlib.runtimes import RUNTIMES


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
    where: str | None,
    image: str,
    python: str,
    as_json: bool,
) -> int:
    """Build functions, start each several times as Lambda does, and show where the time goes.

    Without names, the functions that have a 'start_limit', or else all. The exit code is 1 if even
    the fastest start of a function is over its limit.
    """
    from buildlib.commands.coldstart import advice, kept, measure, shown
    from buildlib.plugin import program

    if python and (image or where == "image"):
        msg = "names an interpreter of this machine, and an image has its own"
        raise click.BadParameter(msg, param_hint="'--python'")
    if image and where == "host":
        msg = "does not go together with '--where host'"
        raise click.BadParameter(msg, param_hint="'--image'")
    repository = common.project()
    variants = [one for one in common.chosen(repository, names) if not one.function.is_layer]
    limited = [one for one in variants if one.function.start_limit]
    variants = variants if names else limited or variants
    layers = [layer for one in variants for layer in repository.declared_layers(one)]
    tasks = dict.fromkeys(f"hash:{one.id}" for one in (*layers, *variants))
    result = program.run([*tasks], command="coldstart", stream=sys.stderr)
    if result.code:
        if as_json:
            common.write_error("coldstart", "the functions were not built; see stderr")
        return result.code
    repository = common.project()
    found: list[dict[str, Any]] = []
    problems: list[str] = []
    for variant in variants:
        used = image or (RUNTIMES[variant.python].image if where == "image" else "")
        options = measure.Options(count, used, python, compares=compare is not None)
        starts = measure.measure(repository, variant, options)
        measured = kept.of(repository, starts)
        earlier = kept.keep(repository.layout, variant.id, measured)
        hints = advice.find(repository, variant, starts.root)
        problems += filter(None, [shown.over_limit(starts)])
        if as_json:
            found.append(shown.as_json(starts, measured, earlier, hints))
        else:
            common.write(shown.lines(starts, measured, earlier, hints))
    if as_json:
        common.write_json({"version": 1, "command": "coldstart", "functions": found})
    for problem in problems:
        console.write(sys.stderr, f"error: {problem}\n")
    return int(bool(problems))
