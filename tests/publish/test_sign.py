"""`lambdas publish --signing-profile`: each ZIP is signed once, and its signed ZIP is published."""

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import HANDLER, Repository
from tests.publish.conftest import (
    Bucket,
    commit,
    edit,
    git,
    held,
    listed,
    make_bucket,
    output,
    zip_of,
)  # fmt: skip
from tests.publish.signer import SIGNATURE, Signer
from tests.remote.servers import Proxy
from tests.test_store import clone


@pytest.fixture
def signer(bucket: Bucket) -> Iterator[Signer]:
    """Give a signer of objects of the bucket."""
    signer = Signer(bucket.client)
    yield signer
    signer.stop()


@pytest.fixture
def ready(built: Repository, signer: Signer) -> Repository:
    """Give a built repository that reaches the signer."""
    built.environment["AWS_ENDPOINT_URL_SIGNER"] = f"http://127.0.0.1:{signer.port}"
    return built


def publish(repository: Repository, *arguments: str, code: int = 0) -> str:
    """Publish with the profile, and return all output."""
    done = repository.lambdas("publish", *arguments, code=code)
    return done.output + done.errors


@pytest.fixture
def signed(ready: Repository, bucket: Bucket) -> Repository:
    """Give a repository with signed ZIPs, published and committed."""
    publish(ready, "--bucket", bucket.url, "--signing-profile", "Lambda")
    commit(ready, "publish")
    return ready


def table(repository: Repository) -> dict[str, Any]:
    """Return the table of signed ZIPs, after a check of its form."""
    text = (repository.root / "lambdas.signed.json").read_text()
    rows: dict[str, Any] = json.loads(text)
    assert text == json.dumps(rows, indent=2, sort_keys=True) + "\n"
    return rows


def test_two_at_the_same_time(
    ready: Repository, bucket: Bucket, signer: Signer, proxy: Proxy
) -> None:
    """A table that another process writes during the uploads keeps the rows of both."""
    arrived, gate = held(proxy)
    arguments = ("--bucket", bucket.url, "--signing-profile", "Lambda")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(publish, ready, "api", *arguments)
        assert arrived.wait(60)
        publish(ready, "jobs", *arguments)
        gate.set()
        first.result()
    assert len(signer.jobs) == len(table(ready)) == 2
    assert listed(ready).keys() == {"api", "jobs"}


def test_signed(signed: Repository, bucket: Bucket, signer: Signer) -> None:
    """The list names the signed ZIPs by their own sha256, and the table says what each is from."""
    rows = table(signed)
    for name, entry in listed(signed).items():
        built = zip_of(signed, name).read_bytes()
        content = bucket.read(entry)
        sha256 = hashlib.sha256(content).hexdigest()
        origin = hashlib.sha256(built).hexdigest()
        assert entry["s3_key"] == f"code/{sha256}.zip"
        assert entry["signed_from"] == {"profile": "Lambda", "sha256": origin}
        assert (entry["sha256"], entry["size"]) == (sha256, len(content))
        row = rows[origin][signer.arn()]
        facts = {key: entry[key] for key in ("sha256", "size", "unzipped_size")}
        assert row == facts | {"job": row["job"], "expires": row["expires"]}
        assert row["job"] in signer.jobs
        with zipfile.ZipFile(io.BytesIO(content)) as after:
            names = [one for one in after.namelist() if not one.startswith("META_INF/")]
            assert names == zipfile.ZipFile(io.BytesIO(built)).namelist()
            assert row["job"] in after.read(SIGNATURE).decode()
    assert signer.count("StartSigningJob") == 3


def test_again(signed: Repository, signer: Signer, proxy: Proxy) -> None:
    """Unchanged ZIPs start no job, move no bytes and keep the list, without naming the profile."""
    before = (signed.root / "lambdas.published.json").read_bytes()
    proxy.requests.clear()
    proxy.sent = 0
    assert "0 uploaded, 3 unchanged" in publish(signed)
    assert signer.count("StartSigningJob") == 3
    assert [method for method, _ in proxy.requests] == ["HEAD"] * 3
    assert (signed.root / "lambdas.published.json").read_bytes() == before
    assert git(signed, "status", "--short") == ""


