"""The commands about deployed functions."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from buildlib import console
from buildlib.cli import common, live_names


def _alias(
    ctx: click.Context,  # noqa: ARG001 - click's interface
    param: click.Parameter,  # noqa: ARG001
    name: str,
) -> str:
    """Refuse a name that no alias can have ("CreateAlias" in the API reference of Lambda).

    Raises:
        BadParameter: it is a number, or has other characters.

    """
    if name and (name.isdecimal() or not re.fullmatch("[A-Za-z0-9_-]{1,128}", name)):
        msg = f"expected letters, digits, '-' and '_', and not only digits, found '{name}'"
        raise click.BadParameter(msg)
    return name


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
@click.option(
    "--alias",
    default="",
    metavar="NAME",
    callback=_alias,
    help="Compare the version of this alias.",
)
@click.option("--since", default="", metavar="REV", help="Look at the commits from REV on.")
@common.json_option
@common.question
def drift(  # noqa: PLR0913 - click passes each option
    names: Sequence[str], env: str, state: Path | None, alias: str, since: str, *, as_json: bool
) -> int:
    """Compare the code that runs in AWS Lambda with this commit.

    Exits with 0 if all functions are up to date, 1 if some differ, and 2 if none is known to
    differ and some cannot be compared.
    """
    from buildlib.aws import account
    from buildlib.commands.live import drift as command
    from buildlib.commands.live import kept

    repository = common.project()
    variants = live_names.functions(repository, names)
    options = command.Options(_env(env), alias, since, state)
    found = command.check(repository, account.connect, variants, options)
    if not names:
        kept.keep(repository.layout, options.env, alias, found)
    code = command.exit_code(found)
    if as_json:
        from buildlib.cli import live_output

        common.write_json(live_output.of_drift(found, code))
    else:
        common.write(command.lines(found))
    return code


def _published(function: common.F) -> common.F:
    """Add the option --from to a command."""
    add = click.option(
        "--from",
        "published",
        type=click.Path(dir_okay=False, resolve_path=True, path_type=Path),
        metavar="FILE",
        help="Take the code from the S3 objects in this list of 'lambdas publish', even if the "
        "sources have changed since.",
    )
    return add(function)


def _dry_run(function: common.F) -> common.F:
    """Add the option --dry-run to a command."""
    add = click.option("--dry-run", is_flag=True, help="List the changes; make none.")
    return add(function)


@click.command()
@common.names_argument
@_targets
@click.option(
    "--alias",
    default="",
    metavar="NAME",
    callback=_alias,
    help="Publish a version, and point this alias to it.",
)
@_published
@_dry_run
@common.json_option
def deploy(  # noqa: PLR0913 - click passes each option
    names: Sequence[str],
    env: str,
    state: Path | None,
    alias: str,
    published: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Update the code of functions in AWS Lambda that run another one than their ZIP.

    All functions are checked before the first one is changed. If one fails after that, the others
    are deployed nevertheless, and the exit code is 1.
    """
    from buildlib.aws import account
    from buildlib.commands.live import deploy as command
    from buildlib.commands.live import plans
    from buildlib.commands.live.names import Where

    repository = common.project()
    variants = live_names.functions(repository, names)
    options = plans.Options(Where(_env(env), state), alias, published)
    aws, found = plans.plan(repository, account.connect, variants, options)
    stream = sys.stderr if as_json else sys.stdout

    def tell(one: command.Outcome) -> None:
        console.write(stream, f"{command.line(one)}\n")
        stream.flush()

    sign = 0
    if dry_run:
        outcomes = [command.planned(one) for one in found]
        for one in outcomes:
            tell(one)
    else:
        outcomes, sign = command.run(aws, found, tell)
    code = 128 + sign if sign else command.exit_code(outcomes)
    if as_json:
        from buildlib.cli import live_output

        common.write_json(live_output.of_deploy("deploy", outcomes, code))
    else:
        common.write([command.total(outcomes)])
    return code


@click.command()
@click.argument("name", shell_complete=common.complete)
@_targets
@click.option("--alias", required=True, metavar="NAME", callback=_alias, help="The alias to move.")
@click.option(
    "--to",
    default="",
    metavar="CODE",
    help="A version, the sha256 of a ZIP, or a commit.  [default: the code before]",
)
@_published
@_dry_run
@common.json_option
def rollback(  # noqa: PLR0913 - click passes each option
    name: str,
    env: str,
    state: Path | None,
    *,
    alias: str,
    to: str,
    published: Path | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Point an alias of a function in AWS Lambda to code that ran before.

    Nothing is uploaded if a version of the function has the code.
    """
    from buildlib.aws import account
    from buildlib.commands.live import deploy
    from buildlib.commands.live import rollback as command
    from buildlib.commands.live.names import Where

    repository = common.project()
    live_names.functions(repository, [name])
    variant = common.one(repository, name)
    options = command.Options(Where(_env(env), state), alias, to, published)
    outcome = command.roll_back(repository, account.connect, variant, options, dry_run=dry_run)
    code = deploy.exit_code([outcome])
    if as_json:
        from buildlib.cli import live_output

        common.write_json(live_output.of_deploy("rollback", [outcome], code))
    else:
        common.write([deploy.line(outcome)])
    return code
