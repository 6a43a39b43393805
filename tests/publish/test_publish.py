"""`lambdas publish`: what is in dist/ is in the bucket, by its content."""

import hashlib
import json
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import HANDLER, Repository
from tests.publish.conftest import Bucket, commit, edit, held, listed, make_bucket, output, zip_of
from tests.remote.servers import Proxy
from tests.test_store import clone

PRODUCTION = "lambdas.published.production.json"


def test_publish(built: Repository, bucket: Bucket) -> None:
    """Every ZIP is an object whose key is its sha256; the list names the version of each, and is
    the index without paths.
    """
    done = built.lambdas("publish", "--bucket", bucket.url)
    assert "3 uploaded" in done.output, done
    assert done.errors == ""
    entries = listed(built)
    index = built.index()
    layers = json.loads((built.root / "dist/layers.json").read_text())
    assert entries.keys() == {"api", "jobs", "common"}
    for name, entry in (index | layers).items():
        content = zip_of(built, name).read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        facts = {key: value for key, value in entry.items() if key != "path"}
        place = {"s3_bucket": bucket.name, "s3_key": f"code/{sha256}.zip"}
        version = entries[name]["s3_object_version"]
        assert entries[name] == facts | place | {"s3_object_version": version}
        assert isinstance(version, str)
        assert bucket.read(entries[name]) == content


def test_publish_again_uploads_nothing(built: Repository, bucket: Bucket, proxy: Proxy) -> None:
    """Unchanged ZIPs cost one HEAD each; the list keeps its bytes, and names the bucket."""
    built.lambdas("publish", "--bucket", bucket.url)
    before = (built.root / "lambdas.published.json").read_bytes()
    proxy.requests.clear()
    proxy.sent = 0
    done = built.lambdas("publish")
    assert "0 uploaded, 3 unchanged" in done.output, done
    assert [method for method, _ in proxy.requests] == ["HEAD"] * 3
    assert proxy.sent == 0
    assert (built.root / "lambdas.published.json").read_bytes() == before


def test_a_clean_clone_publishes_without_zips(
    built: Repository, bucket: Bucket, proxy: Proxy
) -> None:
    """Where the record says which bytes the inputs give, no ZIP is needed and none moves."""
    built.lambdas("publish", "--bucket", bucket.url)
    other = clone(built, "other")
    proxy.requests.clear()
    done = other.lambdas("publish")
    assert "0 uploaded, 3 unchanged" in done.output, done
    assert [method for method, _ in proxy.requests] == ["HEAD"] * 3
    assert not (other.root / "dist").exists()
    assert listed(other) == listed(built)


def test_the_list_is_lost(built: Repository, bucket: Bucket) -> None:
    """The record and the bucket are enough to write the list again, with the same bytes."""
    built.lambdas("publish", "--bucket", bucket.url)
    before = (built.root / "lambdas.published.json").read_bytes()
    other = clone(built, "other")
    (other.root / "lambdas.published.json").unlink()
    other.lambdas("publish", "--bucket", bucket.url)
    assert (other.root / "lambdas.published.json").read_bytes() == before


def test_only_what_changed_is_uploaded(built: Repository, bucket: Bucket, proxy: Proxy) -> None:
    """An edit uploads one object; the others keep their versions, and so does the earlier one."""
    built.lambdas("publish", "--bucket", bucket.url)
    before = listed(built)
    edit(built, "# edited\n")
    proxy.requests.clear()
    built.lambdas("publish")
    after = listed(built)
    assert proxy.count("PUT") == 1
    assert {name for name in after if after[name] != before[name]} == {"api"}
    assert hashlib.sha256(bucket.read(before["api"])).hexdigest() == before["api"]["sha256"]
    assert len(bucket.names()) == 4


def test_a_revert_keeps_the_version(built: Repository, bucket: Bucket, proxy: Proxy) -> None:
    """Going back to earlier code uploads nothing, and proves the object by its ETag: no byte of it
    is downloaded.
    """
    built.lambdas("publish", "--bucket", bucket.url)
    before = listed(built)
    edit(built, "# edited\n")
    built.lambdas("publish")
    edit(built, "# api\n")
    proxy.requests.clear()
    built.lambdas("publish")
    assert listed(built) == before
    assert proxy.count("PUT") == proxy.count("GET") == 0


