"""log_redactor: secrets leave the logs, everything else stays, whatever the form of the record."""

import base64
import gzip
import json
import time
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Load = Callable[..., ModuleType]

# Put together at run time, so that no scanner of secrets takes this file for a leak.
AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB_TOKEN = "ghp_" + "0123456789abcdefghijklmnopqrstuvwxyz"
JWT = ".".join(("eyJ" + "hbGciOiJIUzI1NiJ9", "eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0", "c2lnbmF0dXJlLXg"))
PRIVATE_KEY = "\n".join(
    ("-----BEGIN RSA " + "PRIVATE KEY-----", "MIIEpAIBAAKCAQEA", "-----END RSA PRIVATE KEY-----")
)
CARD = "4111 1111 1111 1111"


@pytest.fixture
def app(load_lambda: Load) -> ModuleType:
    """Return the function, loaded without shared code."""
    return load_lambda("log_redactor")


@pytest.fixture
def redact(load_lambda: Load) -> Callable[[str], str]:
    """Return redaction.redact without its counter."""
    module = load_lambda("log_redactor", "redaction")
    return lambda message: module.redact(message, Counter())


def record(data: bytes, number: int = 0) -> dict[str, Any]:
    """Return one record as Firehose sends it."""
    return {
        "recordId": f"4954698607213552559753406861{number:04d}",
        "approximateArrivalTimestamp": 1738325594000 + number,
        "data": base64.b64encode(data).decode(),
    }


def firehose_event(*records: dict[str, Any]) -> dict[str, Any]:
    """Return the event of one batch."""
    stream = "arn:aws:firehose:eu-central-1:123456789012:deliverystream/logs"
    return {
        "invocationId": "3c1d2e3f-0a1b-4c2d-8e3f-4a5b6c7d8e9f",
        "sourceKinesisStreamArn": None,
        "deliveryStreamArn": stream,
        "region": "eu-central-1",
        "records": list(records),
    }


def cloudwatch(*messages: str, kind: str = "DATA_MESSAGE") -> bytes:
    """Return what a CloudWatch Logs subscription puts into one record."""
    batch = {
        "messageType": kind,
        "owner": "123456789012",
        "logGroup": "/aws/lambda/orders",
        "logStream": "2025/01/31/[$LATEST]0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "subscriptionFilters": ["to-firehose"],
        "logEvents": [
            {"id": f"3619464843013822440{i:04d}", "timestamp": 1738325594000 + i, "message": text}
            for i, text in enumerate(messages)
        ],
    }
    return gzip.compress(json.dumps(batch).encode())


def payload(transformed: dict[str, Any]) -> bytes:
    """Return the data of a record in an answer."""
    return base64.b64decode(transformed["data"])


def test_cloudwatch_batch_is_redacted_in_its_own_form(app: ModuleType, context: object) -> None:
    """A batch of CloudWatch Logs comes back as one, with every field but the secrets unchanged."""
    data = cloudwatch("start", f"login of octocat@example.com with {GITHUB_TOKEN}")

    answer = app.handler(firehose_event(record(data)), context)

    (result,) = answer["records"]
    assert result["result"] == "Ok"
    assert result["recordId"] == record(data)["recordId"]
    expected = json.loads(gzip.decompress(data))
    expected["logEvents"][1]["message"] = "login of [REDACTED:email] with [REDACTED:github_token]"
    text = gzip.decompress(payload(result)).decode()
    assert json.loads(text) == expected
    assert text.endswith("}\n")


def test_records_delivered_end_to_end_stay_readable(app: ModuleType, context: object) -> None:
    """The objects that Firehose writes one after the other are one gzip file of JSON lines."""
    event = firehose_event(record(cloudwatch("one"), 1), record(cloudwatch("two"), 2))

    answer = app.handler(event, context)

    file = b"".join(payload(result) for result in answer["records"])
    batches = [json.loads(line) for line in gzip.decompress(file).splitlines()]
    assert [batch["logEvents"][0]["message"] for batch in batches] == ["one", "two"]


