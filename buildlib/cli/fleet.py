"""The commands that answer questions about all functions, and ask a service for it."""

from collections.abc import Sequence

import click

from buildlib.cli import common, output
from buildlib.runtimes import RUNTIMES


@click.command()
@click.argument("python", type=click.Choice(list(RUNTIMES)), metavar="PYTHON")
@common.names_argument
@common.json_option
def ready(python: str, names: Sequence[str], *, as_json: bool) -> int:
    """Show the obstacles to a newer Python, such as 3.14.

    Asks the package index about the wheels of each distinct lockfile, and looks in own code for
    modules that Python removed. Exits with 0 if all are ready, 1 if some are not, and 2 if the
    index gave no answer.
    """
    from datetime import UTC, datetime

    from buildlib.commands.ready import answer as command

    repository = common.project()
    variants = common.chosen(repository, names)
    found = command.answer(repository, variants, python, datetime.now(UTC).date().isoformat())
    if as_json:
        common.write_json(output.of_ready(found))
    else:
        common.write(command.lines(found))
    return 2 if found.unknown else int(bool(found.blocked))
