"""Takes secrets and personal data out of logs on their way through Amazon Data Firehose.

A transformation function for a delivery stream that is fed by CloudWatch Logs subscriptions, or
directly with lines of text or JSON. Each record comes back in the form in which it came, so that
the readers of the bucket need not change, and the answer stays as far below Lambda's 6 MB as the
request was.

A record that cannot be read is marked ProcessingFailed: Firehose writes it, as it came, to the
error prefix of the bucket. Guard that prefix like the logs themselves.

https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html
"""

import base64
import binascii
import gzip
import json
import logging
import os
import zlib
from collections import Counter
from typing import Any, Literal, NotRequired, TypedDict

from redaction import redact

GZIP_MAGIC = b"\x1f\x8b"

log = logging.getLogger("log_redactor")
log.setLevel(os.environ.get("LOG_LEVEL", "INFO").upper())


class Transformed(TypedDict):
    """What Firehose expects for each record that it sent."""

    recordId: str
    result: Literal["Ok", "Dropped", "ProcessingFailed"]
    data: NotRequired[str]


class UnreadableRecordError(Exception):
    """A record is in none of the forms that are understood."""


def handler(event: dict[str, Any], _context: object) -> dict[str, list[Transformed]]:
    """Redact one batch of records."""
    records = event.get("records")
    if not isinstance(records, list):
        msg = "not a transformation event of Amazon Data Firehose: it has no 'records'"
        raise TypeError(msg)
    found: Counter[str] = Counter()
    transformed = [_transform(record, found) for record in records]
    results = Counter(record["result"] for record in transformed)
    log.info("records: %s; redacted: %s", dict(results), dict(found))
    return {"records": transformed}


def _transform(record: dict[str, Any], found: Counter[str]) -> Transformed:
    record_id = record["recordId"]
    try:
        data = base64.b64decode(record["data"], validate=True)
        redacted = _compressed(data, found) if data.startswith(GZIP_MAGIC) else _text(data, found)
    except (UnreadableRecordError, binascii.Error, UnicodeDecodeError) as error:
        # Neither the data nor a message that could quote it.
        log.error("record %s is unreadable: %s", record_id, type(error).__name__)  # noqa: TRY400
        return {"recordId": record_id, "result": "ProcessingFailed", "data": record["data"]}
    if redacted is None:
        return {"recordId": record_id, "result": "Dropped"}
    return {"recordId": record_id, "result": "Ok", "data": base64.b64encode(redacted).decode()}


def _text(data: bytes, found: Counter[str]) -> bytes:
    """Redact a record of text, or of JSON objects that stand on a line each."""
    text = data.decode()
    if text.lstrip().startswith("{"):
        return _encode("\n".join(redact(line, found) for line in text.split("\n")))
    return _encode(redact(text, found))  # as a whole: a private key goes over several lines


def _compressed(data: bytes, found: Counter[str]) -> bytes | None:
    """Redact a record that CloudWatch Logs wrote: gzip of JSON. None for its test messages."""
    try:
        batch = json.loads(gzip.decompress(data))
        if batch["messageType"] == "CONTROL_MESSAGE":
            return None
        for event in batch["logEvents"]:
            event["message"] = redact(event["message"], found)
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        msg = "not a batch of CloudWatch Logs"
        raise UnreadableRecordError(msg) from error
    # One object a line: Firehose writes records end to end, and gzip members may follow each other.
    text = json.dumps(batch, ensure_ascii=False, separators=(",", ":")) + "\n"
    return gzip.compress(_encode(text), mtime=0)


def _encode(text: str) -> bytes:
    # A lone surrogate becomes the escape that it was in the JSON.
    return text.encode(errors="backslashreplace")