def test_same_record_gives_the_same_bytes(app: ModuleType, context: object) -> None:
    """A retry of Firehose writes the same object again: the gzip header holds no time."""
    event = firehose_event(record(cloudwatch("a message")))

    (result,) = app.handler(event, context)["records"]

    assert payload(result)[4:8] == bytes(4)  # MTIME, RFC 1952 section 2.3


def test_control_messages_are_dropped(app: ModuleType, context: object) -> None:
    """The messages with which CloudWatch Logs tests a subscription do not reach the bucket."""
    data = cloudwatch("CWL CONTROL MESSAGE: Checking health", kind="CONTROL_MESSAGE")

    answer = app.handler(firehose_event(record(data)), context)

    assert answer["records"] == [{"recordId": record(data)["recordId"], "result": "Dropped"}]


def test_plain_records_keep_their_lines(app: ModuleType, context: object) -> None:
    """Records of text and of JSON lines are redacted too; ends of lines stay as they are."""
    text = f"key {PRIVATE_KEY} loaded\r\nby 10.0.0.1\n"
    lines = '{"user":"hubot","password":"a b"}\n{"n": 1}\nnot json token=abc\n'

    answer = app.handler(firehose_event(record(text.encode()), record(lines.encode())), context)

    assert [payload(result).decode() for result in answer["records"]] == [
        "key [REDACTED:private_key] loaded\r\nby 10.0.0.1\n",
        (
            '{"user":"hubot","password":"[REDACTED:secret]"}\n{"n": 1}\n'
            "not json token=[REDACTED:secret]\n"
        ),
    ]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x1f\x8bnot gzip", id="damaged gzip"),
        pytest.param(gzip.compress(b"{}"), id="not of CloudWatch Logs"),
        pytest.param(gzip.compress(b"[1]"), id="a list"),
        pytest.param(gzip.compress(b"text"), id="not JSON"),
        pytest.param(cloudwatch("cut off")[:-12], id="cut off"),
        pytest.param(b"caf\xe9", id="not UTF-8"),
    ],
)
def test_unreadable_record_fails_alone(app: ModuleType, context: object, data: bytes) -> None:
    """A record that cannot be read is failed as it came; the others of its batch are Ok."""
    event = firehose_event(record(data, 1), record(b"fine", 2))

    bad, good = app.handler(event, context)["records"]

    assert bad == {
        "recordId": record(data, 1)["recordId"],
        "result": "ProcessingFailed",
        "data": record(data, 1)["data"],
    }
    assert good["result"] == "Ok"


def test_record_that_is_not_base64_fails(app: ModuleType, context: object) -> None:
    """Data that is not base64 is failed and handed back unchanged."""
    broken = record(b"") | {"data": "%%%"}

    (result,) = app.handler(firehose_event(broken), context)["records"]

    assert (result["result"], result["data"]) == ("ProcessingFailed", "%%%")


def test_other_events_are_an_error(app: ModuleType, context: object) -> None:
    """An event that is not of Firehose fails loudly: nothing would be transformed."""
    with pytest.raises(TypeError, match="Firehose"):
        app.handler({"Records": []}, context)


def test_log_counts_kinds_and_never_quotes(
    app: ModuleType, context: object, caplog: pytest.LogCaptureFixture
) -> None:
    """The function's own log says how much was redacted, and holds none of it."""
    event = firehose_event(record(f"{AWS_KEY} {AWS_KEY}".encode()), record(b"\x1f\x8b" + b"secret"))

    with caplog.at_level("INFO", logger="log_redactor"):
        app.handler(event, context)

    assert "{'aws_access_key': 2}" in caplog.text
    assert AWS_KEY not in caplog.text


