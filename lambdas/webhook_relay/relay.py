"""Delivery of one webhook to the target: retries with backoff, inside a budget of time."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

import requests
from lambda_shared import logs

ATTEMPTS = 4
CONNECT_SECONDS = 3.05
READ_SECONDS = 10.0
FIRST_BACKOFF_SECONDS = 0.2
LEAST_ATTEMPT_SECONDS = 0.05

# The target did not take the delivery, and may take it a moment later.
RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})

FORWARDED_HEADERS = frozenset({"content-type", "user-agent"})
FORWARDED_PREFIXES = ("x-github-", "x-gitlab-", "x-hub-")

log = logs.get_logger("relay")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that the target took: its status and how many attempts that needed."""

    status: int
    attempts: int


class DeliveryError(Exception):
    """The target did not take the delivery."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class Relay:
    """Sends deliveries to one URL."""

    def __init__(self, url: str, *, also_forward: str) -> None:
        self._url = url
        self._forwarded = FORWARDED_HEADERS | {also_forward}
        self._session = requests.Session()
        # No proxy and no ~/.netrc: nothing but the settings decides where a delivery goes.
        self._session.trust_env = False

    def deliver(
        self, body: bytes, headers: Mapping[str, str], *, request_id: str, seconds: float
    ) -> Delivery:
        """Send `body`; try again while the failure may pass and `seconds` are not used up.

        All attempts carry the same `x-relay-request-id`, so that the target can drop a second
        copy when only the answer to the first one was lost. Raises DeliveryError.
        """
        outgoing = self._outgoing(headers) | {"x-relay-request-id": request_id}
        deadline = time.monotonic() + seconds
        error = DeliveryError("no time left to deliver", timed_out=True)
        for attempt in range(1, ATTEMPTS + 1):
            left = deadline - time.monotonic()
            if left < LEAST_ATTEMPT_SECONDS:
                break
            try:
                status = self._post(body, outgoing, left)
            except requests.Timeout:
                error = DeliveryError("the target did not answer in time", timed_out=True)
            except requests.ConnectionError:
                error = DeliveryError("the target cannot be reached")
            except requests.RequestException as cause:
                msg = "the delivery cannot be sent"
                raise DeliveryError(msg) from cause
            else:
                if status in range(200, 300):
                    return Delivery(status, attempt)
                error = DeliveryError(f"the target answered {status}")
                if status not in RETRY_STATUSES:
                    raise error
            log.warning("attempt %d of %d: %s", attempt, ATTEMPTS, error)
            if attempt < ATTEMPTS:
                _pause(attempt, deadline)
        raise error

    def _post(self, body: bytes, headers: Mapping[str, str], left: float) -> int:
        # `stream`: only the status matters, and a body that trickles in would escape the read
        # timeout, which counts from byte to byte. A redirect would carry the body elsewhere.
        with self._session.post(
            self._url,
            data=body,
            headers=dict(headers),
            timeout=(min(CONNECT_SECONDS, left), min(READ_SECONDS, left)),
            allow_redirects=False,
            stream=True,
        ) as response:
            return response.status_code

    def _outgoing(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {
            name: value
            for name, value in headers.items()
            if name in self._forwarded or name.startswith(FORWARDED_PREFIXES)
        }


def _pause(attempt: int, deadline: float) -> None:
    """Sleep a random part of a time that doubles with each attempt, never past the deadline."""
    longest = FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1)
    left = max(0.0, deadline - time.monotonic())
    time.sleep(min(random.uniform(longest / 2, longest), left))  # noqa: S311 - no secret