def test_named_variants(built: Repository, bucket: Bucket) -> None:
    """Names publish some variants, and leave the entries of the others as they are."""
    built.lambdas("publish", "--bucket", bucket.url, "jobs")
    assert listed(built).keys() == {"jobs"}
    built.lambdas("publish", "api")
    assert listed(built).keys() == {"api", "jobs"}
    failed = built.lambdas("publish", "apy", code=3)
    assert "did you mean 'api'?" in failed.errors


def test_two_at_the_same_time(built: Repository, bucket: Bucket, proxy: Proxy) -> None:
    """A list that another process writes during the uploads keeps the entries of both."""
    arrived, gate = held(proxy)
    arguments = ("publish", "--bucket", bucket.url)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(built.lambdas, *arguments, "api")
        assert arrived.wait(60)
        built.lambdas(*arguments, "jobs")
        assert listed(built).keys() == {"jobs"}
        gate.set()
        assert "1 uploaded" in first.result().output
        assert listed(built).keys() == {"api", "jobs"}
        arrived.clear()
        gate.clear()
        edit(built, "# edited\n")
        whole = pool.submit(built.lambdas, "publish")  # it did not know of 'later'
        assert arrived.wait(60)
        later = {**listed(built), "later": listed(built)["jobs"]}
        built.write({"lambdas.published.json": json.dumps(later)})
        gate.set()
        whole.result()
    assert listed(built).keys() == {"api", "common", "jobs", "later"}


def test_another_bucket(built: Repository, bucket: Bucket, production: Bucket) -> None:
    """Names do not mix buckets in a list; without names, all functions move."""
    built.lambdas("publish", "--bucket", bucket.url)
    before = listed(built)
    failed = built.lambdas("publish", "api", "--bucket", production.url, code=1)
    assert (
        f"lambdas.published.json keeps common, jobs in {bucket.url}, and {production.url} is "
        "another place; leave out the names"
    ) in failed.errors
    assert (listed(built), production.names()) == (before, [])
    other = "lambdas.published.eu.json"
    built.lambdas("publish", "api", "--bucket", production.url, "--list", other)
    assert listed(built, other).keys() == {"api"}
    commit(built)
    failed = built.lambdas("promote", "jobs", "--bucket", bucket.url, "--list", other, code=1)
    assert f"{other} keeps api in {production.url}" in failed.errors
    built.lambdas("publish", "--bucket", production.url)
    assert {one["s3_bucket"] for one in listed(built).values()} == {production.name}


def test_an_undeclared_variant_leaves_the_list(built: Repository, bucket: Bucket) -> None:
    """A function that was removed from lambdas.yaml is not in the next list."""
    built.lambdas("publish", "--bucket", bucket.url)
    manifest = (built.root / "lambdas.yaml").read_text()
    built.write({"lambdas.yaml": manifest.replace("  jobs: {handler: app.handler}\n", "")})
    built.lambdas("record")
    built.lambdas("publish")
    assert listed(built).keys() == {"api", "common"}


def test_out_of_date(built: Repository, bucket: Bucket) -> None:
    """ZIPs or records of other inputs are refused, all at once, and nothing is uploaded."""
    built.write({"lambdas/api/app.py": HANDLER + "# other\n"})
    built.write({"lambdas/jobs/app.py": HANDLER + "# other\n"})
    failed = built.lambdas("publish", "--bucket", bucket.url, code=1)
    for name in ("api", "jobs"):
        assert f"has the hash of other inputs for '{name}'; run 'lambdas record'" in failed.errors
    (built.root / "lambdas.hashes.json").unlink()
    failed = built.lambdas("publish", "--bucket", bucket.url, code=1)
    assert "dist/api.zip is out of date; run 'lambdas build api'" in failed.errors
    assert "dist/jobs.zip is out of date; run 'lambdas build jobs'" in failed.errors
    assert not (built.root / "lambdas.published.json").exists()
    assert bucket.names() == []


def test_a_damaged_zip(built: Repository, bucket: Bucket) -> None:
    """A ZIP that was changed in dist/ is not uploaded."""
    (built.root / "lambdas.hashes.json").unlink()
    zip_of(built, "api").write_bytes(b"PK other bytes")
    failed = built.lambdas("publish", "--bucket", bucket.url, code=1)
    assert "dist/api.zip is out of date" in failed.errors
    assert bucket.names() == []


