"""The command `lambdas`, and the boundary at which errors become messages."""

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import click

from buildlib import __version__, console, errors
from buildlib.errors import BuildError, ManifestError, NotStarted
from buildlib.layout import Layout

# The commands in the order of the help: for each group their names, modules and purposes. A module
# is imported when its command runs, or its help is shown.
GROUPS = {
    "Build": {
        "build": ("graph", "Build every function and layer, or those named"),
        "lock": ("graph", "Update lockfiles, or upgrade the versions that they pin"),
        "watch": ("graph", "Rebuild whenever an input changes"),
        "record": ("graph", "Write lambdas.hashes.json, for plans without a build"),
        "shards": ("shards", "Split a build over several CI jobs"),
        "merge": ("shards", "Join the results of these jobs in dist/"),
        "clean": ("maintain", "Remove build output"),
    },
    "Publish": {
        "publish": ("publish", "Upload ZIPs to an S3 bucket, under their sha256"),
        "promote": ("publish", "Copy published ZIPs to another bucket or account"),
        "attest": ("attest", "Sign a provenance statement for each ZIP"),
        "gc": ("publish", "Remove published ZIPs that nothing uses"),
        "rebuild": ("publish", "Build published ZIPs again from their commit, and compare"),
    },
    "Inspect": {
        "list": ("inspect", "List the declared functions and layers"),
        "why": ("inspect", "Explain why each ZIP will be or was rebuilt"),
        "size": ("inspect", "Show each ZIP's size against Lambda's limits"),
        "report": ("graph", "Write dist/report.html: sizes, dependencies, changes and times"),
        "audit": ("fleet", "List the known vulnerabilities of locked packages"),
        "ready": ("fleet", "Show the obstacles to a newer Python"),
        "diff": ("inspect", "Compare two ZIPs byte for byte"),
        "verify": ("attest", "Rebuild twice under different conditions and compare"),
        "invoke": ("graph", "Run a function as Lambda does"),
        "coldstart": ("coldstart", "Measure cold starts, and show where the time goes"),
    },
    "Deploy": {
        "drift": ("live", "Compare the code that runs in AWS Lambda with this commit"),
        "deploy": ("live", "Update the code of functions in AWS Lambda"),
        "rollback": ("live", "Point an alias to code that ran before"),
    },
    "Set up": {
        "init": ("setup", "Generate lambdas.yaml for an existing repository"),
        "doctor": ("setup", "Check Python, uv, Docker and the caches"),
        "cache": ("maintain", "Show or prune caches"),
        "terraform-module": ("setup", "Copy the Terraform module into your repository"),
        "completion": ("setup", "Print a shell completion script"),
        "manifest": ("reference", "Print the reference of lambdas.yaml"),
        "errors": ("reference", "Explain a kind of error and its remedy"),
        "external": ("reference", "Answer a query of Terraform's data source 'external'"),
    },
}

_EXAMPLES = """\b
Examples:
  lambdas init                     Generate lambdas.yaml
  lambdas build                    Build everything into dist/ (also: lambdas)
  lambdas build api worker         Build two functions
  lambdas why api                  Explain the next or the last rebuild
  lambdas lock --upgrade           Upgrade all pinned versions

'lambdas' looks for lambdas.yaml in the current directory and its parents.
"""


# Commands whose functions have other names.
_ATTRIBUTES = {"list": "list_", "cache": "caches"}


# Options before a command; the others are those of the default command.
_GLOBAL = {"-V", "--version", "-C", "--directory", "-h", "--help"}


class _Commands(click.Group):
    """Commands that are imported one at a time; without a command, `build` runs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command into arguments that have none."""
        rest = args[2:] if args[:1] in (["-C"], ["--directory"]) else args
        is_global = rest and rest[0].partition("=")[0] in _GLOBAL
        is_default = not rest or (rest[0].startswith("-") and not is_global)
        if is_default and not ctx.resilient_parsing:  # a shell that completes words
            args = [*args[: len(args) - len(rest)], "build", *rest]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        """Return the names of the commands."""
        return [name for group in GROUPS.values() for name in group]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command; None for an unknown name."""
        for group in GROUPS.values():
            if cmd_name in group:
                module = import_module(f"buildlib.cli.{group[cmd_name][0]}")
                attribute = _ATTRIBUTES.get(cmd_name, cmd_name.replace("-", "_"))
                found: click.Command = getattr(module, attribute)
                found.name = cmd_name
                return found
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that was typed, and its arguments; suggest one for a typo."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            from buildlib.text import closest

            close = closest(name, self.list_commands(ctx))
            hint = f" Did you mean '{close}'?" if close else ""
            ctx.fail(f"No such command '{name}'.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands in groups."""
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, purpose) for name, (_, purpose) in group.items()])


@click.group(
    cls=_Commands,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", message="doit-lambda-zip %(version)s")
@click.option(
    "-C",
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Run as if started in this directory.",
)
def lambdas(directory: Path | None) -> None:
    """Build reproducible ZIPs for Python Lambda functions, and rebuild only what changed."""
    if directory is not None:
        os.chdir(directory)


def main(  # noqa: PLR0911 - one for each kind of end
    arguments: Sequence[str] | None = None, program: str | None = None
) -> int:
    """Run a command and return its exit code.

    `program` is the name in help texts, by default that under which it was started.
    """
    try:
        result = lambdas.main(
            None if arguments is None else list(arguments), program, standalone_mode=False
        )
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        _say("\n".join(_mistake(error)))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _interrupted()
    except BrokenPipeError:  # `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (BuildError, OSError) as error:
        _say(f"error: {errors.describe(error)}")
        return 3 if isinstance(error, ManifestError) else 1
    except NotStarted as error:
        _say(f"error: {error}")
        return 3  # as doit
    except Exception:  # noqa: BLE001 - the boundary
        from buildlib import defects

        _say(f"error: {defects.describe(traceback.format_exc(), Layout(Path.cwd()).defects)}")
        return 2


def _mistake(error: click.ClickException) -> Iterator[str]:
    """Yield the lines about a mistake on the command line."""
    message = error.format_message()
    yield f"error: {message[:1].lower()}{message[1:]}"
    if context := getattr(error, "ctx", None):
        yield ""
        yield context.get_usage()
        yield f"For more information, try '{context.command_path} --help'."


def _interrupted() -> int:
    import signal

    return 128 + signal.SIGINT


def _say(text: str) -> None:
    console.write(sys.stderr, f"{text}\n")
