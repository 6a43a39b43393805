"""AWS Signer: profiles, and jobs that sign an object of S3.

Sources: "StartSigningJob", "DescribeSigningJob", "ListSigningJobs" and "GetSigningProfile" in the
API reference of AWS Signer.
"""

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from buildlib.aws.account import Account
from buildlib.aws.functions import Object
from buildlib.errors import AwsError, AwsMissingError

# The only platform that Lambda accepts ("Create a signing profile" in Signer's developer guide).
PLATFORM = "AWSLambda-SHA384-ECDSA"

# A signature that expires sooner is renewed: a ZIP that is published today may be deployed next
# week. Of a shorter validity, a quarter.
_MARGIN = timedelta(days=7)
_DAYS = {"DAYS": 1, "MONTHS": 30, "YEARS": 365}

# Seconds between two looks at a job, the first and the longest pause, and the longest wait.
_PAUSE, _LONGEST_PAUSE, _PATIENCE = 0.5, 8.0, 900


class Profile(NamedTuple):
    """An active signing profile: the ARN of its present version, and Signer's time.

    `margin` is the time before its expiry at which a signature no longer counts.
    """

    name: str
    version: str
    now: datetime
    margin: timedelta


class Job(NamedTuple):
    """A signing job that has ended; `key` is that of the signed object, empty after a failure."""

    id: str
    key: str
    created: datetime
    expires: datetime | None
    is_revoked: bool
    reason: str


def profile(account: Account, name: str) -> Profile:
    """Return a signing profile.

    Raises:
        AwsError: as `Account` does; or it cannot sign for Lambda.

    """
    try:
        answer = account.ask("GetSigningProfile", service="signer", profileName=name)
    except AwsMissingError:
        msg = (
            f"there is no signing profile '{name}' in {account.region}; correct "
            "'--signing-profile', or AWS_REGION: 'aws signer list-signing-profiles' lists them"
        )
        raise AwsError(msg, "signing") from None
    status, platform = answer.get("status", ""), answer.get("platformId", "")
    if status != "Active" or platform != PLATFORM:
        problem = f"its status is {status}"
        if status == "Active":
            problem = f"it is for the platform {platform}"
        msg = (
            f"the signing profile '{name}' cannot sign: {problem}; name an active profile for the "
            f"platform {PLATFORM}"
        )
        raise AwsError(msg, "signing")
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
    period = answer.get("signatureValidityPeriod", {})
    days = period.get("value", 0) * _DAYS.get(period.get("type", ""), 0)
    margin = min(_MARGIN, timedelta(days=days) / 4) if days else _MARGIN
    return Profile(name, answer["profileVersionArn"], now, margin)


def revoked(account: Account) -> set[str]:
    """Return the ids of the jobs whose signatures were revoked.

    Raises:
        AwsError: as `Account` does.

    """
    jobs = account.pages("ListSigningJobs", "jobs", service="signer", isRevoked=True)
    return {one["jobId"] for one in jobs if one.get("isRevoked")}


def sign(account: Account, name: str, source: Object, prefix: str, token: str) -> Job:
    """Sign an object, into the same bucket below a prefix, and return the job when it has ended.

    A token names one job: Signer answers a known token with the job that it started.

    Raises:
        AwsError: as `Account` does; or the job takes too long.

    """
    started = account.ask(
        "StartSigningJob",
        service="signer",
        source={"s3": {"bucketName": source.bucket, "key": source.key, "version": source.version}},
        destination={"s3": {"bucketName": source.bucket, "prefix": prefix}},
        profileName=name,
        clientRequestToken=token,
    )
    return _wait(account, started["jobId"])


def _wait(account: Account, job: str) -> Job:
    end, pause = time.monotonic() + _PATIENCE, _PAUSE
    while True:
        answer = account.ask("DescribeSigningJob", service="signer", jobId=job)
        if answer["status"] != "InProgress":
            return _job(answer)
        if time.monotonic() > end:
            msg = (
                f"the signing job {job} still runs after {_PATIENCE} seconds; run the command "
                "again, which finds it"
            )
            raise AwsError(msg, "signing")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _job(answer: dict[str, Any]) -> Job:
    is_done = answer["status"] == "Succeeded"
    return Job(
        id=answer["jobId"],
        key=answer["signedObject"]["s3"]["key"] if is_done else "",
        created=answer["createdAt"],
        expires=answer.get("signatureExpiresAt"),
        is_revoked="revocationRecord" in answer,
        reason=" ".join(str(answer.get("statusReason") or "AWS gives no reason").split())[:300],
    )