def test_a_zip_that_the_record_contradicts(built: Repository, bucket: Bucket) -> None:
    """The record decides: another hash for the same inputs is refused."""
    record = json.loads((built.root / "lambdas.hashes.json").read_text())
    other = hashlib.sha256(b"other").digest()
    import base64

    record["api"] |= {
        "sha256": other.hex(),
        "source_code_hash": base64.b64encode(other).decode(),
    }
    built.write({"lambdas.hashes.json": json.dumps(record)})
    failed = built.lambdas("publish", "--bucket", bucket.url, code=1)
    assert f"'api' has sha256 {other.hex()} for these inputs" in failed.errors
    assert bucket.names() == []


@pytest.mark.parametrize("same_size", [True, False])
def test_a_foreign_object(built: Repository, bucket: Bucket, *, same_size: bool) -> None:
    """An object with other bytes in the place of a ZIP is an error that names it; it is not
    overwritten, and the list is not written.
    """
    content = zip_of(built, "api").read_bytes()
    key = f"code/{hashlib.sha256(content).hexdigest()}.zip"
    foreign = (b"x" + content[1:]) if same_size else b"foreign"
    bucket.put(key, foreign)
    failed = built.lambdas("publish", "--bucket", bucket.url, code=1)
    assert f"s3://{bucket.name}/{key}: the object has other bytes" in failed.errors
    assert "lambdas errors published-object" in failed.errors
    assert "2 of 3 succeeded; the list is unchanged" in failed.errors
    assert not (built.root / "lambdas.published.json").exists()
    assert bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read() == foreign


def test_an_overwritten_object(built: Repository, bucket: Bucket) -> None:
    """In a versioned bucket an entry names its version, which nobody can change."""
    built.lambdas("publish", "--bucket", bucket.url)
    before = listed(built)
    bucket.put(before["api"]["s3_key"], b"foreign")
    built.lambdas("publish")
    assert listed(built) == before
    assert bucket.read(before["api"]) == zip_of(built, "api").read_bytes()


def test_an_object_that_s3_encrypted(built: Repository, bucket: Bucket, proxy: Proxy) -> None:
    """Where the ETag is no MD5, as with KMS, the bytes are downloaded once and hashed."""
    content = zip_of(built, "api").read_bytes()
    key = f"code/{hashlib.sha256(content).hexdigest()}.zip"
    upload = bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)["UploadId"]
    named = {"Bucket": bucket.name, "Key": key, "UploadId": upload}
    part = bucket.client.upload_part(**named, PartNumber=1, Body=content)
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    bucket.client.complete_multipart_upload(**named, MultipartUpload=parts)
    built.lambdas("publish", "--bucket", bucket.url)
    assert proxy.count("GET", ".zip") == 1
    assert bucket.read(listed(built)["api"]) == content
    assert list((built.root / "build/remote").iterdir()) == []


def test_a_bucket_without_versions(
    built: Repository, moto: int, proxy: Proxy, bucket: Bucket
) -> None:
    """Without versions the list has null, and a warning says how to turn them on. A foreign object
    is found at each run.
    """
    plain = make_bucket(moto, f"{bucket.name}-plain", proxy, versions=False)
    done = built.lambdas("publish", "--bucket", plain.url)
    assert "aws s3api put-bucket-versioning" in done.errors
    assert {one["s3_object_version"] for one in listed(built).values()} == {None}
    assert "0 uploaded, 3 unchanged" in built.lambdas("publish").output
    content = zip_of(built, "api").read_bytes()
    plain.put(listed(built)["api"]["s3_key"], b"x" + content[1:])
    assert "other bytes" in built.lambdas("publish", code=1).errors


def test_another_server_of_s3(built: Repository, localbucket: int) -> None:
    """Publish and publish again on a server that is not moto."""
    server = Proxy(localbucket)
    built.environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.port}"
    assert "3 uploaded" in built.lambdas("publish", "--bucket", "s3://builds/published").output
    assert "0 uploaded, 3 unchanged" in built.lambdas("publish").output
    assert server.count("PUT") == 3
    server.stop()


def test_a_failed_upload(built: Repository, bucket: Bucket, proxy: Proxy) -> None:
    """A refused upload names the object and the permission; the others are done, the earlier list
    stays, and the next run goes on.
    """
    built.lambdas("publish", "--bucket", bucket.url)
    before = listed(built)
    for name in ("api", "jobs"):
        built.write({f"lambdas/{name}/app.py": HANDLER + f"# {name}, edited\n"})
    built.lambdas("record")
    sha256 = hashlib.sha256(zip_of(built, "api").read_bytes()).hexdigest()
    proxy.harm = lambda method, path: "403" if method == "PUT" and sha256 in path else ""
    failed = built.lambdas("publish", code=1)
    assert f"{sha256}.zip: permission denied; allow s3:PutObject" in failed.errors
    assert "2 of 3 succeeded" in failed.errors
    assert listed(built) == before
    proxy.harm = lambda _, __: ""
    proxy.requests.clear()
    assert "1 uploaded" in built.lambdas("publish").output
    assert proxy.count("PUT") == 1


