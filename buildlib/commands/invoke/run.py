"""Run one invocation: read the event, choose the image or the host, and format the result."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from buildlib.commands.invoke import in_container, on_host, result, variables
from buildlib.commands.invoke.result import Result
from buildlib.errors import InvokeError
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.runtimes import RUNTIMES

# Lambda's limit, in seconds ("Lambda quotas": 30 minutes).
_LONGEST = 1800


# How a value of JSON that is worth writing on a command line begins.
_JSON = ("{", "[", '"')


class Options(NamedTuple):
    """The command's options, by their names.

    `event` is a file, `-` for stdin, or JSON; `timeout` is in seconds; `where` is image, host, or
    auto (the image if available, else the host); the others may be empty.
    """

    event: str
    timeout: int
    env_file: str
    where: str
    image: str
    python: str


def invoke(project: Project, variant: Variant, options: Options) -> tuple[Result, list[str]]:
    """Invoke the function in a variant's ZIP; return the result, and notes about where it ran.

    Raises:
        InvokeError: an option is invalid, or neither an image nor this machine can run the
            function.

    """
    if not 1 <= options.timeout <= _LONGEST:
        msg = f"--timeout: expected 1 to {_LONGEST} seconds, found {options.timeout}"
        raise InvokeError(msg)
    if options.image and options.where == "host":
        msg = "--image does not go together with --where host; leave one of them out"
        raise InvokeError(msg)
    own = variables.read_env_file(options.env_file) if options.env_file else {}
    task = {
        "event": _event(options.event),
        "timeout": options.timeout,
        "variables": variables.lambda_variables(variant, options.timeout, in_container.TASK, own),
    }
    path, layout = project.layout.zip(variant.id), project.layout
    layers = [layout.zip(layer.id) for layer in project.layer_variants(variant)]
    image_errors = []
    if options.where != "host" and not (options.python and options.where == "auto"):
        image = options.image or RUNTIMES[variant.python].image
        try:
            lines = in_container.invoke(variant, [path, *layers], image, task, layout)
        except in_container.Absent as error:
            if options.where == "image" or options.image:
                raise
            image_errors.append(f"not in the image: {error}")
        else:
            return result.read(lines), [f"in the image {image}"]
    try:
        ran = on_host.invoke(variant, [path, *layers], options.python or None, task, layout)
    except InvokeError as error:
        raise InvokeError("\n".join([str(error), *image_errors])) from error
    return result.read(ran.lines), [f"on this machine, by {ran.python}", *ran.notes]


def shown(project: Project, variant: Variant, found: Result, where: list[str]) -> Iterator[str]:
    """Yield the lines to print about an invocation, except its response."""
    yield f"{variant.id}: {'; '.join(where)}"
    yield from (f"  | {line}" for line in found.logs)
    times = [
        f"{name} {value:.1f} ms"
        for name, value in (("init", found.init_ms), ("invoke", found.invoke_ms))
        if value is not None
    ]
    if times:
        yield f"  {', '.join(times)}"
    if found.init_ms is not None:
        yield from _saving(project, variant)


def _saving(project: Project, variant: Variant) -> Iterator[str]:
    """Yield the time that bytecode saves in this ZIP, or the command that measures it."""
    from buildlib.commands.coldstart import kept, origins, shown  # after the invocation

    every = kept.read(project.layout, variant.id)
    one = kept.compared(kept.of_zips(every, kept.zips(project, variant)))
    if one and one.saving:
        yield f"  {shown.saving(one.saving)}; measured on {one.when}"
    elif origins.without_bytecode(project, variant):
        yield f"  'lambdas coldstart {variant.id} --compare bytecode' measures the gain of bytecode"


def _event(option: str) -> str:
    """Return the JSON text of the event.

    Raises:
        InvokeError: the event cannot be read, or is not JSON.

    """
    content, origin = option, "--event"
    if option == "-":
        content, origin = sys.stdin.read(), "the event on stdin"
    elif os.path.isfile(option):  # also of a text that is too long for a path
        try:
            content, origin = Path(option).read_text(encoding="utf-8"), option
        except (OSError, UnicodeDecodeError) as error:
            msg = f"--event {option}: cannot be read ({error})"
            raise InvokeError(msg) from None
    try:
        json.loads(content)
    except ValueError as error:
        msg = f"{origin}: not JSON: {error}"
        if origin == "--event" and not option.lstrip().startswith(_JSON):
            msg = f"event file '{option}' not found (and it is not valid JSON either)"
        raise InvokeError(msg) from None
    return content
