"""The commands that remove files."""

from collections.abc import Sequence

import click

from buildlib import text
from buildlib.cli import common


@click.command()
@common.names_argument
def clean(names: Sequence[str]) -> int:
    """Remove the build output of everything, or of the functions named; lockfiles stay."""
    from buildlib.commands import clean as command

    repository = common.project()
    removed = command.clean(repository, common.chosen(repository, names), everything=not names)
    common.write(removed)
    return 0


@click.group()
def caches() -> None:
    """Show or prune build/, and the cache that all checkouts share."""


@caches.command(name="dir")
def folder() -> int:
    """Show the folder of the cache that all checkouts share."""
    common.write([str(common.project().cache.folder)])
    return 0


@caches.command()
def size() -> int:
    """Show how much room each part takes."""
    from buildlib.commands import caches as command

    titles = ("what", "where", "size", "contents")
    rows = [
        (one.name, one.place, text.amount(one.size), one.purpose)
        for one in command.measure(common.project())
    ]
    common.write(text.table([titles, *rows], numbers=False))
    return 0


@caches.command(short_help="Remove old environments and ZIPs")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Remove everything in the caches.",
)
def prune(*, everything: bool) -> int:
    """Remove old environments, and shrink the cache to its limit."""
    from buildlib.commands import caches as command

    freed = command.prune(common.project(), everything=everything)
    common.write([f"Freed {text.amount(freed)}"])
    return 0
