"""The commands that answer questions about all functions, and ask a service for it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from buildlib.cli import common, fleet_output
from buildlib.runtimes import RUNTIMES

if TYPE_CHECKING:
    from buildlib.commands.ready.answer import Answer


@click.command()
@click.argument("python", type=click.Choice(list(RUNTIMES)), metavar="PYTHON")
@common.names_argument
@common.question
@common.json_option
def ready(python: str, names: Sequence[str], *, as_json: bool) -> int:
    """Show the obstacles to a newer Python, such as 3.14.

    Asks the package index about the wheels of each distinct lockfile, and looks in own code for
    modules that Python removed. Exits with 0 if all are ready, 1 if some are not, and 2 if none is
    known not to be and some have no answer.
    """
    from datetime import UTC, datetime

    from buildlib.commands.ready import answer as command

    repository = common.project()
    variants = common.chosen(repository, names)
    found = command.answer(repository, variants, python, datetime.now(UTC).date().isoformat())
    if as_json:
        common.write_json(fleet_output.of_ready(found))
    else:
        common.write(command.lines(found))
    return code_of(found)


def code_of(found: "Answer") -> int:
    """Return the exit code of `ready`."""
    if found.blocked:
        return common.FOUND
    return common.NO_ANSWER if found.unknown else 0


@click.command()
@common.names_argument
@click.option(
    "--ignore",
    multiple=True,
    metavar="ID",
    help="Leave out the finding with this id or alias; repeat it for more.",
)
@click.option(
    "--service",
    default="",
    metavar="URL",
    help="The address of another OSV service.  [default: https://api.osv.dev]",
)
@common.question
@common.json_option
def audit(names: Sequence[str], ignore: Sequence[str], service: str, *, as_json: bool) -> int:
    """List the known vulnerabilities of locked packages, by function.

    Sends the names and versions of the packages to the service. Exits with 0 without findings, 1
    with some, and 2 without any if some packages could not be audited.
    """
    from buildlib.commands import audit as command
    from buildlib.uv.audit import SERVICE

    repository = common.project()
    variants = common.chosen(repository, names)
    found = command.answer(repository, variants, service or SERVICE, ignore)
    if as_json:
        common.write_json(fleet_output.of_audit(found))
    else:
        common.write(command.lines(found))
    return found.code
