"""The commands about deployed functions."""

import functools
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from buildlib import console
from buildlib.cli import common, live_names

if TYPE_CHECKING:
    from buildlib.commands.live.names import Where
    from buildlib.model import Variant


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
    return env(state(common.profile_option(function)))


def _where(variants: Sequence["Variant"], env: str, state: Path | None) -> "Where":
    """Return the functions in AWS that the options mean; wrong names are refused.

    Raises:
        BuildError: Lambda takes no such name.

    """
    from buildlib.commands.live import spelling
    from buildlib.commands.live.names import Where

    found = Where(env or os.environ.get("LAMBDA_ZIP_ENV", ""), state)
    spelling.check(variants, found)
    return found


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
@common.question
@common.json_option
def drift(  # noqa: PLR0913 - click passes each option
    names: Sequence[str],
    env: str,
    state: Path | None,
    *,
    profile: str,
    alias: str,
    since: str,
    as_json: bool,
) -> int:
    """Compare the code that runs in AWS Lambda with this commit.

    Exits with 0 if all functions are up to date, 1 if some differ, and 2 if none is known to
    differ and some cannot be compared.
    """
    from buildlib.aws import account
    from buildlib.commands.live import drift as command
    from buildlib.commands.live import kept

    connect = functools.partial(account.connect, profile)
    repository = common.project()
    variants = live_names.functions(repository, names)
    options = command.Options(_where(variants, env, state).env, alias, since, state)
    found = command.check(repository, connect, variants, options)
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
    profile: str,
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

    connect = functools.partial(account.connect, profile)
    repository = common.project()
    variants = live_names.functions(repository, names)
    options = plans.Options(_where(variants, env, state), alias, published, is_named=bool(names))
    aws, found = plans.plan(repository, connect, variants, options)
    for warning in plans.warnings(repository, found):
        console.write(sys.stderr, f"warning: {warning}\n")
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
    profile: str,
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

    connect = functools.partial(account.connect, profile)
    repository = common.project()
    live_names.functions(repository, [name])
    variant = common.one(repository, name)
    options = command.Options(_where([variant], env, state), alias, to, published)
    outcome = command.roll_back(repository, connect, variant, options, dry_run=dry_run)
    code = deploy.exit_code([outcome])
    if as_json:
        from buildlib.cli import live_output

        common.write_json(live_output.of_deploy("rollback", [outcome], code))
    else:
        common.write([deploy.line(outcome)])
    return code
