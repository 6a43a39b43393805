"""webhook_relay: signed deliveries reach the target unchanged, nothing else does."""

import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest

Event = Callable[..., dict[str, Any]]
Call = Callable[..., dict[str, Any]]

SIGNING_KEY = "correct-horse"
BODY = json.dumps({"action": "opened", "number": 1, "sender": {"login": "octocat"}}).encode()


class Target:
    """The service behind the relay; answers with `statuses` in turn, the last one for ever."""

    def __init__(self) -> None:
        self.statuses = [204]
        self.headers: dict[str, str] = {}
        self.received: list[tuple[str, str, Mapping[str, str], bytes]] = []

    def __call__(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Answer one request."""
        self.received.append((method, target, headers, body))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return status, self.headers, b""


@pytest.fixture
def target(serve: Callable[[Target], str], monkeypatch: pytest.MonkeyPatch) -> Target:
    """Return a target that takes everything, with the environment of the function set to it."""
    service = Target()
    monkeypatch.setenv("TARGET_URL", serve(service) + "/hooks?from=relay")
    monkeypatch.setenv("WEBHOOK_SECRET", SIGNING_KEY)
    for name in ("SIGNATURE_HEADER", "MAX_BODY_BYTES", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    return service


@pytest.fixture
def call(load_lambda: Callable[..., ModuleType], context: object) -> Call:
    """Return a function that invokes the function with an event, in `context` unless told."""
    app = load_lambda("webhook_relay", shared=True)
    return lambda event, within=context: app.handler(event, within)


@pytest.fixture
def delivery(http_event: Event) -> Event:
    """Return a function that makes the event of a GitHub delivery, well signed unless told."""

    def make(
        body: bytes = BODY,
        *,
        secret: str = SIGNING_KEY,
        binary: bool = False,
        **headers: str | None,
    ) -> dict[str, Any]:
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        sent = {
            "content-type": "application/json",
            "user-agent": "GitHub-Hookshot/0f1e2d3",
            "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            "x-github-event": "issues",
            "x-hub-signature-256": f"sha256={signature}",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        return http_event(
            method="POST",
            path="/github",
            headers={name: value for name, value in sent.items() if value is not None},
            body=body,
            binary=binary,
        )

    return make


def answer_of(response: dict[str, Any]) -> tuple[int, Any]:
    """Return the status of a response and its body, decoded."""
    return response["statusCode"], json.loads(response["body"])


def test_delivery_arrives_unchanged(call: Call, target: Target, delivery: Event) -> None:
    """The target gets the very bytes that were signed, so that it can check them once more."""
    event = delivery()

    assert answer_of(call(event)) == (200, {"status": 204, "attempts": 1})

    ((method, path, headers, body),) = target.received
    assert (method, path, body) == ("POST", "/hooks?from=relay", BODY)
    assert headers["x-hub-signature-256"] == event["headers"]["x-hub-signature-256"]
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == "GitHub-Hookshot/0f1e2d3"
    assert headers["x-github-event"] == "issues"
    assert headers["x-relay-request-id"] == event["requestContext"]["requestId"]


def test_binary_body_is_decoded_before_it_is_checked(
    call: Call, target: Target, delivery: Event
) -> None:
    """API Gateway sends bodies that are not text in base64; the signature is of the bytes."""
    event = delivery(bytes(range(256)), binary=True)

    assert call(event)["statusCode"] == 200
    assert target.received[0][3] == bytes(range(256))


def test_credentials_of_the_client_stay_here(call: Call, target: Target, delivery: Event) -> None:
    """Only headers of the delivery go on: no cookie, authorization or forwarding header."""
    call(delivery(authorization="Basic eA==", cookie="a=b"))

    headers = target.received[0][2]
    assert not {"authorization", "cookie", "x-forwarded-for", "x-amzn-trace-id"} & headers.keys()
    assert headers["host"].startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (None, "missing"),
        ("", "missing"),
        ("sha1=0123", "sha256="),
        ("sha256=", "does not match"),
        ("sha256=" + "0" * 64, "does not match"),
        ("sha256=\u00e9\ud800", "does not match"),
    ],
)
def test_unsigned_delivery_is_refused(
    call: Call,
    target: Target,
    delivery: Event,
    signature: str | None,
    message: str,
) -> None:
    """A delivery with a missing, malformed or wrong signature gets 401 and reaches nobody."""
    response = call(delivery(x_hub_signature_256=signature))

    status, answer = answer_of(response)
    assert status == 401
    assert message in answer["error"]
    assert response["headers"]["www-authenticate"]
    assert target.received == []


def test_changed_body_is_refused(call: Call, target: Target, delivery: Event) -> None:
    """One changed character makes the signature wrong."""
    event = delivery()
    event["body"] = event["body"].replace("opened", "closed")

    assert call(event)["statusCode"] == 401
    assert target.received == []


def test_both_secrets_are_valid_during_a_rotation(
    call: Call,
    target: Target,
    delivery: Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With two secrets in the environment, either one signs; a third one does not."""
    monkeypatch.setenv("WEBHOOK_SECRET", "new old")

    statuses = [call(delivery(secret=secret))["statusCode"] for secret in ("new", "old", "other")]

    assert statuses == [200, 200, 401]
    assert len(target.received) == 2


def test_another_signature_header_can_be_set(
    call: Call,
    target: Target,
    delivery: Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Senders name the header differently; whatever its name, the target gets it too."""
    monkeypatch.setenv("SIGNATURE_HEADER", "Webhook-Signature")
    signature = delivery()["headers"]["x-hub-signature-256"]
    event = delivery(x_hub_signature_256=None, webhook_signature=signature)

    assert call(event)["statusCode"] == 200
    assert target.received[0][2]["webhook-signature"] == signature


def test_passing_failure_is_tried_again(call: Call, target: Target, delivery: Event) -> None:
    """A busy target gets the same delivery again, recognizable by its id."""
    target.statuses = [503, 429, 200]

    assert answer_of(call(delivery())) == (200, {"status": 200, "attempts": 3})
    assert len({headers["x-relay-request-id"] for _, _, headers, _ in target.received}) == 1
    assert [body for *_, body in target.received] == [BODY] * 3


def test_lasting_failure_is_reported(call: Call, target: Target, delivery: Event) -> None:
    """After the last attempt the sender is told, and may deliver again."""
    target.statuses = [503]

    status, answer = answer_of(call(delivery()))

    assert (status, answer["error"]) == (502, "the target answered 503")
    assert len(target.received) == 4


@pytest.mark.parametrize("status", [400, 401, 404, 410, 501])
def test_refusal_is_not_tried_again(
    call: Call, target: Target, delivery: Event, status: int
) -> None:
    """What the target refuses once it refuses for ever."""
    target.statuses = [status]

    assert call(delivery())["statusCode"] == 502
    assert len(target.received) == 1


def test_redirect_is_not_followed(
    call: Call,
    target: Target,
    delivery: Event,
    serve: Callable[[Target], str],
) -> None:
    """A target that redirects cannot send the delivery to another host."""
    elsewhere = Target()
    target.statuses = [307]
    target.headers = {"location": serve(elsewhere)}

    assert call(delivery())["statusCode"] == 502
    assert elsewhere.received == []


@pytest.mark.usefixtures("target")
def test_silent_target_does_not_outlast_the_invocation(
    call: Call,
    delivery: Event,
    short_context: object,
    serve: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sender gets its 504 before Lambda would have ended the invocation after 1.5 s."""
    release = threading.Event()

    def silent(*_: object) -> tuple[int, dict[str, str], bytes]:
        release.wait(30)
        return 200, {}, b""

    monkeypatch.setenv("TARGET_URL", serve(silent))
    start = time.monotonic()
    try:
        response = call(delivery(), short_context)
    finally:
        release.set()

    assert answer_of(response)[0] == 504
    assert time.monotonic() - start < 1.5


@pytest.mark.usefixtures("target")
def test_unreachable_target_is_reported(
    call: Call,
    delivery: Event,
    short_context: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A refused connection is 502, not a failed invocation."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening: nobody else can take the port
        monkeypatch.setenv("TARGET_URL", f"http://127.0.0.1:{unused.getsockname()[1]}/")
        status, answer = answer_of(call(delivery(), short_context))

    assert (status, answer["error"]) == (502, "the target cannot be reached")


def test_header_that_cannot_be_sent_is_reported(
    call: Call, target: Target, delivery: Event
) -> None:
    """A header that HTTP does not allow fails the delivery, at once."""
    assert call(delivery(x_github_event="a\nb: c"))["statusCode"] == 502
    assert target.received == []


def test_other_methods_are_refused(call: Call, target: Target, http_event: Event) -> None:
    """Browsers and scanners get 405."""
    response = call(http_event(path="/github"))

    assert (response["statusCode"], response["headers"]["allow"]) == (405, "POST")
    assert target.received == []


def test_large_body_is_refused(
    call: Call,
    target: Target,
    delivery: Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A body above the limit gets 413, one at the limit goes through."""
    monkeypatch.setenv("MAX_BODY_BYTES", "10")

    assert call(delivery(b"x" * 11))["statusCode"] == 413
    assert call(delivery(b"x" * 10))["statusCode"] == 200
    assert len(target.received) == 1


def test_events_of_another_kind_are_refused(call: Call, target: Target, delivery: Event) -> None:
    """Payload format 1.0 and damaged base64 get 400, with a reason."""
    old = {"version": "1.0", "httpMethod": "POST", "path": "/", "headers": {}, "body": "{}"}
    damaged = delivery(binary=True) | {"body": "%%%"}

    assert answer_of(call(old))[0] == 400
    assert "base64" in answer_of(call(damaged))[1]["error"]
    assert target.received == []


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TARGET_URL", ""),
        ("TARGET_URL", "http://example.com/hooks"),
        ("TARGET_URL", "ftp://127.0.0.1/"),
        ("TARGET_URL", "https://[::1/"),
        ("WEBHOOK_SECRET", " "),
        ("MAX_BODY_BYTES", "1 MB"),
        ("MAX_BODY_BYTES", "0"),
    ],
)
def test_bad_setting_fails_the_invocation_by_its_name(
    call: Call,
    delivery: Event,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
) -> None:
    """A missing or impossible setting is an error that names the variable, never a default."""
    monkeypatch.setenv(name, value)

    with pytest.raises(Exception, match=name) as raised:
        call(delivery())

    assert type(raised.value).__name__ == "SettingsError"


def test_every_log_line_is_json_with_the_request_id(
    call: Call,
    target: Target,
    delivery: Event,
    context: Any,  # noqa: ANN401
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Log lines can be found by request, and hold neither the secret nor the delivery."""
    target.statuses = [503, 204]

    call(delivery())

    output = capsys.readouterr().err
    lines = [json.loads(line) for line in output.splitlines()]
    assert {line["request_id"] for line in lines} == {context.aws_request_id}
    assert [line["message"] for line in lines] == [
        "attempt 1 of 4: the target answered 503",
        "delivered",
        "answered",
    ]
    assert lines[1]["attempts"] == 2
    assert (lines[2]["method"], lines[2]["path"], lines[2]["status"]) == ("POST", "/github", 200)
    assert SIGNING_KEY not in output
    assert "octocat" not in output
