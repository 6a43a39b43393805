"""Sign published ZIPs with AWS Signer, each once: the signed ZIP is published by its own sha256.

A job signs an object into `<prefix>/signing/`. Its ZIP is downloaded, compared with the built one,
and stored next to it. The table `lambdas.signed.json` says which ZIPs have a signature, so that a
build that did not change starts no job and keeps the hash that Lambda has.
"""

import functools
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from buildlib.archive import contents
from buildlib.artifacts import signed
from buildlib.artifacts.published import Entry
from buildlib.artifacts.signed import Row, Table
from buildlib.aws import signer
from buildlib.aws.account import Account
from buildlib.aws.functions import Object
from buildlib.cache import digests
from buildlib.commands.publish import signed_zip, transfer
from buildlib.errors import PublishError
from buildlib.files import atomic
from buildlib.layout import Layout
from buildlib.model import Written
from buildlib.remote.objects import SIGNING, Objects, Stored, Wanted

# Jobs that one ZIP may have had before: revoked, expired or failed ones.
_TRIES = 20


class Signing(NamedTuple):
    """The account and the profile that sign, the table, and the jobs with revoked signatures."""

    account: Account
    profile: signer.Profile
    table: Table
    revoked: frozenset[str]


class Signed(NamedTuple):
    """The object of a signed ZIP, and its row in the table."""

    stored: Stored
    row: Row


def prepare(layout: Layout, account: Account, name: str) -> Signing:
    """Return how to sign with a profile.

    Raises:
        BuildError: AWS refuses, the profile cannot sign, or the table is damaged.

    """
    table = signed.read(layout)
    profile = signer.profile(account, name)
    return Signing(account, profile, table, frozenset(signer.revoked(account)))


def known(signing: Signing, sha256: str) -> Row | None:
    """Return the signed ZIP of a built one, unless its signature is revoked or expires soon."""
    row = signing.table.row(sha256, signing.profile.version)
    if row is None or row.job in signing.revoked:
        return None
    expires = datetime.fromisoformat(row.expires) if row.expires else None
    return row if _lasts(signing, expires) else None


def _lasts(signing: Signing, expires: datetime | None) -> bool:
    return expires is None or expires > signing.profile.now + signing.profile.margin


def sign(signing: Signing, objects: Objects, wanted: Wanted, source: Stored) -> Signed:
    """Sign a ZIP whose object is `source`, and publish the signed ZIP.

    Raises:
        PublishError: the bucket keeps no versions, a job fails, or the signed ZIP has other files.
        AwsError: AWS refuses a request.

    """
    where = objects.where
    if source.version is None:
        msg = (
            f"the bucket {where.bucket} keeps no versions, and AWS Signer only takes objects that "
            f"have one. Turn them on: aws s3api put-bucket-versioning --bucket {where.bucket} "
            "--versioning-configuration Status=Enabled"
        )
        raise PublishError(msg, "signing")
    place = Object(where.bucket, where.key(wanted.sha256), source.version)
    job, path = _signed(signing, objects, place)
    try:
        built = wanted._replace(version=source.version)
        _check(objects, built, path, f"the signing job {job.id}")
        size, unzipped = path.stat().st_size, contents.unzipped_size(path)
        written = Written(digests.sha256(path), size, unzipped)
        stored = objects.store(Wanted(written.sha256, path, None, size, wanted.sha256))
    finally:
        atomic.remove(path)
    expires = job.expires.astimezone(UTC).isoformat() if job.expires else None
    return Signed(stored, Row(written, job.id, expires))


def _signed(signing: Signing, objects: Objects, source: Object) -> tuple[signer.Job, Path]:
    """Return a job with a signature that counts, and its ZIP.

    The token of a request is made from all that it asks for, so an interrupted job is found again.
    After a job that is of no use any more, the next token names that job, too.

    Raises:
        PublishError: the job of this run failed.

    """
    prefix = f"{objects.where.prefix}/{SIGNING}".lstrip("/")
    after = ""
    for _ in range(_TRIES):
        asked = "\n".join((signing.profile.version, *source, prefix, after))
        token = str(uuid.uuid5(uuid.NAMESPACE_URL, asked))
        job = signer.sign(signing.account, signing.profile.name, source, prefix, token)
        if job.key and not job.is_revoked and _lasts(signing, job.expires):
            name = job.key.removeprefix(objects.where.prefix).lstrip("/")
            if (path := objects.take(name)) is not None:
                return job, path
        elif not job.key and job.created >= signing.profile.now:
            msg = f"{source.key}: the signing job {job.id} failed: {job.reason}"
            raise PublishError(msg, "signing")
        after = job.id
    msg = f"{source.key}: {_TRIES} signing jobs gave no signature that counts; the last is {after}"
    raise PublishError(msg, "signing")


def present(
    signing: Signing, objects: Objects, versions: Mapping[str, Entry], built: Mapping[str, Wanted]
) -> dict[str, Signed]:
    """Return the signed ZIPs that count and that the bucket has, by the sha256 of the built ones.

    `versions` are the entries of an earlier list, by the sha256 of their objects. A row of the
    table proves nothing: the object was compared with the built ZIP before, or it is now.

    Raises:
        PublishError: the bucket cannot be asked, or an object has other bytes or other files.

    """
    rows = {sha256: row for sha256 in built if (row := known(signing, sha256))}

    def look(origin: Wanted, row: Row) -> Stored | None:
        version = versions.get(row.written.sha256, {}).get("s3_object_version")
        wanted = Wanted(row.written.sha256, None, version, row.written.size, origin.sha256)
        there = objects.look(wanted)
        if there is None:
            return None
        if there.signed_from != origin.sha256:
            present = wanted._replace(version=there.version)
            compare(objects, origin, present, f"lambdas.signed.json: '{origin.sha256}'")
        return there if version and there.version == version else objects.store(wanted)

    jobs = {sha256: functools.partial(look, built[sha256], row) for sha256, row in rows.items()}
    found = transfer.together(jobs, "asking", lambda _: None)
    return {
        sha256: Signed(there, row)
        for sha256, row in rows.items()
        if (there := found[sha256]) is not None
    }


def compare(objects: Objects, built: Wanted, wanted: Wanted, label: str) -> None:
    """Download a signed ZIP, and refuse it if it has other files than the built one.

    Raises:
        PublishError: it has, or one of them cannot be read.

    """
    path = objects.fetch(wanted.sha256, wanted.version)
    try:
        _check(objects, built, path, label)
    finally:
        atomic.remove(path)


def _check(objects: Objects, built: Wanted, path: Path, label: str) -> None:
    before = built.path or objects.fetch(built.sha256, built.version)
    try:
        signed_zip.check(before, path, label)
    finally:
        if before != built.path:
            atomic.remove(before)


def sign_all(
    layout: Layout,
    signing: Signing,
    objects: Objects,
    sources: Mapping[str, tuple[Wanted, Stored]],
    say: transfer.Say,
) -> dict[str, Signed]:
    """Sign ZIPs, given by their sha256 with their objects, and note each in the table.

    Raises:
        PublishError: some failed; the message lists all. The others are in the table.

    """
    rows: list[tuple[str, str, Row]] = []

    def one(sha256: str) -> Signed:
        found = sign(signing, objects, *sources[sha256])
        rows.append((sha256, signing.profile.version, found.row))
        return found

    try:
        jobs = {sha256: functools.partial(one, sha256) for sha256 in sources}
        return transfer.together(jobs, "signing", say)
    finally:
        signed.add(layout, rows)
