"""`lambdas promote`: what was published goes to another bucket, by its hash."""

import hashlib
import json

import pytest

from tests.conftest import HANDLER, Repository
from tests.publish.conftest import Bucket, commit, edit, git, listed, output, zip_of
from tests.remote.servers import Proxy

PRODUCTION = "lambdas.published.production.json"


@pytest.fixture
def published(built: Repository, bucket: Bucket) -> Repository:
    """Give a repository whose ZIPs are published."""
    built.lambdas("publish", "--bucket", bucket.url)
    commit(built, "publish")
    return built


def test_promote(published: Repository, production: Bucket, proxy: Proxy) -> None:
    """Each object is copied under the same hash, without a build and without dist/; the list for
    production differs in the places alone.
    """
    contents = {name: zip_of(published, name).read_bytes() for name in listed(published)}
    for path in (published.root / "dist").iterdir():
        path.unlink()
    done = published.lambdas("promote", "--bucket", production.url)
    assert "3 uploaded" in done.output
    before, after = listed(published), listed(published, PRODUCTION)
    assert before.keys() == after.keys()
    for name, entry in after.items():
        assert production.read(entry) == contents[name]
        place = {"s3_bucket": production.name, "s3_object_version": entry["s3_object_version"]}
        assert entry == before[name] | place
    proxy.requests.clear()
    proxy.sent = 0
    assert "0 uploaded, 3 unchanged" in published.lambdas("promote").output
    assert [method for method, _ in proxy.requests] == ["HEAD"] * 3
    assert proxy.sent == 0
    assert not list((published.root / "build/remote").iterdir())


def test_an_unrecorded_hash(published: Repository, production: Bucket, proxy: Proxy) -> None:
    """A hash that the committed record lacks is refused before any request; an entry that is only
    in the working tree does not count.
    """
    before = (published.root / "lambdas.hashes.json").read_bytes()
    edit(published, "# edited\n")
    published.lambdas("publish", "api")
    published.write({"lambdas.hashes.json": before})
    commit(published, "the record of before")
    published.write({"lambdas/api/app.py": HANDLER + "# edited\n"})
    published.lambdas("record")
    proxy.requests.clear()
    failed = published.lambdas("promote", "--bucket", production.url, code=1)
    sha256 = listed(published)["api"]["sha256"]
    assert f"'api' has sha256 {sha256}, which is not recorded" in failed.errors
    assert "run 'lambdas record', commit the file" in failed.errors
    assert proxy.requests == []
    assert production.names() == []
    commit(published, "record")
    assert "3 uploaded" in published.lambdas("promote", "--bucket", production.url).output


def test_without_a_record(published: Repository, production: Bucket) -> None:
    """Without a committed record nothing is promoted."""
    git(published, "rm", "--quiet", "--cached", "lambdas.hashes.json")
    git(published, "commit", "--quiet", "--message", "no record")
    failed = published.lambdas("promote", "--bucket", production.url, code=1)
    assert "lambdas.hashes.json is not in the last commit" in failed.errors
    assert production.names() == []


@pytest.mark.parametrize("versioned", [True, False])
def test_wrong_bytes(
    published: Repository, bucket: Bucket, production: Bucket, *, versioned: bool
) -> None:
    """Bytes with another hash never reach production, although their key and size are right: an
    object that somebody overwrote, or that the way damaged.
    """
    entries = listed(published)
    content = zip_of(published, "api").read_bytes()
    key = entries["api"]["s3_key"]
    bucket.put(key, b"x" + content[1:])
    if versioned:  # the list of a bucket with versions names the right one, which is still there
        published.lambdas("promote", "--bucket", production.url)
        assert production.read(listed(published, PRODUCTION)["api"]) == content
        return
    entries["api"]["s3_object_version"] = None
    text = json.dumps(entries, indent=2, sort_keys=True) + "\n"
    published.write({"lambdas.published.json": text})
    failed = published.lambdas("promote", "--bucket", production.url, code=1)
    assert "the object has other bytes than its name says" in failed.errors
    assert key not in production.names()
    assert not (published.root / PRODUCTION).exists()


