"""Changes of functions: their code, their versions and their aliases.

Each change names the revision that it was planned for, so that Lambda refuses it after a change by
someone else (`RevisionId` in the API reference).
"""

import time
from typing import Any

from buildlib.aws import functions
from buildlib.aws.account import Account
from buildlib.aws.functions import Alias, Deployed, Object
from buildlib.errors import AwsError

# Seconds between two looks at a change, and the longest wait: SnapStart takes minutes.
_PAUSE, _PATIENCE = 1.0, 900


def update_code(
    account: Account, function: Deployed, code: bytes | Object, *, in_place: bool = False
) -> Deployed:
    """Give a function new code, a ZIP or an object of S3, and return it when it is in use.

    With `in_place`, Lambda uses the object itself and keeps no copy.

    Raises:
        AwsError: as `Account` does; or the update fails, or takes too long.

    """
    given: dict[str, Any] = {"ZipFile": code}
    if isinstance(code, Object):
        given = {"S3Bucket": code.bucket, "S3Key": code.key}
        given |= {"S3ObjectVersion": code.version} if code.version else {}
        given |= {"S3ObjectStorageMode": "REFERENCE"} if in_place else {}
    account.ask("UpdateFunctionCode", FunctionName=function.name, **given, **_guard(function))
    return wait(account, function.name)


def wait(account: Account, name: str, version: str = "") -> Deployed:
    """Return a function, or a version of it, when its last change is finished.

    Raises:
        AwsError: as `Account` does; or the change fails, or takes too long.

    """
    end = time.monotonic() + _PATIENCE
    while True:
        found = functions.function(account, name, version)
        if found.update != "InProgress" and found.state != "Pending":
            break
        if time.monotonic() > end:
            msg = f"'{name}' is still being updated after {_PATIENCE} seconds"
            raise AwsError(msg)
        time.sleep(_PAUSE)
    if found.update == "Failed" or found.state == "Failed":
        reason = found.update_reason or "AWS gives no reason"
        msg = f"the update of '{found.name}' failed: {reason}"
        raise AwsError(msg)
    return found


def publish(account: Account, function: Deployed, description: str) -> Deployed:
    """Publish the code and settings of `$LATEST` as a version, and return it when it is active.

    Lambda refuses it if the code or the settings changed since. If nothing changed since the last
    version, Lambda returns that one, with its own description.
    """
    answer = account.ask(
        "PublishVersion",
        FunctionName=function.name,
        Description=description,
        CodeSha256=function.code_sha256,
        **_guard(function),
    )
    return wait(account, function.name, functions.deployed(answer).version)


def point(account: Account, name: str, which: str, version: str, now: Alias | None) -> None:
    """Point an alias to a version, or make it; `now` is the alias as it was planned for."""
    named: dict[str, Any] = {"FunctionName": name, "Name": which, "FunctionVersion": version}
    if now is None:
        account.ask("CreateAlias", **named)
        return
    if now.revision:
        named["RevisionId"] = now.revision
    if now.weights:  # all calls go to the version
        named["RoutingConfig"] = {"AdditionalVersionWeights": {}}
    account.ask("UpdateAlias", **named)


def _guard(function: Deployed) -> dict[str, str]:
    return {"RevisionId": function.revision} if function.revision else {}
