"""For all commands: the repository, its variants by name, and output."""

import functools
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from buildlib import console, errors
from buildlib.errors import BuildError, ManifestError, NotStarted
from buildlib.layout import find_root
from buildlib.manifest import variants
from buildlib.model import Variant
from buildlib.project.project import Project

# The exit codes of a question: the answer is no success, and there is none.
FOUND, NO_ANSWER = 1, 2

F = TypeVar("F", bound=Callable[..., Any])


def enter() -> Path:
    """Go to the root of the repository, where lambdas.yaml is, and return it.

    Raises:
        ManifestError: neither this directory nor one above it has the file.

    """
    here = Path.cwd()
    root = find_root(here)
    if root is None:
        from buildlib.manifest import reader

        raise reader.missing(here)
    os.chdir(root)
    return root


def from_here(path: str) -> str:
    """Return a path that is there for the directory of the user, which is left afterwards."""
    return os.path.abspath(path) if path and os.path.exists(path) else path


def project() -> Project:
    """Return the repository that this directory is in."""
    return Project(enter())


def chosen(repository: Project, names: Sequence[str]) -> list[Variant]:
    """Return the variants with these names, or of functions with these names; all without names.

    Raises:
        NotStarted: the manifest declares no such name.

    """
    known = variants.names(repository.variants.values())
    if unknown := [name for name in dict.fromkeys(names) if name not in known]:
        from buildlib.plugin import selection  # with doit

        raise NotStarted("\n".join(selection.undeclared(name, known) for name in unknown))
    return variants.named(repository.variants.values(), names)


def one(repository: Project, name: str) -> Variant:
    """Return the one variant of a name.

    Raises:
        NotStarted: the manifest declares no such name, or several variants have it.

    """
    found = chosen(repository, [name])
    if len(found) > 1:
        ids = ", ".join(variant.id for variant in found)
        msg = f"'{name}' has {len(found)} variants; name one of {ids}"
        raise NotStarted(msg)
    return found[0]


def complete(
    ctx: click.Context,  # noqa: ARG001 - click's interface
    param: click.Parameter,  # noqa: ARG001
    incomplete: str,
) -> list[str]:
    """Return the names of functions and variants that begin like a word, for a shell."""
    try:
        known = variants.names(project().variants.values())
    except (BuildError, OSError):
        return []
    return [name for name in known if name.startswith(incomplete)]


def question(function: F) -> F:
    """Let a command that asks a question exit with 2 if an error leaves it without an answer.

    1 is for an answer that is no success. A manifest that is wrong still gives 3.
    """

    @functools.wraps(function)
    def asked(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - of the command
        try:
            return function(*arguments, **options)
        except (ManifestError, BrokenPipeError):
            raise
        except (BuildError, OSError) as error:
            console.write(sys.stderr, f"error: {errors.describe(error)}\n")
            return NO_ANSWER

    return cast("F", asked)


def names_argument(function: F) -> F:
    """Add the argument NAME... to a command."""
    add = click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete)
    return add(function)


def json_option(function: F) -> F:
    """Add the option --json to a command; an error is then JSON, too, besides its message."""

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - of the command
        try:
            return function(*arguments, **options)
        except BrokenPipeError:
            raise
        except (BuildError, OSError, NotStarted) as error:
            if options["as_json"]:
                said = str(error) if isinstance(error, NotStarted) else errors.describe(error)
                write_error(click.get_current_context().info_name or "", said)
            raise

    add = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    return cast("F", add(run))


def profile_option(function: F) -> F:
    """Add the option --profile to a command."""
    add = click.option(
        "--profile", default="", metavar="NAME", help="A profile of AWS's configuration."
    )
    return add(function)


def write(lines: Iterable[str]) -> None:
    """Write lines to stdout."""
    for line in lines:
        console.write(sys.stdout, f"{line}\n")


def write_error(command: str, said: str) -> None:
    """Write an error as JSON to stdout."""
    write_json({"version": 1, "command": command, "error": said})


def write_json(value: object) -> None:
    """Write a value to stdout as JSON."""
    console.data(sys.stdout, json.dumps(value, indent=2))
