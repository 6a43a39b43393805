"""Errors that the user can fix.

A message gives the place, the problem, the allowed values and the next step; it is printed as is,
without a traceback. The kind of an error, a key of `error_kinds.KINDS`, leads to a longer
explanation; `lambdas errors` generates docs/reference/errors.md from these. Any
exception but a `BuildError` or an `OSError` is a defect of this package.
"""

import errno

from buildlib.text import harmless

# The kind of every `OSError`; no code here raises it.
SYSTEM = "system"


class BuildError(Exception):
    """The base class of errors that a user can act on; `kind` is a key of `KINDS`.

    A class whose errors are all of one kind sets `default_kind`.
    """

    default_kind = ""

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message, kind)
        self.kind = kind or self.default_kind

    def __str__(self) -> str:
        """Return the message."""
        return str(self.args[0])


class NotStarted(Exception):  # noqa: N818 - an end, as KeyboardInterrupt is one
    """Nothing was started: the manifest, a dodo.py, or a name is wrong. The message is complete."""


class ManifestError(BuildError):
    """`lambdas.yaml` is missing or invalid; the message lists every problem, one a line."""


class LockError(BuildError):
    """`requirements.lock` is missing, out of date or invalid, or could not be resolved."""


class InstallError(BuildError):
    """The dependencies of a variant could not be installed."""


class StageError(BuildError):
    """The tree for the ZIP cannot be assembled."""


class RecordError(BuildError):
    """`lambdas.hashes.json` is invalid, or a build gave another hash than it records."""

    default_kind = "record"


class QueryError(BuildError):
    """The query of another program is malformed, or names an undeclared function."""

    default_kind = "query"


class InvokeError(BuildError):
    """A function could not be invoked; an exception of the function itself is a result."""

    default_kind = "invoke"


class ArchiveError(BuildError):
    """A ZIP cannot be written from the staged tree, or cannot be read."""


class StagedFileError(ArchiveError):
    """A staged file changed since it was staged, so no file below build/ can be trusted."""

    default_kind = "changed"


class SizeError(BuildError):
    """The content of a ZIP exceeds the limit of Lambda or of the manifest."""

    default_kind = "size"


class MergeError(BuildError):
    """The results of shards cannot be merged; the message lists every problem, one a line."""

    default_kind = "shards"


class VerifyError(BuildError):
    """A rebuild of a variant fails, or differs from `dist/`."""

    default_kind = "verify"


class RemoteError(BuildError):
    """The remote cache is configured wrongly, or has other bytes for the same inputs."""

    default_kind = "remote"


class PublishError(BuildError):
    """ZIPs cannot be published, promoted or removed from a bucket; the message lists every problem.

    One class for all commands that work on published objects.
    """

    default_kind = "publish"


class GarbageError(BuildError):
    """It is unknown which published ZIPs are in use, so none is removed."""

    default_kind = "gc"


class RebuildError(BuildError):
    """A published list cannot be rebuilt; a rebuild that differs is a result, not an error."""

    default_kind = "rebuild"


class AwsError(BuildError):
    """AWS refuses a request, cannot be reached, or cannot be asked from this machine."""

    default_kind = "aws"


class AwsMissingError(AwsError):
    """The function, version, alias or layer does not exist."""


class AwsConflictError(AwsError):
    """The function changed since it was read, or is being changed now."""


class AwsAccessError(AwsError):
    """Every request fails alike, such as without credentials, so that more are useless."""

    default_kind = "aws-access"


class DeployError(BuildError):
    """A function cannot be deployed or rolled back; the message lists every problem, one a line."""

    default_kind = "deploy"


class FarmError(BuildError):
    """The farm cannot be used, or a worker of it refuses a job."""

    default_kind = "farm"


def with_help_link(message: str, kind: str) -> str:
    """Return a message with the command that explains its kind."""
    return f"{message}\nMore: lambdas errors {kind}" if kind else message


def describe(error: BuildError | OSError) -> str:
    """Return the text of an error for the user, the same in every front end."""
    if isinstance(error, BuildError):
        return harmless(with_help_link(str(error), error.kind))
    return harmless(with_help_link(explain_os_error(error), SYSTEM))


def explain_os_error(error: OSError) -> str:
    """Return the file, the reason and the remedy of an operating-system error."""
    place = f"{error.filename}: " if error.filename else ""
    reason = (error.strerror or str(error)).lower()
    remedy = {
        errno.ENOSPC: "free some space, then run the build again",
        errno.EDQUOT: "free some space, then run the build again",
        errno.EROFS: "make it writable, or build in another checkout",
        errno.EACCES: "check its owner and permissions",
        errno.EPERM: "check its owner and permissions",
        errno.ENOENT: "another program removed it during the build; run the build again",
        errno.ENOTDIR: "a file is where a folder should be; remove it, then run the build again",
        errno.EEXIST: "a file is where a folder should be; remove it, then run the build again",
        errno.EISDIR: "a folder is where a file should be; remove it, then run the build again",
        errno.ENAMETOOLONG: "shorten the path",
        errno.EMFILE: "raise the limit of open files (ulimit -n)",
    }.get(error.errno or 0)
    reassurance = "earlier artifacts are untouched"
    return "; ".join([f"{place}{reason}", *([remedy] if remedy else []), reassurance])
