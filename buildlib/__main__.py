"""`python -m buildlib`: what is no task."""

import argparse
import sys
from collections.abc import Sequence

from buildlib import errors


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
    options = parser.parse_args(arguments)
    lines = list(errors.page())
    if options.kind:
        kind = errors.KINDS[options.kind]
        lines = [kind.title, "", kind.why, kind.remedy]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
