"""One invocation: the event, where it runs, and what is shown of it."""

import json
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

# Lambda's limit, in seconds.
_LONGEST = 900


class Options(NamedTuple):
    """What the user says: the names of the options are those of the fields.

    `event` is a file, `-` for stdin, or JSON; `timeout` is in seconds; `where` is image, host, or
    auto for the first of them that there is; the others may be empty.
    """

    event: str
    timeout: int
    env_file: str
    where: str
    image: str
    python: str


def invoke(project: Project, variant: Variant, options: Options) -> tuple[Result, list[str]]:
    """Invoke the function in a variant's ZIP, and return what it gave, and where it ran.

    Raises:
        InvokeError: an option cannot be used, or there is nothing here that can run the function.

    """
    if not 1 <= options.timeout <= _LONGEST:
        msg = f"--timeout: expected 1 to {_LONGEST} seconds, found {options.timeout}"
        raise InvokeError(msg)
    own = variables.read(options.env_file) if options.env_file else {}
    task = {
        "event": _event(options.event),
        "timeout": options.timeout,
        "variables": variables.lambda_variables(variant, options.timeout, in_container.TASK, own),
    }
    path, layout = project.layout.zip(variant.id), project.layout
    said = []
    if options.where != "host" and not (options.python and options.where == "auto"):
        image = options.image or RUNTIMES[variant.python].image
        try:
            lines = in_container.invoke(variant, path, image, task, layout)
        except in_container.Absent as error:
            if options.where == "image" or options.image:
                raise
            said.append(f"not in the image: {error}")
        else:
            return result.read(lines), [f"in the image {image}"]
    try:
        ran = on_host.invoke(variant, path, options.python or None, task, layout)
    except InvokeError as error:
        raise InvokeError("\n".join([str(error), *said])) from error
    return result.read(ran.lines), [f"on this machine, by {ran.python}", *filter(None, [ran.note])]


def shown(variant: Variant, found: Result, where: list[str]) -> Iterator[str]:
    """Yield what is shown of an invocation, a line each, other than its response."""
    yield f"{variant.id}: {'; '.join(where)}"
    yield from (f"  | {line}" for line in found.logs)
    times = [
        f"{name} {value:.1f} ms"
        for name, value in (("init", found.init_ms), ("invoke", found.invoke_ms))
        if value is not None
    ]
    if times:
        yield f"  {', '.join(times)}"


def _event(text: str) -> str:
    """Return the event's JSON text.

    Raises:
        InvokeError: it cannot be read, or is not JSON.

    """
    content, origin = text, "--event"
    if text == "-":
        content, origin = sys.stdin.read(), "the event on stdin"
    elif Path(text).is_file():
        try:
            content, origin = Path(text).read_text(encoding="utf-8"), text
        except (OSError, UnicodeDecodeError) as error:
            msg = f"--event {text}: cannot be read ({error})"
            raise InvokeError(msg) from None
    try:
        json.loads(content)
    except ValueError as error:
        hint = "" if origin != "--event" else "; name a file, '-' for stdin, or write the JSON here"
        msg = f"{origin}: not JSON: {error}{hint}"
        raise InvokeError(msg) from None
    return content
