"""`lambdas gc`: remove published ZIPs that nothing uses, and that are not new.

A ZIP stays if a list or a record of git has its sha256, if a version of a function or of a layer
has it as its code, or if its object is younger than an age. With reference storage the object is
the code, so nothing is removed if Lambda cannot be asked.

In a bucket with versions a removal adds a delete marker, and loses nothing: the versions stay, and
their ids go on working. Only `versions` removes them.
"""

import base64
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from buildlib import text
from buildlib.aws import functions
from buildlib.aws.account import Account, together
from buildlib.commands.publish import used
from buildlib.errors import AwsError, AwsMissingError, GarbageError
from buildlib.remote.objects import SIGNING, Address, no_bucket

# Objects in one request to delete some, which is S3's maximum.
_AT_ONCE = 1000


class Version(NamedTuple):
    """A version of an object, or the only one of a bucket without versions, or a delete marker."""

    key: str
    id: str
    size: int
    modified: datetime
    is_latest: bool
    is_marker: bool

    @property
    def sha256(self) -> str:
        """The sha256 that the key names."""
        return self.key.rpartition("/")[2].removesuffix(".zip")


class Rules(NamedTuple):
    """The protection of an object: days of history, days of age, and whether Lambda is asked."""

    keep: int
    age: int
    asks_lambda: bool = True
    versions: bool = False


class Found(NamedTuple):
    """The objects that nothing uses, and the numbers of those that stay, by the reason."""

    unused: Sequence[Version]
    git: int
    functions: int
    young: int
    hidden: int  # behind a delete marker
    others: int  # that no `publish` wrote


def find(root: Path, account: Account, where: Address, rules: Rules, now: datetime) -> Found:
    """Return which objects below an address can go.

    Raises:
        GarbageError: git or Lambda cannot name the objects in use.
        AwsError: the bucket cannot be listed.

    """
    _check_region(account, where)
    in_git = used.by_git(root, rules.keep)
    in_lambda = _deployed(account) if rules.asks_lambda else set[str]()
    before, after = where.key("\0").split("\0")
    signing = f"{where.prefix}/{SIGNING}".lstrip("/")
    pattern = re.compile(f"{re.escape(before)}[0-9a-f]{{64}}{re.escape(after)}")
    objects: dict[str, list[Version]] = {}
    others = 0
    for one in _versions(account, where):
        if pattern.fullmatch(one.key):
            objects.setdefault(one.sha256, []).append(one)
        elif one.key.startswith(signing):  # each was stored by its sha256, too
            objects.setdefault(one.key, []).append(one)
        else:
            others += 1
    unused, counts = list[Version](), dict.fromkeys(("git", "functions", "young", "hidden"), 0)
    border = now - timedelta(days=rules.age)
    for sha256, some in sorted(objects.items()):
        why = _why(sha256, some, in_git, in_lambda, border)
        latest = next((one for one in some if one.is_latest), some[0])
        if why:
            counts[why] += 1
        elif rules.versions:
            unused += some
        elif latest.is_marker:
            counts["hidden"] += 1
        else:
            unused.append(latest)
    return Found(unused, others=others, **counts)


def _why(
    sha256: str,
    some: Iterable[Version],
    in_git: Collection[str],
    in_lambda: Collection[str],
    border: datetime,
) -> str:
    """Return why an object stays; empty if it can go."""
    if sha256 in in_git:
        return "git"
    if sha256 in in_lambda:
        return "functions"
    return "young" if any(one.modified > border for one in some) else ""


def remove(
    account: Account, where: Address, unused: Sequence[Version], *, versions: bool
) -> list[str]:
    """Remove objects, and return the problems with those that stay."""
    problems = []
    for start in range(0, len(unused), _AT_ONCE):
        named: list[dict[str, str]] = [
            {"Key": one.key, **({"VersionId": one.id} if versions else {})}
            for one in unused[start : start + _AT_ONCE]
        ]
        answer = account.ask(
            "DeleteObjects",
            service="s3",
            Bucket=where.bucket,
            Delete={"Objects": named, "Quiet": True},
        )
        problems += [
            f"s3://{where.bucket}/{error.get('Key', '')}: {error.get('Code', 'an error')}"
            for error in answer.get("Errors", ())
        ]
    return problems


