"""What the functions here use of the context object that Lambda passes to a handler."""

from typing import Protocol


class Context(Protocol):
    """The part of Lambda's context object that is relied on."""

    @property
    def aws_request_id(self) -> str:
        """The id of this invocation, as it stands in the logs of the platform."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends this invocation."""
