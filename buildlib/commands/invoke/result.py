"""The result of an invocation, parsed from the emulator's answer and log."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from buildlib.errors import InvokeError

# The emulator writes these lines to the function's own stream.
_REQUEST = re.compile(r"(START|END|REPORT) RequestId: (?P<id>[0-9a-f-]{36})\b")


_INIT = re.compile(r"INIT REPORT\(durationMs: (?P<ms>[\d.]+)\)")


_INVOKE = re.compile(r"INVOKE RTDONE\(.*duration: (?P<ms>[\d.]+)ms\)")


# How the process of the function ended: an exit status or a signal.
_EXITED = re.compile(r"Process \S+ exited: (?P<how>.+)")


_OK = 200


@dataclass(frozen=True, slots=True)
class Result:
    """The response as the caller gets it, the function's log lines, and durations in ms.

    `error` is the failure of the function in one line; None if it succeeded.
    """

    response: str
    error: str | None
    logs: tuple[str, ...]
    init_ms: float | None
    invoke_ms: float | None


def read(lines: Iterable[str]) -> Result:
    """Parse the output of `driver.py`, one JSON object per line.

    Raises:
        InvokeError: there was no answer. The message ends with the emulator's output.

    """
    logs: list[str] = []
    platform: list[str] = []
    answer: dict[str, Any] = {"problem": "the emulator exited without an answer"}
    request_ids: set[str] = set()
    for event in map(_event, lines):
        if "log" in event:
            match = _REQUEST.match(event["log"])
            if match:
                request_ids.add(match["id"])
            else:
                # The runtime client writes a traceback with \r and no-break spaces.
                logs += event["log"].replace("\r", "\n").replace("\xa0", " ").split("\n")
        elif "platform" in event:
            platform.append(event["platform"])
        else:
            answer = event
    if "problem" in answer:
        output = "\n".join(f"  | {line}" for line in [*platform, *logs][-15:])
        msg = f"failed to invoke the function: {answer['problem']}\n{output}".rstrip()
        raise InvokeError(msg)
    platform_log = "\n".join(platform)
    return Result(
        response=answer["body"],
        error=_error(answer["status"], answer["body"], request_ids, platform_log),
        logs=tuple(logs),
        init_ms=_milliseconds(_INIT, platform_log),
        invoke_ms=_milliseconds(_INVOKE, platform_log),
    )


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    return event if isinstance(event, dict) else {"platform": line}


def _milliseconds(pattern: re.Pattern[str], log: str) -> float | None:
    match = pattern.search(log)
    return float(match["ms"]) if match else None


def _error(status: int, body: str, request_ids: set[str], platform_log: str) -> str | None:
    """Return the failure of a function in one line; None if it succeeded.

    The emulator answers a failure with status 200 too, and without a header. Only the runtime
    client adds the request's id to an error object, which distinguishes a failure from a returned
    object of the same shape.
    """
    try:
        value = json.loads(body) if body else None
    except ValueError:
        return body.strip()  # the emulator's own text, for example after a timeout
    if isinstance(value, dict) and "errorType" in value and "errorMessage" in value:
        from_client = {"requestId", "stackTrace"} & value.keys()
        if status != _OK or (from_client and value.get("requestId") in {*request_ids, ""}):
            return f"{value['errorType']}: {value['errorMessage']}".strip(": ")
    if status == _OK:
        return None
    exited = _EXITED.search(platform_log)
    if exited:
        return f"its process ended: {exited['how']}"
    return f"the emulator answered with status {status}"
