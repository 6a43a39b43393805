"""What can go wrong and be mended by the user.

A message says where, what, what is allowed and what to do next; it is shown as it is, without a
traceback. Anything that is not a `BuildError` or an `OSError` is a defect of this package.
"""


class BuildError(Exception):
    """The base of every error that a user can act on."""


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


class QueryError(BuildError):
    """What another program asked for cannot be understood, or is not declared."""


class InvokeError(BuildError):
    """A function could not be invoked here; that it raised is not one."""


class ArchiveError(BuildError):
    """The ZIP cannot be written from the staged tree, or one cannot be read."""


class SizeError(BuildError):
    """The ZIP has more in it than Lambda takes, or than the manifest allows."""


class VerifyError(BuildError):
    """A variant does not come out as it is in `dist/`, or cannot be built a second time."""
