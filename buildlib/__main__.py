"""`python -m buildlib`: the commands that are not tasks of doit."""

import argparse
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path

from buildlib import console, error_kinds, errors
from buildlib.errors import ArchiveError, BuildError
from buildlib.layout import Layout

# Commands import their own modules, so that no command pays for another one.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except BrokenPipeError:  # `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (BuildError, OSError) as error:
        console.write(sys.stderr, f"{errors.describe(error)}\n")
        return 1
    except Exception:  # noqa: BLE001 - the boundary
        from buildlib import defects

        folder = Layout(Path.cwd()).defects
        console.write(sys.stderr, f"{defects.describe(traceback.format_exc(), folder)}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m buildlib",
        description="Reproducible AWS Lambda ZIPs. `doit list` shows the tasks that build them.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    text = "explain a kind of error and its remedy; without a kind, all of them"
    command = commands.add_parser("errors", help=text, description=text)
    command.add_argument("kind", nargs="?", choices=error_kinds.KINDS, metavar="KIND")
    command.set_defaults(run=_errors)

    text = "print the reference of lambdas.yaml: each key, its values and its default"
    command = commands.add_parser("manifest", help=text, description=text)
    command.set_defaults(run=_manifest)

    text = "propose lambdas.yaml and dodo.py for the functions found in this folder"
    command = commands.add_parser("init", help=text, description=text)
    command.add_argument("--print", action="store_true", help="show lambdas.yaml, write nothing")
    command.set_defaults(run=_init)

    text = "compare two ZIPs to the last byte; exit with 1 if they differ, 2 if one cannot be read"
    command = commands.add_parser("diff", help=text, description=text)
    command.add_argument("one", type=Path, metavar="A.zip")
    command.add_argument("other", type=Path, metavar="B.zip")
    command.set_defaults(run=_diff)

    text = "answer a query of Terraform's data source 'external', from stdin or the argument"
    command = commands.add_parser("external", help=text, description=text)
    command.add_argument("query", nargs="?", metavar="QUERY")
    command.set_defaults(run=_external)
    return parser


def _write(lines: Iterable[str]) -> int:
    for line in lines:
        console.write(sys.stdout, f"{line}\n")
    return 0


def _errors(options: argparse.Namespace) -> int:
    if options.kind is None:
        return _write(error_kinds.page())
    kind = error_kinds.KINDS[options.kind]
    return _write((kind.title, "", kind.why, kind.remedy))


def _manifest(_: argparse.Namespace) -> int:
    from buildlib.manifest import schema

    return _write(schema.page())


def _init(options: argparse.Namespace) -> int:
    from buildlib.commands.init import command  # YAML and HCL, for one command

    return _write(command.run(Path.cwd(), show=options.print))


def _diff(options: argparse.Namespace) -> int:
    from buildlib.archive import diff

    try:
        lines = diff.report(options.one, options.other)
    except ArchiveError as error:
        console.write(sys.stderr, f"{errors.describe(error)}\n")
        return 2
    _write(lines)
    return int(len(lines) > 1)


def _external(options: argparse.Namespace) -> int:
    from buildlib.commands import external

    query = sys.stdin.read() if options.query is None else options.query
    return _write([external.respond(query, Path.cwd())])


if __name__ == "__main__":
    raise SystemExit(main())