@pytest.mark.parametrize("command", ["publish", "promote"])
def test_interrupted(
    built: Repository, bucket: Bucket, production: Bucket, proxy: Proxy, command: str
) -> None:
    """Ctrl-C while S3 hangs ends at once with 130, and the earlier list stays, which the output
    says; a rerun goes on.
    """
    built.lambdas("publish", "--bucket", bucket.url)
    target = "lambdas.published.json" if command == "publish" else PRODUCTION
    if command == "promote":
        commit(built)
        built.lambdas(command, "--bucket", production.url)
    before = listed(built, target)
    edit(built, "# edited\n")
    if command == "promote":
        built.lambdas("publish")
    proxy.harm = lambda method, _: "hang" if method == "PUT" else ""
    proxy.requests.clear()
    process = subprocess.Popen(
        [built.python, "-m", "buildlib", command],
        cwd=built.root,
        env=built.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not proxy.count("PUT"):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=15)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert f"interrupted: {target} is unchanged; objects that were uploaded stay" in errors
    assert listed(built, target) == before
    proxy.harm = lambda _, __: ""
    assert "1 uploaded" in built.lambdas(command).output


def test_without_the_permission_to_list(built: Repository, bucket: Bucket, proxy: Proxy) -> None:
    """S3 answers 403 to a HEAD of a missing object unless one may list, and uploads work."""
    proxy.harm = lambda method, _: "403" if method == "HEAD" else ""
    assert "3 uploaded" in built.lambdas("publish", "--bucket", bucket.url).output
    (built.root / "lambdas.published.json").unlink()
    failed = built.lambdas("publish", "--bucket", bucket.url, code=1)
    assert "allow s3:GetObject, s3:GetObjectVersion and s3:ListBucket" in failed.errors


def test_dry_run(built: Repository, bucket: Bucket, proxy: Proxy) -> None:
    """A dry run says what would be uploaded, and changes nothing."""
    done = built.lambdas("publish", "--bucket", bucket.url, "--dry-run")
    assert "3 to upload" in done.output
    assert bucket.names() == []
    assert proxy.count("PUT") == 0
    assert not (built.root / "lambdas.published.json").exists()
    built.lambdas("publish", "--bucket", bucket.url)
    assert "0 to upload, 3 unchanged" in built.lambdas("publish", "--dry-run").output


def test_addresses(built: Repository, bucket: Bucket) -> None:
    """An address that Lambda cannot read code from is refused with the right form."""
    for wrong in ("gs://bucket/x", "s3://", "s3://UPPER/x", "s3://bucket/../x", "bucket/x"):
        failed = built.lambdas("publish", "--bucket", wrong, code=1)
        assert "expected s3://<bucket>/<prefix>" in failed.errors, wrong
    failed = built.lambdas("publish", code=1)
    assert "does not name a bucket yet; set '--bucket s3://<bucket>/<prefix>'" in failed.errors
    failed = built.lambdas("publish", "--bucket", bucket.url, "--list", "prod.json", code=2)
    assert "lambdas.published*.json" in failed.errors
    built.lambdas("publish", "--bucket", f"s3://{bucket.name}")
    assert "/" not in "".join(bucket.names())
    built.lambdas("publish")


def test_a_list_outside(built: Repository, bucket: Bucket, proxy: Proxy) -> None:
    """A list outside the repository is refused before any request, because gc would not see it; one
    in a folder is shown with its path.
    """
    outside = "../lambdas.published.json"
    for command in ("publish", "promote"):
        arguments = (command, "--bucket", bucket.url, "--list", outside)
        failed = built.lambdas(*arguments, code=1)
        path = (built.root / outside).resolve()
        assert f"'--list {path}': the list must be in the repository" in failed.errors
        assert "'lambdas gc'" in failed.errors
    assert proxy.requests == []
    (built.root / "lists").mkdir()
    inside = "lists/lambdas.published.eu.json"
    done = built.lambdas("publish", "--bucket", bucket.url, "--list", inside)
    assert f"listed in {inside}" in done.output
    done = built.lambdas("publish", "--list", inside, "--json")
    assert output(done)["list"] == inside
    built.write({inside: "{"})
    assert f"{inside}: not JSON" in built.lambdas("publish", "--list", inside, code=1).errors


