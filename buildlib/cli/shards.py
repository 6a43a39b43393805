"""The commands for a build that is split over several jobs."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from buildlib import console
from buildlib.cli import common


def _needs(
    ctx: click.Context,  # noqa: ARG001 - click's interface
    param: click.Parameter,  # noqa: ARG001
    incomplete: str,
) -> list[str]:
    """Return the beginnings of `NEED=LABEL`, for a shell."""
    from buildlib.commands.shards.costs import NEEDS

    return [f"{need}=" for need in NEEDS if need.startswith(incomplete)]


@click.command()
@click.argument("number", type=click.IntRange(1, 256), metavar="N")
@click.option(
    "--format",
    "service",
    type=click.Choice(["github", "gitlab"]),
    default="github",
    show_default=True,
    help="A matrix of GitHub Actions, or jobs of a child pipeline of GitLab CI.",
)
@click.option(
    "--runner",
    "options",
    multiple=True,
    metavar="[NEED=]LABEL",
    shell_complete=_needs,
    help="The runner for wheels, docker-x86_64 or docker-arm64; for all, without NEED.",
)
@common.json_option
def shards(number: int, service: str, options: Sequence[str], *, as_json: bool) -> int:
    """Split the build into N jobs or fewer that take equally long.

    Prints a matrix in one line. A job builds its part with `lambdas build`, and the last one joins
    the results with `lambdas merge`.
    """
    from buildlib.commands.shards import matrix
    from buildlib.project.project import Project

    try:
        runners = matrix.runners(options, service)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--runner'") from None
    # Lockfiles are enough: sources may be missing until another task generates them.
    plan = matrix.plan(Project(common.enter(), generated=True), number, runners)
    if as_json:
        from buildlib.cli import output

        common.write_json(output.of_shards(plan))
    elif service == matrix.GITLAB:
        common.write(matrix.gitlab(plan.shards))
    else:
        console.data(sys.stdout, matrix.github(plan.shards))
    console.write(sys.stderr, "\n".join([*matrix.lines(plan), ""]))
    return 0


@click.command()
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    metavar="FOLDER...",
    type=click.Path(file_okay=False, path_type=Path),
)
def merge(folders: Sequence[Path]) -> int:
    """Publish the ZIPs of shards in dist/.

    FOLDER is the dist/ of a shard. Publishes nothing unless every variant has a ZIP of the inputs
    in this checkout.
    """
    from buildlib.commands.shards import merge as command

    here, repository = Path.cwd(), common.project()
    if here != repository.layout.root:
        folders = [here / folder for folder in folders]
    merged = command.merge(repository, folders)
    plural = "s" if len(folders) > 1 else ""
    unchanged = f", {merged.unchanged} unchanged" if merged.unchanged else ""
    common.write([f"{merged.published} merged from {len(folders)} shard{plural}{unchanged}"])
    return 0
