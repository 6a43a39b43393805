"""The commands that look and change nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from buildlib.cli import common, fleet_output, output
from buildlib.commands.why import Explanation
from buildlib.errors import NotStarted

if TYPE_CHECKING:
    from buildlib.commands.what_if import Change


def explanations(names: Sequence[str]) -> list[Explanation]:
    """Return why each variant of these names will be or was built."""
    from buildlib.commands import why as command
    from buildlib.plugin import program

    repository = common.project()
    forgotten = program.forgotten(repository)
    variants = common.chosen(repository, names)
    repository.remote.expect(variants)
    found = [command.explain(repository, variant, forgotten(variant)) for variant in variants]
    repository.remote.finish(lambda _: None)  # it names its problems
    return found


@click.command()
@common.names_argument
@click.option(
    "--if",
    "pins",
    multiple=True,
    metavar="PACKAGE==VERSION",
    help="Show the ZIPs that another version of a locked package would change; repeat it for more.",
)
@common.json_option
def why(names: Sequence[str], pins: Sequence[str], *, as_json: bool) -> int:
    """Explain which steps will run for each ZIP and why, or why it was last rebuilt."""
    from buildlib.commands import why as command

    if pins:
        return _what_if(names, pins, as_json=as_json)
    found = explanations(names)
    if as_json:
        common.write_json(output.of_why(found))
    else:
        for one in found:
            common.write(command.lines(one))
    return 0


def _what_if(names: Sequence[str], pins: Sequence[str], *, as_json: bool) -> int:
    from buildlib.commands import what_if as command

    changes = [_change(pin) for pin in dict.fromkeys(pins)]
    repository = common.project()
    found = command.answer(repository, common.chosen(repository, names), changes)
    if found.unknown and not found.errors:
        raise NotStarted("\n".join(found.unknown))
    if as_json:
        common.write_json(fleet_output.of_what_if(found))
    else:
        common.write(command.lines(found))
    return int(bool(found.errors))


def _change(pin: str) -> "Change":
    """Return the change that `--if` asks for.

    Raises:
        BadParameter: it is not a package with one version.

    """
    from packaging.requirements import InvalidRequirement, Requirement

    from buildlib import text
    from buildlib.commands.what_if import Change

    try:
        parsed = Requirement(pin)
    except InvalidRequirement:
        parsed = None
    specifiers = [*parsed.specifier] if parsed and not parsed.marker else []
    if parsed is None or [one.operator for one in specifiers] != ["=="] or "*" in pin:
        msg = f"'{pin}' is not PACKAGE==VERSION, such as requests==2.33.0"
        raise click.BadParameter(msg, param_hint="'--if'")
    return Change(text.canonical_name(parsed.name), specifiers[0].version)


@click.command()
@common.names_argument
@click.option(
    "--shared",
    is_flag=True,
    help="Show the packages that functions share, and the savings of a layer.",
)
@common.json_option
def size(names: Sequence[str], *, shared: bool, as_json: bool) -> int:
    """Show the size of each ZIP against Lambda's limits, and its largest packages."""
    from buildlib.commands import size as command

    repository = common.project()
    variants = common.chosen(repository, names)
    if shared:
        from buildlib.commands import shared as advice

        found = advice.answer(repository, variants)
        if as_json:
            common.write_json(fleet_output.of_shared(found))
        else:
            common.write(advice.lines(found))
        return 0
    if as_json:
        common.write_json(output.of_size(*command.measure(repository, variants)))
    else:
        common.write(command.lines(repository, variants))
    return 0


@click.command()
@common.names_argument
@common.json_option
def list_(names: Sequence[str], *, as_json: bool) -> int:
    """List the functions and layers that lambdas.yaml declares, one line per variant."""
    from buildlib import text

    repository = common.project()
    found = output.of_list(repository, common.chosen(repository, names))
    if as_json:
        common.write_json(found)
        return 0
    rows = [("variant", "kind", "runtime", "architecture", "zip", "handler")]
    for one in found["variants"]:
        shown = (one["kind"], one["runtime"], one["architecture"], one["state"])
        rows.append((one["id"], *shown, one["handler"] or "-"))
    common.write(text.table(rows, numbers=False))
    return 0


@click.command()
@click.argument("one", type=click.Path(path_type=Path), metavar="A.zip")
@click.argument("other", type=click.Path(path_type=Path), metavar="B.zip")
@common.question
def diff(one: Path, other: Path) -> int:
    """Compare two ZIPs byte for byte.

    Exits with 0 if they are equal, 1 if they differ, and 2 if one cannot be read.
    """
    from buildlib.archive import diff as command

    lines = command.report(one, other)
    common.write(lines)
    return int(len(lines) > 1)
