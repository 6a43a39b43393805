"""The commands that print references, and the one that Terraform starts."""

import sys
from pathlib import Path

import click

from buildlib import error_kinds
from buildlib.cli import common


@click.command()
@click.argument("kind", required=False)
def errors(kind: str | None) -> int:
    """Explain a kind of error and its remedy; without KIND, all of them."""
    if kind is None:
        common.write(error_kinds.page())
        return 0
    found = error_kinds.KINDS.get(kind)
    if found is None:
        from buildlib.text import closest

        close = closest(kind, error_kinds.KINDS)
        hint = f"did you mean '{close}'?" if close else "run 'lambdas errors' to list all kinds"
        msg = f"no kind of error '{kind}'; {hint}"
        raise click.BadParameter(msg, param_hint="KIND")
    common.write((found.title, "", found.why, found.remedy))
    return 0


@click.command()
def manifest() -> int:
    """Print the reference of lambdas.yaml: each key, its values and its default."""
    from buildlib.manifest import schema

    common.write(schema.page())
    return 0


@click.command()
@click.argument("query", required=False)
def external(query: str | None) -> int:
    """Answer a query of Terraform's data source 'external', from stdin or QUERY."""
    from buildlib.commands import external as command

    text = sys.stdin.read() if query is None else query
    common.write([command.respond(text, Path.cwd())])
    return 0
