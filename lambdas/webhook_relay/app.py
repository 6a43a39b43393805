"""Relays signed webhooks from the public internet to a service that should not be on it.

An HTTP API (or function URL) receives a POST, its HMAC-SHA256 signature is checked, and the body
goes on, unchanged, to the one URL that is configured. Environment variables:

    TARGET_URL        where deliveries go; https
    WEBHOOK_SECRET    the sender's secret, or ssm:<parameter>; two, with a space between, while
                      one is being rotated
    SIGNATURE_HEADER  default x-hub-signature-256
    MAX_BODY_BYTES    default 1048576

Answers 200 when the target took the delivery, 502 or 504 when it did not; the sender may then
deliver again.
"""

import functools
from dataclasses import dataclass
from typing import Self

from lambda_shared import logs, settings, signatures
from lambda_shared.context import Context
from lambda_shared.http_api import ApiError, Request, Response, http_handler, json_response
from relay import DeliveryError, Relay

API_GATEWAY_SECONDS = 30
"""An HTTP API gives up on an integration after 30 seconds."""

log = logs.get_logger("webhook_relay")


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment variables, checked."""

    target_url: str
    secrets: tuple[bytes, ...]
    signature_header: str
    max_body_bytes: int

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment; raises SettingsError."""
        return cls(
            target_url=settings.url("TARGET_URL"),
            secrets=settings.signing_secrets("WEBHOOK_SECRET"),
            signature_header=settings.text("SIGNATURE_HEADER", "x-hub-signature-256").lower(),
            max_body_bytes=settings.integer("MAX_BODY_BYTES", 1024 * 1024, at_least=1),
        )


@functools.cache
def _start() -> tuple[Settings, Relay]:
    """Make settings and session at the first invocation; the warm ones find them here."""
    config = Settings.from_environment()
    return config, Relay(config.target_url, also_forward=config.signature_header)


@http_handler
def handler(request: Request, context: Context) -> Response:
    """Check one delivery and pass it on."""
    config, relay = _start()
    if request.method != "POST":
        msg = "only POST is allowed"
        raise ApiError(405, msg, headers={"allow": "POST"})
    if len(request.body) > config.max_body_bytes:
        msg = f"the body is larger than {config.max_body_bytes} bytes"
        raise ApiError(413, msg)
    try:
        header = request.headers.get(config.signature_header)
        signatures.verify_body(config.secrets, request.body, header)
    except signatures.SignatureError as error:
        raise ApiError(401, str(error), headers={"www-authenticate": "HMAC-SHA256"}) from error

    # One second is kept back to answer and to log.
    seconds = min(API_GATEWAY_SECONDS, context.get_remaining_time_in_millis() / 1000) - 1
    try:
        delivery = relay.deliver(
            request.body, request.headers, request_id=request.request_id, seconds=seconds
        )
    except DeliveryError as error:
        raise ApiError(504 if error.timed_out else 502, str(error)) from error
    log.info("delivered", extra={"target_status": delivery.status, "attempts": delivery.attempts})
    return json_response(200, {"status": delivery.status, "attempts": delivery.attempts})
