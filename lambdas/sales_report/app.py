"""Makes a monthly sales report from a CSV file.

Called in one of two ways:

- by an HTTP API or a function URL (payload 2.0): POST of text/csv, plain or with
  `content-encoding: gzip`; `?top=3` sets how many products are listed. The report is the body.
- directly, by a state machine or another function: `{"csv": "..."}` or
  `{"csv_base64": "...", "encoding": "gzip"}`, and `"top": 3`. The report is the result, and a bad
  file is an error of the invocation.

report.py tells what the CSV must hold.
"""

import base64
import binascii
import json
import logging
import os
import zlib
from collections.abc import Mapping
from typing import Any

from report import ReportError, SalesReport, sales_report

MAX_CSV_BYTES = 64 * 1024 * 1024
DEFAULT_TOP = 5
MAX_TOP = 100

_GZIP = 16 + zlib.MAX_WBITS

log = logging.getLogger("sales_report")
log.setLevel(os.environ.get("LOG_LEVEL", "INFO").upper())


class BadRequestError(Exception):
    """The event holds no CSV that can be read, or an option is out of range."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any] | SalesReport:
    """Return the report, in an HTTP response where the event is an HTTP request."""
    if "requestContext" in event:
        return _respond(event)
    return _report(_direct_csv(event), event.get("top", DEFAULT_TOP))


def _respond(event: dict[str, Any]) -> dict[str, Any]:
    if event["requestContext"].get("http", {}).get("method") != "POST":
        return _response(405, {"error": "only POST is allowed"}, allow="POST")
    query = event.get("queryStringParameters") or {}
    try:
        return _response(200, _report(_http_csv(event), query.get("top", DEFAULT_TOP)))
    except BadRequestError as error:
        return _response(400, {"error": str(error)})
    except ReportError as error:
        return _response(422, {"error": str(error)})


def _report(csv: bytes, top: object) -> SalesReport:
    report = sales_report(csv, _top(top))
    log.info("report of %d rows, %d rejected", report["rows"], report["rejected"]["rows"])
    return report


def _top(value: object) -> int:
    if isinstance(value, int | str):
        try:
            number = int(value)
        except ValueError:
            number = 0
        if 1 <= number <= MAX_TOP:
            return number
    msg = f"top must be a whole number from 1 to {MAX_TOP}"
    raise BadRequestError(msg)


def _http_csv(event: Mapping[str, Any]) -> bytes:
    body: str = event.get("body") or ""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    data = _base64(body) if event.get("isBase64Encoded") else body.encode(errors="replace")
    return _decoded(data, headers.get("content-encoding", "identity"))


def _direct_csv(event: Mapping[str, Any]) -> bytes:
    match event:
        case {"csv": str(text)}:
            return text.encode(errors="replace")
        case {"csv_base64": str(text)}:
            return _decoded(_base64(text), event.get("encoding", "identity"))
    msg = "the event has neither 'csv' nor 'csv_base64'"
    raise BadRequestError(msg)


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        msg = "the CSV is not valid base64"
        raise BadRequestError(msg) from error


def _decoded(data: bytes, encoding: str) -> bytes:
    if encoding == "identity":
        return data
    if encoding != "gzip":
        msg = f"encoding {encoding!r} is not supported; gzip is"
        raise BadRequestError(msg)
    # Not gzip.decompress: a few kilobytes may unfold to more than the function's memory.
    unzip = zlib.decompressobj(_GZIP)
    try:
        text = unzip.decompress(data, MAX_CSV_BYTES)
    except zlib.error as error:
        msg = "the CSV is not valid gzip"
        raise BadRequestError(msg) from error
    if unzip.unconsumed_tail:
        msg = f"the CSV is larger than {MAX_CSV_BYTES} bytes"
        raise BadRequestError(msg)
    if not unzip.eof:
        msg = "the gzip data ends too early"
        raise BadRequestError(msg)
    return text


def _response(status: int, value: object, **headers: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", **headers},
        "body": json.dumps(value),
        "isBase64Encoded": False,
    }
