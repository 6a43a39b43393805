"""What can go wrong and be mended by the user.

A message says where, what, what is allowed and what to do next; it is shown as it is, without a
traceback. Each error is of a kind of `KINDS`, which says more than fits into a message; from it
`python -m buildlib errors` makes docs/reference/errors.md. Anything that is not a `BuildError` or
an `OSError` is a defect of this package.
"""

import errno

# What the operating system refuses comes as an `OSError`, so no one raises this kind.
SYSTEM = "system"


class BuildError(Exception):
    """The base of every error that a user can act on; `kind` is a key of `KINDS`.

    A class of errors of one kind names it once, as `default_kind`.
    """

    default_kind = ""

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message, kind)
        self.kind = kind or self.default_kind

    def __str__(self) -> str:
        """Return the message."""
        return str(self.args[0])


class ManifestError(BuildError):
    """`lambdas.yaml` cannot be used; the message lists every problem, one a line."""


class LockError(BuildError):
    """`requirements.lock` is missing, stale, unusable or could not be made."""


class InstallError(BuildError):
    """The dependencies of a variant could not be installed."""


class StageError(BuildError):
    """The tree that should be in the ZIP cannot be put together."""


class RecordError(BuildError):
    """`lambdas.hashes.json` cannot be used, or something was built that it does not say."""

    default_kind = "record"


class QueryError(BuildError):
    """What another program asked for cannot be understood, or is not declared."""

    default_kind = "query"


class InvokeError(BuildError):
    """A function could not be invoked here; that it raised is not one."""

    default_kind = "invoke"


class ArchiveError(BuildError):
    """The ZIP cannot be written from the staged tree, or one cannot be read."""


class StagedFileError(ArchiveError):
    """A staged file is not what was staged: nothing below build/ can be trusted any more."""

    default_kind = "changed"


class SizeError(BuildError):
    """The ZIP has more in it than Lambda takes, or than the manifest allows."""

    default_kind = "size"


class VerifyError(BuildError):
    """A variant does not come out as it is in `dist/`, or cannot be built a second time."""

    default_kind = "verify"


def with_help_link(message: str, kind: str) -> str:
    """Return a message as it is shown: with where to read more."""
    return f"{message}\nMore: python -m buildlib errors {kind}" if kind else message


def describe(error: BuildError | OSError) -> str:
    """Return an error as a user sees it: the one text for every front end."""
    if isinstance(error, BuildError):
        return with_help_link(str(error), error.kind)
    return with_help_link(explain_os_error(error), SYSTEM)


def explain_os_error(error: OSError) -> str:
    """Return what an operating-system error means, and what to do about it."""
    where = f"{error.filename}: " if error.filename else ""
    what = (error.strerror or str(error)).lower()
    remedy = {
        errno.ENOSPC: "free some space, then run doit again",
        errno.EDQUOT: "free some space, then run doit again",
        errno.EROFS: "make it writable, or build in another checkout",
        errno.EACCES: "check its owner and permissions",
        errno.EPERM: "check its owner and permissions",
        errno.ENOENT: "it went away meanwhile; run doit again",
        errno.ENOTDIR: "a file is where a folder should be; remove it, then run doit again",
        errno.EEXIST: "a file is where a folder should be; remove it, then run doit again",
        errno.EISDIR: "a folder is where a file should be; remove it, then run doit again",
        errno.ENAMETOOLONG: "shorten the path",
        errno.EMFILE: "raise the limit of open files (ulimit -n)",
    }.get(error.errno or 0)
    kept = "earlier artifacts are untouched"
    return f"{where}{what}; {remedy}; {kept}" if remedy else f"{where}{what}; {kept}"
