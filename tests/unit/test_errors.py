"""An error is a message and a kind."""

import errno
import os

import pytest

from buildlib import errors
from buildlib.errors import BuildError, LockError


def test_message_and_kind() -> None:
    """The text of an error is its message; its kind is shown by whoever shows it."""
    error = LockError("requirements.lock: no", "lock-missing")
    assert isinstance(error, BuildError)
    assert (str(error), error.kind) == ("requirements.lock: no", "lock-missing")
    assert errors.with_help_link(str(error), error.kind) == (
        "requirements.lock: no\nMore: lambdas errors lock-missing"
    )


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "free some space, then run the build again; "),
        (errno.EROFS, "make it writable, or build in another checkout; "),
        (errno.EACCES, "check its owner and permissions; "),
        (errno.EEXIST, "a file is where a folder should be; remove it, then run the build again; "),
        (errno.EIO, ""),
    ],
)
def test_explain(code: int, remedy: str) -> None:
    """An error of the system says where, what, and what to do."""
    what = os.strerror(code).lower()
    expected = f"dist/x: {what}; {remedy}earlier artifacts are untouched"
    assert errors.explain_os_error(OSError(code, os.strerror(code), "dist/x")) == expected
