"""`python -m buildlib`: what is no task."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from buildlib import errors
from buildlib.errors import BuildError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m buildlib",
        description="Reproducible AWS Lambda ZIPs. What is built, `doit list` shows.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    help_ = "say what a kind of error means and what to do; without a kind, all of them"
    explained = commands.add_parser("errors", help=help_, description=help_)
    explained.add_argument("kind", nargs="?", choices=errors.KINDS, metavar="KIND")
    help_ = "say what lambdas.yaml may have: each key, its values and its default"
    commands.add_parser("manifest", help=help_, description=help_)
    help_ = "propose lambdas.yaml and dodo.py for the functions that this folder seems to have"
    init = commands.add_parser("init", help=help_, description=help_)
    init.add_argument("--print", action="store_true", help="show lambdas.yaml, write nothing")
    options = parser.parse_args(arguments)
    try:
        for line in _lines(options):
            sys.stdout.write(f"{line}\n")
    except BrokenPipeError:  # `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except BuildError as error:
        sys.stderr.write(f"{errors.told(str(error), error.kind)}\n")
        return 1
    except OSError as error:
        from buildlib import files  # noqa: PLC0415 - for what seldom happens

        sys.stderr.write(f"{errors.told(files.explain(error), errors.SYSTEM)}\n")
        return 1
    return 0


def _lines(options: argparse.Namespace) -> Iterator[str]:
    if options.command == "errors":
        return _errors(options.kind)
    if options.command == "manifest":
        from buildlib import schema  # noqa: PLC0415 - YAML, for one command

        return schema.page()
    return _init(show=options.print)


def _errors(name: str | None) -> Iterator[str]:
    if name is None:
        yield from errors.page()
    else:
        kind = errors.KINDS[name]
        yield from (kind.title, "", kind.why, kind.remedy)


def _init(*, show: bool) -> Iterator[str]:
    from buildlib.start import command  # noqa: PLC0415 - YAML and HCL, for one command

    return command.run(Path.cwd(), show=show)


if __name__ == "__main__":
    raise SystemExit(main())