def permission(*, versions: bool) -> str:
    """Return the permission that a removal needs."""
    return "s3:DeleteObjectVersion" if versions else "s3:DeleteObject"


def lines(found: Found, where: Address, rules: Rules, *, deleted: bool) -> Iterator[str]:
    """Yield the lines about the objects that nothing uses."""
    for one in found.unused:
        kind = "delete marker" if one.is_marker else text.amount(one.size)
        version = f" version {one.id}" if rules.versions else ""
        yield f"{one.key}{version}: {kind}, of {one.modified:%Y-%m-%d}"
    stay = {
        "in lists or records of git": found.git,
        "used by Lambda alone": found.functions,
        f"younger than {rules.age} days": found.young,
        "behind a delete marker": found.hidden,
        "other files": found.others,
    }
    shown = ", ".join(f"{count} {why}" for why, count in stay.items() if count)
    if not found.unused and not shown:
        yield f"no object is below {where.url}; if ZIPs were published, check the prefix"
        return
    shown = shown or "nothing"
    size = text.amount(sum(one.size for one in found.unused))
    verb = "removed from" if deleted else "unused in"
    yield f"{len(found.unused)} ({size}) {verb} {where.url}; staying: {shown}"
    if found.unused and not deleted:
        yield "Nothing was removed; '--delete' does so"
    if deleted and found.unused and not rules.versions:
        yield (
            "In a bucket with versions each object now has a delete marker, and its versions stay; "
            "'--versions' removes them, too"
        )


def _versions(account: Account, where: Address) -> Iterator[Version]:
    """Yield the versions and the delete markers below an address."""
    prefix = f"{where.prefix}/" if where.prefix else ""
    for kind in ("Versions", "DeleteMarkers"):
        listed = account.pages(
            "ListObjectVersions", kind, service="s3", Bucket=where.bucket, Prefix=prefix
        )
        for one in listed:
            yield Version(
                one["Key"],
                one["VersionId"],
                one.get("Size", 0),
                one["LastModified"].astimezone(UTC),
                one["IsLatest"],
                kind == "DeleteMarkers",
            )


def _check_region(account: Account, where: Address) -> None:
    """Refuse a bucket of another region: the functions that read it are in its region.

    Raises:
        GarbageError: it is in another region, or does not exist.

    """
    try:
        answer: dict[str, Any] = account.ask("HeadBucket", service="s3", Bucket=where.bucket)
    except AwsMissingError:
        raise GarbageError(no_bucket(where)) from None
    region = answer.get("BucketRegion") or account.region
    if region != account.region:
        msg = (
            f"the bucket {where.bucket} is in {region}, and so are the functions that use it; set "
            f"AWS_REGION={region}, which is {account.region} now"
        )
        raise GarbageError(msg)


def _deployed(account: Account) -> set[str]:
    """Return the sha256 of the code of each version of a function or layer.

    Raises:
        GarbageError: Lambda does not say all of them.

    """
    try:
        found = [_asked(account, one) for one in functions.every_version(account)]
        arns = list(functions.every_layer_arn(account))
        for layer in together(lambda arn: functions.layer(account, arn), arns):
            if isinstance(layer, AwsError):
                raise layer
            found.append(layer.code_sha256)
    except AwsError as error:
        msg = (
            f"{error}\nLambda does not say which ZIPs it uses, so nothing was removed. If no "
            "function of this region reads from the bucket, set '--without-asking-lambda'"
        )
        raise GarbageError(msg, error.kind) from None
    return {base64.b64decode(one).hex() for one in found if one}


def _asked(account: Account, one: functions.Deployed) -> str:
    """Return the hash of the code of a version; ask for it again if the listing lacks it."""
    if one.code_sha256 or one.is_image:
        return one.code_sha256
    return functions.function(account, one.name, one.version).code_sha256
