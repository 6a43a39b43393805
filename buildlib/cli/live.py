"""The commands about deployed functions."""

import os
from collections.abc import Sequence
from pathlib import Path

import click

from buildlib.cli import common

# The exit code of `drift` for functions that differ; 1 is for questions without an answer.
DRIFT = 4


def _targets(function: common.F) -> common.F:
    """Add the options that say which functions in AWS are meant."""
    env = click.option(
        "--env",
        default="",
        metavar="NAME",
        help="The value of {env} in 'name' of lambdas.yaml.  [default: LAMBDA_ZIP_ENV]",
    )
    state = click.option(
        "--terraform-state",
        "state",
        type=click.Path(dir_okay=False, resolve_path=True, path_type=Path),
        metavar="FILE",
        help="Take the functions' names from 'terraform show -json' or 'output -json'.",
    )
    return env(state(function))


def _env(given: str) -> str:
    return given or os.environ.get("LAMBDA_ZIP_ENV", "")


@click.command()
@common.names_argument
@_targets
@click.option("--alias", default="", metavar="NAME", help="Compare the version of this alias.")
@click.option("--since", default="", metavar="REV", help="Look at the commits from REV on.")
@common.json_option
def drift(  # noqa: PLR0913 - click passes each option
    names: Sequence[str], env: str, state: Path | None, alias: str, since: str, *, as_json: bool
) -> int:
    """Compare the code that runs in AWS Lambda with this commit.

    Exits with 0 if all functions are up to date, 4 if some differ, and 1 if some cannot be
    compared.
    """
    from buildlib.aws import account
    from buildlib.cli import output
    from buildlib.commands.live import drift as command

    repository = common.project()
    variants = common.chosen(repository, names)
    options = command.Options(_env(env), alias, since, state)
    found = command.check(repository, account.connect, variants, options)
    code = command.exit_code(found, DRIFT)
    if as_json:
        common.write_json(output.of_drift(found, code))
    else:
        common.write(command.lines(found))
    return code
