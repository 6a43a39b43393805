"""API Gateway HTTP APIs and function URLs: their events (payload 2.0) and responses.

A function is written as `request -> response` and decorated with `http_handler`; it refuses with
`ApiError`.
"""

import base64
import binascii
import functools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypedDict

from lambda_shared import logs
from lambda_shared.context import Context

log = logs.get_logger("http")


class Response(TypedDict):
    """A response in the form that API Gateway passes on."""

    statusCode: int
    headers: dict[str, str]
    body: str
    isBase64Encoded: bool


class ApiError(Exception):
    """A request that is refused; `message` is shown to the client."""

    def __init__(
        self, status: int, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    request_id: str

    @property
    def target(self) -> str:
        """The path with its query, as in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read an event of payload format 2.0; ApiError 400 if it is something else.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
        """
        try:
            context = event["requestContext"]
            return cls(
                method=context["http"]["method"].upper(),
                path=event["rawPath"],
                query=event.get("rawQueryString") or "",
                headers={k.lower(): v for k, v in (event.get("headers") or {}).items()},
                body=_body(event),
                request_id=context["requestId"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            msg = "not an HTTP API event of payload format 2.0"
            raise ApiError(400, msg) from error


def text_response(status: int, body: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return a plain-text response."""
    return _response(status, body, "text/plain; charset=utf-8", headers)


def json_response(
    status: int, value: object, *, headers: Mapping[str, str] | None = None
) -> Response:
    """Return `value` as a JSON response."""
    return _response(status, json.dumps(value), "application/json", headers)


def http_handler(
    function: Callable[[Request, Context], Response],
) -> Callable[[dict[str, Any], Context], Response]:
    """Make a Lambda handler of a function from request to response.

    An ApiError becomes its response. Anything else is logged and raised again: Lambda then counts
    it as an error, and API Gateway answers 500 without any detail.
    """

    @functools.wraps(function)
    def handler(event: dict[str, Any], context: Context) -> Response:
        start = time.perf_counter()
        fields: dict[str, object] = {}
        with logs.request_scope(context.aws_request_id):
            try:
                request = Request.from_event(event)
                fields |= {"method": request.method, "path": request.path}
                response = function(request, context)
            except ApiError as error:
                log.warning("refused: %s", error.message, extra=fields)
                answer = {"error": error.message, "request_id": context.aws_request_id}
                response = json_response(error.status, answer, headers=error.headers)
            except Exception:
                log.exception("failed", extra=fields)
                raise
            fields["status"] = response["statusCode"]
            fields["duration_ms"] = round((time.perf_counter() - start) * 1000)
            log.info("answered", extra=fields)
            return response

    return handler


def _body(event: Mapping[str, Any]) -> bytes:
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode(errors="replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        msg = "the body is not valid base64"
        raise ApiError(400, msg) from error


def _response(
    status: int, body: str, content_type: str, headers: Mapping[str, str] | None
) -> Response:
    return {
        "statusCode": status,
        "headers": {"content-type": content_type, "cache-control": "no-store", **(headers or {})},
        "body": body,
        "isBase64Encoded": False,
    }