def test_a_clean_clone(signed: Repository, signer: Signer) -> None:
    """A clone without any ZIP publishes the same list, and signs nothing."""
    other = clone(signed, "other")
    assert "0 uploaded, 3 unchanged" in publish(other)
    assert listed(other) == listed(signed)
    assert signer.count("StartSigningJob") == 3


def test_only_what_changed_is_signed(signed: Repository, signer: Signer) -> None:
    """An edit signs one ZIP; to go back to the earlier code signs none."""
    before = listed(signed)
    edit(signed, "# edited\n")
    publish(signed)
    after = listed(signed)
    assert {name for name in after if after[name] != before[name]} == {"api"}
    assert signer.count("StartSigningJob") == 4
    edit(signed, "# api\n")
    publish(signed)
    assert listed(signed) == before
    assert signer.count("StartSigningJob") == 4


def test_an_interrupted_job_is_found(ready: Repository, bucket: Bucket, signer: Signer) -> None:
    """A job whose answer was lost is not started again: the next run finds it by its token."""
    signer.loses = True
    arguments = ("--bucket", bucket.url, "--signing-profile", "Lambda")
    message = publish(ready, "api", *arguments, code=1)
    assert "lacks the permission" in message or "lack the permission" in message
    assert not (ready.root / "lambdas.published.json").exists()
    publish(ready, "api", *arguments)
    assert len(signer.jobs) == 1
    assert signer.count("StartSigningJob") == 2


def test_one_failure_keeps_the_others(ready: Repository, bucket: Bucket, signer: Signer) -> None:
    """ZIPs that were signed before a failure are in the table, and are not signed again."""
    signer.loses = True
    publish(ready, "--bucket", bucket.url, "--signing-profile", "Lambda", code=1)
    assert len(table(ready)) == 2
    publish(ready, "--bucket", bucket.url, "--signing-profile", "Lambda")
    assert (len(table(ready)), signer.count("StartSigningJob")) == (3, 4)


def test_a_failed_job(ready: Repository, bucket: Bucket, signer: Signer) -> None:
    """A failed job is an error with Signer's reason; the next run starts another one."""
    signer.fails = "the ZIP is empty"
    arguments = ("api", "--bucket", bucket.url, "--signing-profile", "Lambda")
    message = publish(ready, *arguments, code=1)
    assert "failed: the ZIP is empty" in message
    assert "More: lambdas errors signing" in message
    for job in signer.jobs.values():
        job["createdAt"] -= 60
    signer.fails = ""
    publish(ready, *arguments)
    assert len(signer.jobs) == 2


def test_revoked(signed: Repository, signer: Signer) -> None:
    """A ZIP whose signature was revoked is signed again, and the others are not."""
    before = listed(signed)
    (row,) = table(signed)[before["api"]["signed_from"]["sha256"]].values()
    signer.revoke(row["job"])
    publish(signed)
    after = listed(signed)
    assert {name for name in after if after[name] != before[name]} == {"api"}
    assert after["api"]["signed_from"] == before["api"]["signed_from"]


