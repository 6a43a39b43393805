"""What an invocation gave, read from the emulator's answer and its log."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from buildlib.errors import InvokeError

# A line of the emulator's, on the stream on which the function writes.
_REQUEST = re.compile(r"(START|END|REPORT) RequestId: (?P<id>[0-9a-f-]{36})\b")


_INIT = re.compile(r"INIT REPORT\(durationMs: (?P<ms>[\d.]+)\)")


_INVOKE = re.compile(r"INVOKE RTDONE\(.*duration: (?P<ms>[\d.]+)ms\)")


_OK = 200


@dataclass(frozen=True, slots=True)
class Result:
    """The answer as the caller gets it, what the function wrote, and durations in ms.

    `error` says in a line how the function failed; None if it did not.
    """

    response: str
    error: str | None
    logs: tuple[str, ...]
    init_ms: float | None
    invoke_ms: float | None


def read(lines: Iterable[str]) -> Result:
    """Return what `driver.py` reports, a JSON object a line.

    Raises:
        InvokeError: there was no answer; with what the emulator said.

    """
    logs: list[str] = []
    platform: list[str] = []
    answer: dict[str, Any] = {"problem": "it ended without an answer"}
    requests: set[str] = set()
    for record in map(_record, lines):
        if "log" in record:
            match = _REQUEST.match(record["log"])
            if match:
                requests.add(match["id"])
            else:
                # The runtime client writes a traceback with \r and no-break spaces.
                logs += record["log"].replace("\r", "\n").replace("\xa0", " ").split("\n")
        elif "platform" in record:
            platform.append(record["platform"])
        else:
            answer = record
    if "problem" in answer:
        said = "\n".join(f"  | {line}" for line in [*platform, *logs][-15:])
        msg = f"the function could not be invoked: {answer['problem']}\n{said}".rstrip()
        raise InvokeError(msg)
    text = "\n".join(platform)
    return Result(
        response=answer["body"],
        error=_error(answer["status"], answer["body"], requests),
        logs=tuple(logs),
        init_ms=_milliseconds(_INIT, text),
        invoke_ms=_milliseconds(_INVOKE, text),
    )


def _record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    return record if isinstance(record, dict) else {"platform": line}


def _milliseconds(pattern: re.Pattern[str], text: str) -> float | None:
    match = pattern.search(text)
    return float(match["ms"]) if match else None


def _error(status: int, body: str, requests: set[str]) -> str | None:
    """Return how a function failed.

    The emulator answers 200 also then, and has no header for it. An error object is told from a
    returned one by the id of the request, which only the runtime client puts there.
    """
    try:
        value = json.loads(body) if body else None
    except ValueError:
        return body.strip()  # the emulator's own text, as after a timeout
    if isinstance(value, dict) and "errorType" in value and "errorMessage" in value:
        ours = {"requestId", "stackTrace"} & value.keys()
        if status != _OK or (ours and value.get("requestId") in {*requests, ""}):
            return f"{value['errorType']}: {value['errorMessage']}".strip(": ")
    return None if status == _OK else f"the emulator answered with status {status}"
