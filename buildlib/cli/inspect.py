"""The commands that look and change nothing."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from buildlib import console, errors
from buildlib.cli import common, output
from buildlib.commands.why import Explanation
from buildlib.errors import ArchiveError, BuildError


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
@common.json_option
def why(names: Sequence[str], *, as_json: bool) -> int:
    """Explain which steps will run for each ZIP and why, or why it was last rebuilt."""
    from buildlib.commands import why as command

    found = explanations(names)
    if as_json:
        common.write_json(output.of_why(found))
    else:
        for one in found:
            common.write(command.lines(one))
    return 0


@click.command()
@common.names_argument
@common.json_option
def size(names: Sequence[str], *, as_json: bool) -> int:
    """Show the size of each ZIP against Lambda's limits, and its largest packages."""
    from buildlib.commands import size as command

    repository = common.project()
    variants = common.chosen(repository, names)
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
@common.names_argument
def verify(names: Sequence[str]) -> int:
    """Rebuild each ZIP twice under different conditions, and compare with dist/.

    The two builds run in other folders, with another umask, locale, time zone and order of files,
    and without a cache.
    """
    from buildlib.commands import verify as command

    repository = common.project()
    failed = 0
    for variant in common.chosen(repository, names):
        if variant.function.is_layer and not names:
            continue
        try:
            common.write(command.verify(repository, variant))
        except (BuildError, OSError) as error:
            console.write(sys.stderr, f"error: {errors.describe(error)}\n")
            failed += 1
    return int(failed > 0)


@click.command()
@click.argument("one", type=click.Path(path_type=Path), metavar="A.zip")
@click.argument("other", type=click.Path(path_type=Path), metavar="B.zip")
def diff(one: Path, other: Path) -> int:
    """Compare two ZIPs byte for byte.

    Exits with 0 if they are equal, 1 if they differ, and 2 if one cannot be read.
    """
    from buildlib.archive import diff as command

    try:
        lines = command.report(one, other)
    except ArchiveError as error:
        console.write(sys.stderr, f"error: {errors.describe(error)}\n")
        return 2
    common.write(lines)
    return int(len(lines) > 1)