@pytest.mark.parametrize(("days", "left", "again"), [(30, 6, 1), (30, 8, 0), (8, 3, 0), (8, 1, 1)])
def test_expiry(  # noqa: PLR0913, PLR0917
    ready: Repository, bucket: Bucket, signer: Signer, days: int, left: int, again: int
) -> None:
    """A signature is renewed a week before it expires, or when a quarter of its time is left."""
    signer.days = days
    publish(ready, "api", "--bucket", bucket.url, "--signing-profile", "Lambda")
    ((origin, rows),) = table(ready).items()
    (job,) = signer.jobs.values()
    job["signatureExpiresAt"] = int(time.time()) + left * 86_400
    expires = datetime.fromtimestamp(job["signatureExpiresAt"], UTC).isoformat()
    rows = {profile: row | {"expires": expires} for profile, row in rows.items()}
    (ready.root / "lambdas.signed.json").write_text(json.dumps({origin: rows}))
    publish(ready, "api")
    assert len(signer.jobs) == 1 + again
    (row,) = table(ready)[origin].values() if again else rows.values()
    assert (row["expires"] > expires) is bool(again)
    publish(ready, "api")
    assert len(signer.jobs) == 1 + again


def test_another_version_of_the_profile(signed: Repository, signer: Signer) -> None:
    """A new version of the profile signs again; the table keeps the rows of both."""
    before = listed(signed)
    signer.profiles["Lambda"]["profileVersion"] = "0123456789"
    publish(signed)
    after = listed(signed)
    assert all(after[name]["sha256"] != before[name]["sha256"] for name in before)
    assert all(len(some) == 2 for some in table(signed).values())


def test_a_removed_object_is_signed_again(
    signed: Repository, bucket: Bucket, signer: Signer
) -> None:
    """A signed ZIP that the bucket has lost is signed again, also if Signer's own copy is gone."""
    entry = listed(signed)["api"]
    (row,) = table(signed)[entry["signed_from"]["sha256"]].values()
    for key in (entry["s3_key"], f"code/signing/{row['job']}.zip"):
        bucket.client.delete_object(Bucket=bucket.name, Key=key)
        version = bucket.client.list_object_versions(Bucket=bucket.name, Prefix=key)
        for one in [*version["Versions"], *version.get("DeleteMarkers", ())]:
            bucket.client.delete_object(Bucket=bucket.name, Key=key, VersionId=one["VersionId"])
    publish(signed)
    assert listed(signed)["api"]["sha256"] != entry["sha256"]
    assert len(signer.jobs) == 4


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"app.py": b"import os\n"}, "app.py differs"),
        ({"evil.py": b"import os\n"}, "evil.py was added"),
        ({SIGNATURE: b""}, "two files have one name"),
        ({"META_INF/../app.py": b"import os\n"}, "META_INF/../app.py was added"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_other_files(
    ready: Repository, bucket: Bucket, signer: Signer, content: dict[str, bytes], problem: str
) -> None:
    """A signed ZIP with other files than the built one is an error, and nothing names it."""
    signer.content = content
    arguments = ("api", "--bucket", bucket.url, "--signing-profile", "Lambda")
    message = publish(ready, *arguments, code=1)
    assert f"its ZIP is not the built one with a signature: {problem}" in message
    assert not (ready.root / "lambdas.published.json").exists()
    assert table(ready) == {}
    assert len([name for name in bucket.names() if "signing" not in name]) == 1


def test_without_versions(ready: Repository, moto: int, proxy: Proxy, bucket: Bucket) -> None:
    """A bucket without versions cannot be signed from; the message has the command for them."""
    plain = make_bucket(moto, f"{bucket.name}-plain"[-60:].strip("-"), proxy, versions=False)
    message = publish(ready, "api", "--bucket", plain.url, "--signing-profile", "Lambda", code=1)
    assert "only takes objects that have one. Turn them on: aws s3api put-bucket-ver" in message


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"status": "Canceled"}, "cannot sign: its status is Canceled"),
        ({"platformId": "Notation-OCI-SHA384-ECDSA"}, "it is for the platform Notation-OCI"),
    ],
)
def test_a_profile_of_no_use(
    ready: Repository, bucket: Bucket, signer: Signer, change: dict[str, str], problem: str
) -> None:
    """A canceled profile, and one for containers, are refused before anything is uploaded."""
    signer.profiles["Lambda"] |= change
    message = publish(ready, "--bucket", bucket.url, "--signing-profile", "Lambda", code=1)
    assert problem in message
    assert bucket.names() == []


