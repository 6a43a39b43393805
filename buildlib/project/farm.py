"""A farm as a run uses it: other machines that build variants of this repository."""

from typing import NamedTuple, Protocol

from buildlib.model import Variant


class Built(NamedTuple):
    """A ZIP that a farm put into the cache: where it was built, and the warnings of its steps."""

    worker: str
    notes: tuple[str, ...]
    doubts: tuple[tuple[str, str], ...]


class Farm(Protocol):
    """Other machines that build variants. Threads may share it."""

    def builds(self, variant: Variant) -> bool:
        """Tell whether the farm builds the present inputs of a variant.

        Raises:
            BuildError: the inputs of the variant cannot be worked out.

        """

    def wait(self, variant: Variant) -> Built | None:
        """Wait for a ZIP, which is then in the cache; None if it has to be built here."""

    def finish(self) -> None:
        """Log the remarks of a run, each once."""