def test_damage_on_the_way(published: Repository, production: Bucket, proxy: Proxy) -> None:
    """A download that arrives with another byte is refused, and the next run goes on."""
    key = listed(published)["jobs"]["s3_key"]
    proxy.harm = lambda method, path: "wrong" if method == "GET" and key in path else ""
    failed = published.lambdas("promote", "--bucket", production.url, code=1)
    assert f"{key}: the object has other bytes" in failed.errors
    assert "2 of 3 succeeded" in failed.errors
    assert key not in production.names()
    proxy.harm = lambda _, __: ""
    done = published.lambdas("promote", "--bucket", production.url)
    assert "1 uploaded" in done.output
    assert "2 unchanged" in done.output


def test_a_foreign_object_in_production(published: Repository, production: Bucket) -> None:
    """An object that is already there is proved, too."""
    key = listed(published)["api"]["s3_key"]
    content = zip_of(published, "api").read_bytes()
    production.put(key, b"x" + content[1:])
    failed = published.lambdas("promote", "--bucket", production.url, code=1)
    assert f"s3://{production.name}/{key}: the object has other bytes" in failed.errors


def test_names(published: Repository, production: Bucket) -> None:
    """Names promote some entries, and keep the others of the list for production."""
    published.lambdas("promote", "--bucket", production.url, "api")
    edit(published, "# edited\n", "lambdas/jobs/app.py")
    published.lambdas("publish")
    published.lambdas("promote", "jobs")
    assert listed(published, PRODUCTION).keys() == {"api", "jobs"}
    failed = published.lambdas("promote", "--list", "lambdas.published.json", code=1)
    assert "'--list' names another one to write" in failed.errors
    failed = published.lambdas("promote", "apy", code=1)
    assert "lambdas.published.json has no apy; it has api, common, jobs" in failed.errors


def test_two_accounts(published: Repository, production: Bucket, proxy: Proxy) -> None:
    """Each side may have a profile of AWS's configuration, with its own credentials and region;
    their secrets appear nowhere.
    """
    home = published.root.parent / "aws"
    home.mkdir()
    (home / "config").write_text(
        "[profile dev]\nregion = eu-west-1\n[profile prod]\nregion = us-east-1\n"
    )
    (home / "credentials").write_text(
        "[dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = secret-of-dev\n"
        "[prod]\naws_access_key_id = AKIAPROD\naws_secret_access_key = secret-of-prod\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        published.environment.pop(name)
    published.environment |= {
        "AWS_CONFIG_FILE": str(home / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
    }
    proxy.signers.clear()
    arguments = ("promote", "--bucket", production.url, "--from-profile", "dev", "--to-profile")
    done = published.lambdas(*arguments, "prod")
    assert "3 uploaded" in done.output
    assert {(method, who) for method, who in proxy.signers} == {
        ("GET", "AKIADEV eu-west-1"),
        ("HEAD", "AKIAPROD us-east-1"),
        ("PUT", "AKIAPROD us-east-1"),
    }
    assert "secret-of" not in done.output + done.errors
    failed = published.lambdas(*arguments, "nobody", code=1)
    assert "nobody" in failed.errors
    proxy.signers.clear()
    published.lambdas("publish", AWS_PROFILE="dev")
    assert {who for _, who in proxy.signers} == {"AKIADEV eu-west-1"}


def test_json(published: Repository, production: Bucket) -> None:
    """`--json` and `--dry-run` say what would be copied, and copy nothing."""
    arguments = ("promote", "--bucket", production.url, "--json")
    done = output(published.lambdas(*arguments, "--dry-run"))
    assert {one["outcome"] for one in done["objects"]} == {"pending"}
    assert done["dry_run"] is True
    assert production.names() == []
    done = output(published.lambdas(*arguments))
    assert done["command"] == "promote"
    for one in done["objects"]:
        assert one["outcome"] == "uploaded"
        assert hashlib.sha256(production.read(one)).hexdigest() == one["sha256"]