def test_an_unknown_profile(ready: Repository, bucket: Bucket) -> None:
    """A profile that does not exist is named, with its region and the way to find others."""
    message = publish(ready, "--bucket", bucket.url, "--signing-profile", "Lambada", code=1)
    assert "there is no signing profile 'Lambada' in eu-west-1; correct '--signing-p" in message


def test_dry_run(ready: Repository, bucket: Bucket, signer: Signer) -> None:
    """A dry run starts no job, and says which ZIPs would be signed."""
    arguments = ("--bucket", bucket.url, "--signing-profile", "Lambda")
    assert "3 to upload" in publish(ready, *arguments, "--dry-run")
    assert signer.jobs == {}
    publish(ready, *arguments)
    edit(ready, "# edited\n")
    found = output(ready.lambdas("publish", "--dry-run", "--json"))
    assert {one["id"]: one["outcome"] for one in found["objects"]} == {
        "api": "pending", "common": "unchanged", "jobs": "unchanged",
    }  # fmt: skip
    assert len(signer.jobs) == 3


def test_unsigned(signed: Repository, bucket: Bucket) -> None:
    """`--unsigned` goes back to the ZIPs as they were built; a profile beside it is a mistake."""
    publish(signed, "--unsigned")
    entries = listed(signed)
    assert all("signed_from" not in one for one in entries.values())
    assert bucket.read(entries["api"]) == zip_of(signed, "api").read_bytes()
    message = publish(signed, "--unsigned", "--signing-profile", "Lambda", code=2)
    assert "does not go together" in message


def row(**fields: object) -> str:
    """Return a table of one row with other fields."""
    right = {"sha256": "1" * 64, "size": 1, "unzipped_size": 1, "job": "1", "expires": None}
    return json.dumps({"0" * 64: {"arn": right | fields}})


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", '{"x": {}}', '{"' + "0" * 64 + '": {"arn": {}}}', '{"a": 1\n<<<<<<< HEAD\n'),
        *(row(expires="soon"), row(expires="2030-01-01T00:00:00"), row(expires=1)),
        *(row(size=10**400), row(size=-1), row(sha256="../x"), row(job=[])),
    ],
)
def test_a_damaged_table(signed: Repository, text: str) -> None:
    """A damaged table is an error with the remedy."""
    (signed.root / "lambdas.signed.json").write_text(text)
    assert "restore the file from git" in publish(signed, code=1)


def test_promoted(signed: Repository, production: Bucket, bucket: Bucket, signer: Signer) -> None:
    """Signed ZIPs are promoted as they are, and the record of the built ones vouches for them."""
    signed.lambdas("promote", "--bucket", production.url)
    entries = listed(signed, "lambdas.published.production.json")
    for name, entry in listed(signed).items():
        assert production.read(entries[name]) == bucket.read(entry)
        assert entries[name]["signed_from"] == entry["signed_from"]
    assert signer.count("StartSigningJob") == 3
    signed.write({"lambdas/api/app.py": HANDLER + "# not recorded\n"})
    (signed.root / "lambdas.hashes.json").write_text("{}")
    commit(signed, "without a record")
    assert "not recorded" in signed.lambdas("promote", code=1).errors


def test_a_profile_without_a_name(signed: Repository) -> None:
    """An empty name, as an unset variable of CI gives it, does not publish without a signature."""
    message = publish(signed, "--signing-profile", "", code=2)
    assert "'--unsigned' publishes without a signature" in message
    assert all("signed_from" in one for one in listed(signed).values())
    path = signed.root / "lambdas.published.json"
    path.write_text(path.read_text().replace('"profile": "Lambda"', '"profile": ""'))
    assert "'api': missing or wrong: signed_from" in publish(signed, code=1)