@pytest.mark.parametrize(
    ("message", "clean"),
    [
        (f"id {AWS_KEY}, done", "id [REDACTED:aws_access_key], done"),
        (f"got {JWT}", "got [REDACTED:jwt]"),
        (PRIVATE_KEY, "[REDACTED:private_key]"),
        (PRIVATE_KEY[:40], "[REDACTED:private_key]"),
        ("Authorization: Bearer abc.def-1", "Authorization: Bearer [REDACTED:authorization]"),
        ("-H 'authorization: xyz' -v", "-H 'authorization: [REDACTED:authorization]' -v"),
        ("Set-Cookie: sid=1; Path=/\nnext", "Set-Cookie: [REDACTED:cookie]\nnext"),
        ("db_password=hunter2&x=1", "db_password=[REDACTED:secret]&x=1"),
        ("clientSecret = 'a, b' end", "clientSecret = '[REDACTED:secret]' end"),
        (
            r"sent {\"api_key\": \"x y\", \"n\": 1}",
            r"sent {\"api_key\": \"[REDACTED:secret]\", \"n\": 1}",
        ),
        (r'{"token": "a\"b", cut', '{"token": "[REDACTED:secret]", cut'),
        ("postgres://app:pa55@db:5432/x", "postgres://app:[REDACTED:password]@db:5432/x"),
        (f"card {CARD}.", "card [REDACTED:card]."),
        ("mail to first.last+tag@mail.example.org.", "mail to [REDACTED:email]."),
    ],
)
def test_secrets_in_text_are_replaced_by_their_kind(
    redact: Callable[[str], str], message: str, clean: str
) -> None:
    """Each kind of secret goes, what is around it stays, and a second pass changes nothing."""
    assert redact(message) == clean
    assert redact(clean) == clean


@pytest.mark.parametrize(
    "message",
    [
        "took 12 ms, max_tokens=5, see https://example.com/a:b@c",
        "order 1738325594000 at 1738325594000123",
        "card 4111 1111 1111 1112 fails the check digit",
        "secretary: none; tokenizer: bpe",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        '{"ok": true, "price": 1.10, "token": null}',
        "{ not json",
        "",
    ],
)
def test_harmless_messages_stay_byte_for_byte(redact: Callable[[str], str], message: str) -> None:
    """What holds no secret is not even reformatted."""
    assert redact(message) == message


def test_json_message_stays_json(redact: Callable[[str], str]) -> None:
    """Fields of JSON are judged by name at every depth, whatever the type of their value."""
    message = json.dumps(
        {
            "level": "INFO",
            "request": {"headers": {"Authorization": "Bearer x", "Accept": "*/*"}},
            "users": [{"mail": "octocat@example.com", "pin_token": 1234, "hasToken": True}],
            "credentials": {"user": "hubot", "pass": "x"},
            "card": int(CARD.replace(" ", "")),
            "duration": 0.25,
            "name": "Zoë",
        }
    )

    assert json.loads(redact(message + "\n")) == {
        "level": "INFO",
        "request": {"headers": {"Authorization": "[REDACTED:secret]", "Accept": "*/*"}},
        "users": [{"mail": "[REDACTED:email]", "pin_token": "[REDACTED:secret]", "hasToken": True}],
        "credentials": "[REDACTED:secret]",
        "card": "[REDACTED:card]",
        "duration": 0.25,
        "name": "Zoë",
    }


@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_deep_json_does_not_fail_the_batch(app: ModuleType, context: object, depth: int) -> None:
    """A message nested deeper than Python can follow is redacted as text."""
    deep = '{"a":' * depth + '"octocat@example.com"' + "}" * depth

    (result,) = app.handler(firehose_event(record(deep.encode())), context)["records"]

    assert payload(result).decode().rstrip("}").endswith('"[REDACTED:email]"')


def test_lone_surrogates_survive(app: ModuleType, context: object) -> None:
    """An escape that UTF-8 cannot hold comes back as the same escape."""
    message = r'{"text":"\ud83d cut","password":"x"}'

    (result,) = app.handler(firehose_event(record(message.encode())), context)["records"]

    assert payload(result).decode() == r'{"text":"\ud83d cut","password":"[REDACTED:secret]"}'


@pytest.mark.parametrize(
    "part",
    [
        "a",
        "a.",
        "a@",
        "1 ",
        "eyJaaaaaa-",
        "http://a:",
        "-----BEGIN PRIVATE KEY-----",
        '\\"',
        "token",
        "token:\\",
    ],
)
def test_no_message_stalls_the_pipeline(redact: Callable[[str], str], part: str) -> None:
    """The largest message, of what a pattern almost matches, takes seconds, not hours."""
    message = part * (250_000 // len(part))
    start = time.process_time()

    redact(message)

    assert time.process_time() - start < 10