def test_a_missing_bucket(built: Repository, bucket: Bucket) -> None:
    """A bucket that does not exist is named, without a traceback."""
    failed = built.lambdas("publish", "--bucket", f"s3://{bucket.name}-not/code", code=1)
    assert "the bucket does not exist" in failed.errors


def test_settings(built: Repository, bucket: Bucket, proxy: Proxy) -> None:
    """A wrong endpoint and missing credentials are named, without a traceback."""
    arguments = ("publish", "--bucket", bucket.url)
    failed = built.lambdas(*arguments, code=1, AWS_ENDPOINT_URL="nonsense")
    assert "AWS_ENDPOINT_URL: expected an address with http:// or https://" in failed.errors
    assert "panicked" not in failed.errors
    built.environment.pop("AWS_ACCESS_KEY_ID")
    failed = built.lambdas(*arguments, code=1)
    assert "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION" in failed.errors
    built.environment.pop("AWS_SECRET_ACCESS_KEY")
    address = f"http://127.0.0.1:{proxy.port}"
    proxy.harm = lambda _, __: "403"
    failed = built.lambdas(*arguments, code=1, AWS_METADATA_ENDPOINT=address)
    assert "no credentials are set: set AWS_PROFILE" in failed.errors
    failed = built.lambdas(*arguments, code=1, AWS_PROFILE="nobody")
    assert "The config profile (nobody) could not be found" in failed.errors


def test_a_list_with_a_conflict(built: Repository, bucket: Bucket) -> None:
    """A list that a merge damaged is not overwritten."""
    built.write({"lambdas.published.json": "<<<<<<< HEAD\n"})
    failed = built.lambdas("publish", "--bucket", bucket.url, code=1)
    assert "lambdas.published.json: not JSON" in failed.errors
    assert (built.root / "lambdas.published.json").read_text() == "<<<<<<< HEAD\n"


@pytest.mark.parametrize(
    ("field", "value"),
    [("lambda", ["api"]), ("layer", {}), ("runtime", 3.13), ("architecture", None), ("size", 1e9)],
)
def test_a_list_with_other_types(
    built: Repository, bucket: Bucket, field: str, value: object
) -> None:
    """A field of another type is named, by each command that reads the list."""
    built.lambdas("publish", "--bucket", bucket.url)
    entries = listed(built)
    entries["api"][field] = value
    built.write({"lambdas.published.json": json.dumps(entries)})
    place = ("--bucket", bucket.url)
    for command in (("publish", *place), ("promote", "api", *place), ("rebuild", "api")):
        failed = built.lambdas(*command, code=1)
        assert f"'api': missing or wrong: {field}" in failed.errors


def test_the_list_is_no_part_of_a_function(repository: Repository, bucket: Bucket) -> None:
    """With the repository's root as the source, a new list does not change the ZIP."""
    manifest = "version: 1\nlambdas:\n  api: {source: ., handler: app.handler}\n"
    repository.write({"lambdas.yaml": manifest, "app.py": HANDLER})
    shutil.rmtree(repository.root / "lambdas")
    repository.environment |= bucket.variables
    repository.lambdas("build")
    repository.lambdas("publish", "--bucket", bucket.url)
    production = "lambdas.published.production.json"
    repository.lambdas("publish", "--bucket", bucket.url, "--list", production)
    assert "unchanged" in repository.lambdas("build").output
    assert "0 uploaded, 1 unchanged" in repository.lambdas("publish").output


def test_json(built: Repository, bucket: Bucket) -> None:
    """`--json` has each object and its outcome, and nothing else on stdout."""
    done = output(built.lambdas("publish", "--bucket", bucket.url, "--json"))
    entries = listed(built)
    assert done["command"] == "publish"
    assert done["to"] == bucket.url
    for one in done["objects"]:
        assert one["outcome"] == "uploaded"
        assert one["s3_object_version"] == entries[one["id"]]["s3_object_version"]
    commit(built)
    again = output(built.lambdas("publish", "--json"))
    assert {one["outcome"] for one in again["objects"]} == {"unchanged"}
    assert again["uploaded_size"] == 0