def test_a_row_that_names_another_zip(signed: Repository) -> None:
    """A table whose row gives the signed ZIP of another build is refused, and the list stays, also
    if that names the same ZIP: nothing committed proves what an object was made of.
    """
    right, rows = listed(signed), table(signed)
    origins = {name: right[name]["signed_from"]["sha256"] for name in ("api", "jobs")}
    rows[origins["api"]] = rows[origins["jobs"]]
    (signed.root / "lambdas.signed.json").write_text(json.dumps(rows, indent=2, sort_keys=True))
    wrong = {**right, "api": right["jobs"] | {"signed_from": right["api"]["signed_from"]}}
    for entries in (right, wrong):
        path = signed.root / "lambdas.published.json"
        path.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")
        message = publish(signed, code=1)
        assert f"lambdas.signed.json: '{origins['api']}': its ZIP is not the built" in message
        assert listed(signed) == entries
    assert not list((signed.root / "build/remote").iterdir())


def test_an_object_that_does_not_say_its_origin(
    signed: Repository, bucket: Bucket, signer: Signer, proxy: Proxy
) -> None:
    """A signed ZIP that someone restored without its metadata is compared again, not signed."""
    entry = listed(signed)["api"]
    named = {"Bucket": bucket.name, "Key": entry["s3_key"]}
    assert bucket.client.head_object(**named)["Metadata"] == {
        "signed-from": entry["signed_from"]["sha256"]
    }
    content = bucket.read(entry)
    bucket.client.delete_object(**named, VersionId=entry["s3_object_version"])
    bucket.put(entry["s3_key"], content)
    proxy.requests.clear()
    assert "0 uploaded, 3 unchanged" in publish(signed)
    assert proxy.count("GET") > 0
    assert listed(signed)["api"]["sha256"] == entry["sha256"]
    assert signer.count("StartSigningJob") == 3


def test_promoted_as_another_build(signed: Repository, production: Bucket, proxy: Proxy) -> None:
    """A list that gives a signed ZIP for another build is refused; the next promotion of the right
    one compares nothing that was compared before.
    """
    right = listed(signed)
    wrong = {**right, "api": right["jobs"] | {"signed_from": right["api"]["signed_from"]}}
    path = signed.root / "lambdas.published.json"
    path.write_text(json.dumps(wrong, indent=2, sort_keys=True) + "\n")
    there = {name: one | {"s3_bucket": production.name} for name, one in wrong.items()}
    for claimed in (None, there):  # a list that claims that the same was promoted before
        if claimed:
            (signed.root / "lambdas.published.production.json").write_text(json.dumps(claimed))
        message = signed.lambdas("promote", "--bucket", production.url, code=1).errors
        assert "the entry of 'api': its ZIP is not the built one with a signature: app" in message
        assert production.names() == []
    path.write_text(json.dumps(right, indent=2, sort_keys=True) + "\n")
    signed.lambdas("promote", "--bucket", production.url)
    proxy.requests.clear()
    signed.lambdas("promote")
    assert proxy.count("GET") == 0


def test_rebuilt(signed: Repository) -> None:
    """A rebuild compares with the ZIPs that were built, and says that it did."""
    output = signed.lambdas("rebuild").output
    assert "3 of 3 equal" in output
    assert "3 of them signed: the built ZIPs were compared, and not the signed ones" in output


def test_garbage(signed: Repository, bucket: Bucket) -> None:
    """Signed ZIPs of lists stay, and so do the built ones; what Signer wrote can go."""
    now = ("gc", "--age", "0d", "--keep", "0d")
    found = output(signed.lambdas(*now, "--json"))
    assert {one["s3_key"].startswith("code/signing/") for one in found["unused"]} == {True}
    assert (len(found["unused"]), found["kept"]["git"]) == (3, 6)
    assert output(signed.lambdas("gc", "--json"))["unused"] == []
    signed.lambdas(*now, "--delete", "--versions")
    assert len(bucket.names()) == 6
    assert "0 uploaded, 3 unchanged" in publish(signed)
