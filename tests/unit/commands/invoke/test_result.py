"""What the emulator says becomes an outcome: responses, failures, logs, durations."""

import json
from collections.abc import Mapping

import pytest

from buildlib.commands.invoke import result
from buildlib.errors import InvokeError

ID = "8bfb85a1-d492-41be-90c5-27a2df32a7c5"
STARTED = {"log": f"START RequestId: {ID} Version: $LATEST"}


def read(*records: Mapping[str, object]) -> result.Result:
    """Return the outcome of what the driver reports."""
    return result.read(map(json.dumps, records))


def error(**values: object) -> dict[str, object]:
    """Return an answer that is an error object."""
    body = {"errorType": "ValueError", "errorMessage": "no", "stackTrace": [], **values}
    return {"status": 200, "body": json.dumps(body)}


def test_response_logs_and_durations() -> None:
    """The emulator's own lines are not the function's; both durations are in its log."""
    found = read(
        STARTED,
        {"log": "hello"},
        {"platform": "24 Nov 2026 (rapid) INIT REPORT(durationMs: 122.802000)"},
        {"platform": "(rapid) INVOKE RTDONE(status: success, bytes: 0, duration: 0.945000ms)"},
        {"log": f"END RequestId: {ID}"},
        {"log": f"REPORT RequestId: {ID}\tInit Duration: 0.32 ms"},
        {"status": 200, "body": "null"},
    )
    assert found == result.Result("null", None, ("hello",), 122.802, 0.945)


def test_an_error_is_told_by_the_id_of_its_request() -> None:
    """An object that a function returned is no error, whatever is in it."""
    assert read(STARTED, error(requestId=ID)).error == "ValueError: no"
    assert read(STARTED, error(requestId="")).error == "ValueError: no"  # at initialisation
    assert read(STARTED, error(requestId="mine")).error is None
    assert read(STARTED, {"status": 200, "body": '{"errorType": "a"}'}).error is None


def test_failures_of_the_platform() -> None:
    """Timeouts come as text, ended processes with another status."""
    timeout = {"status": 200, "body": "Task timed out after 2.00 seconds"}
    assert read(STARTED, timeout).error == "Task timed out after 2.00 seconds"
    ended = {"status": 502, "body": '{"errorType":"Runtime.ExitError","errorMessage":"exit 3"}'}
    assert read(STARTED, ended).error == "Runtime.ExitError: exit 3"
    assert read(STARTED, {"status": 500, "body": "{}"}).error is not None
    exited = {"platform": "24 Nov 2026 [WARNING] (rapid) Process runtime-1 exited: exit status 3"}
    found = read(STARTED, exited, {"status": 502, "body": ""})
    assert found.error == "its process ended: exit status 3"


def test_without_an_answer() -> None:
    """What the emulator said is in the message, also if it was no JSON."""
    with pytest.raises(InvokeError, match=r"gave no answer\n  [|] bad news"):
        read({"platform": "bad news"}, {"problem": "gave no answer"})
    with pytest.raises(InvokeError, match=r"exited without an answer\n  [|] Killed"):
        result.read(["Killed"])


def test_tracebacks_are_lines() -> None:
    """The runtime client joins the lines of a traceback by carriage returns."""
    found = read({"log": "[ERROR] x\rTraceback\r\xa0\xa0File"}, {"status": 200, "body": "1"})
    assert found.logs == ("[ERROR] x", "Traceback", "  File")
