"""Poisoned entries: another ZIP under the right key, and what each trust does about it.

The attacker of CVE-2025-36852 (CREEP) may write to the bucket, as a pull request's job with the
cache's credentials can, and is there before any honest builder.
"""

import hashlib
import json

import pytest

from tests.conftest import Repository
from tests.remote.forging import Keys, evil_zip, forge, key_of, make_keys, manifest
from tests.remote.servers import Shared, using
from tests.test_store import clone

OFF = {"LAMBDA_ZIP_REMOTE": "off"}


@pytest.fixture(scope="module")
def ci() -> Keys:
    """Give the keys of an honest builder."""
    return make_keys()


@pytest.fixture(scope="module")
def second() -> Keys:
    """Give the keys of another honest builder."""
    return make_keys()


def honest(builder: Repository, text: str = "") -> tuple[str, dict[str, str]]:
    """Build without a cache; return the key of `api`, and the right hashes."""
    if text:
        builder.write({"lambdas.yaml": text})
    using(builder, OFF).lambdas("build")
    return key_of(builder.root, "api"), builder.sha256()


def test_trust_in_the_bucket_believes_the_bucket(builder: Repository, bucket: Shared) -> None:
    """`trust: bucket` protects nobody from those who may write to it: the docs say so, and this is
    why pull requests must not have credentials to write.
    """
    key, _ = honest(builder)
    evil = forge(bucket, key, evil_zip())
    other = clone(builder, "other")
    using(other, bucket).lambdas("build")
    assert other.sha256()["api"] == evil


def test_a_rebuild_finds_the_poison(builder: Repository, bucket: Shared) -> None:
    """With `trust: bucket`, a builder that builds by itself finds the poison, fails, and rings the
    alarm for all others, which build by themselves from then on.
    """
    key, right = honest(builder)
    evil = forge(bucket, key, evil_zip())
    other = clone(builder, "other")
    done = using(other, bucket).lambdas("build", "--force", code=1)
    assert f"has {evil}, built by a friendly builder" in done.output, done
    assert "lambdas errors remote-dispute" in done.output
    third = clone(builder, "third")
    done = using(third, bucket).lambdas("build", code=1)
    assert "different ZIPs for the same inputs" in done.errors
    assert third.index().get("api", {}).get("sha256") != evil
    assert third.sha256()["jobs"] == right["jobs"]


def test_the_record_makes_poison_useless(builder: Repository, bucket: Shared) -> None:
    """With the committed record, the poison is refused and said, the right ZIP is built, and the
    build does not fail, whatever the trust is.
    """
    key, right = honest(builder)
    using(builder, OFF).lambdas("record")
    evil = forge(bucket, key, evil_zip())
    other = clone(builder, "other")
    done = using(other, bucket).lambdas("build")
    assert other.sha256() == right
    assert "other ZIPs than lambdas.hashes.json records" in done.errors
    assert f"disputes/{key}/{right['api']}" in bucket.objects.names()  # the alarm for the others
    kept = sorted(path.name for path in (other.root / "build/disputes").iterdir())
    assert kept == sorted(f"api-{sha256[:12]}.zip" for sha256 in (evil, right["api"]))


def test_the_record_with_a_poisoned_blob(builder: Repository, bucket: Shared) -> None:
    """Other bytes in the place of the right ZIP are found by their sha256."""
    _, right = honest(builder)
    using(builder, OFF).lambdas("record")
    using(builder, bucket).lambdas("build", "--force")
    bucket.objects.write(f"cas/{right['api']}", evil_zip())
    other = clone(builder, "other")
    done = using(other, bucket).lambdas("build")
    assert other.sha256() == right
    assert "another sha256 than their entries say" in done.errors


@pytest.mark.parametrize("attack", ["unsigned", "another key", "wrong signature", "renamed"])
def test_signatures_stop_writers_of_the_bucket(
    builder: Repository, bucket: Shared, ci: Keys, attack: str
) -> None:
    """`trust: signed` refuses an entry that none of the trusted keys signed, and builds."""
    key, right = honest(builder, manifest(ci))
    attacker = make_keys()
    evil = forge(bucket, key, evil_zip(), attacker)
    place = f"keys/{key}.{ci.id}.json"
    entry = json.loads(bucket.objects.read(f"keys/{key}.{attacker.id}.json"))
    if attack == "another key":
        bucket.objects.write(place, json.dumps(entry).encode())
    elif attack == "renamed":
        bucket.objects.write(place, json.dumps(entry | {"signer": ci.id}).encode())
    elif attack == "wrong signature":
        entry |= {"signer": ci.id, "signature": "AA=="}
        bucket.objects.write(place, json.dumps(entry).encode())
    other = clone(builder, "other")
    done = using(other, bucket).lambdas("build")
    assert other.sha256() == right
    assert evil not in other.sha256().values()
    assert ("without a valid signature" in done.errors) == (attack != "unsigned"), done.errors


def test_a_signed_build_is_taken(builder: Repository, bucket: Shared, ci: Keys) -> None:
    """An entry that a trusted builder signed is taken, by builders without a key, who upload
    nothing themselves.
    """
    builder.write({"lambdas.yaml": manifest(ci)})
    using(using(builder, bucket), ci.environment).lambdas("build", "api")
    there = bucket.objects.names()
    assert len([name for name in there if ci.id in name]) == 1
    other = clone(builder, "other")
    done = using(other, bucket).lambdas("build")
    assert "1 built, 1 from the remote cache" in done.output, done
    assert bucket.objects.names() == there


def test_a_replayed_signature_is_of_another_key(
    builder: Repository, bucket: Shared, ci: Keys
) -> None:
    """An honest entry for one key, with its signature, proves nothing under another key, also if
    its field `key` is changed.
    """
    builder.write({"lambdas.yaml": manifest(ci)})
    using(using(builder, bucket), ci.environment).lambdas("build")
    right = builder.sha256()
    api, jobs = (key_of(builder.root, name) for name in ("api", "jobs"))
    entry = json.loads(bucket.objects.read(f"keys/{jobs}.{ci.id}.json"))
    for replayed in (entry, entry | {"key": api}):
        bucket.objects.write(f"keys/{api}.{ci.id}.json", json.dumps(replayed).encode())
        other = clone(builder, f"other-{replayed['key'][:8]}")
        done = using(other, bucket).lambdas("build")
        assert other.sha256() == right
        assert "which were not used (api)" in done.errors


@pytest.mark.parametrize("field", ["sha256", "size"])
def test_a_signature_covers_the_zip(
    builder: Repository, bucket: Shared, ci: Keys, field: str
) -> None:
    """An entry whose sha256 or size was changed after it was signed is refused."""
    builder.write({"lambdas.yaml": manifest(ci)})
    using(using(builder, bucket), ci.environment).lambdas("build")
    right, evil = builder.sha256(), evil_zip()
    place = f"keys/{key_of(builder.root, 'api')}.{ci.id}.json"
    entry = json.loads(bucket.objects.read(place))
    entry[field] = hashlib.sha256(evil).hexdigest() if field == "sha256" else len(evil)
    bucket.objects.write(f"cas/{hashlib.sha256(evil).hexdigest()}", evil)
    bucket.objects.write(place, json.dumps(entry).encode())
    other = clone(builder, "other")
    done = using(other, bucket).lambdas("build")
    assert other.sha256() == right
    assert "without a valid signature" in done.errors


def test_a_truncated_entry(builder: Repository, bucket: Shared, ci: Keys) -> None:
    """A truncated entry is damage: it is not used, and not replaced."""
    builder.write({"lambdas.yaml": manifest(ci)})
    using(using(builder, bucket), ci.environment).lambdas("build")
    place = f"keys/{key_of(builder.root, 'api')}.{ci.id}.json"
    content = bucket.objects.read(place)
    bucket.objects.write(place, content[: len(content) // 2])
    other = clone(builder, "other")
    done = using(using(other, bucket), ci.environment).lambdas("build")
    assert "damaged entries" in done.errors
    assert other.sha256() == builder.sha256()
    assert bucket.objects.read(place) == content[: len(content) // 2]


def test_two_of_three(builder: Repository, bucket: Shared, ci: Keys, second: Keys) -> None:
    """With `signatures: 2`, one builder is not enough; the second one builds by itself and signs,
    and then others take the ZIP.
    """
    text = manifest(ci, second, make_keys(), signatures=2)
    builder.write({"lambdas.yaml": text})
    using(using(builder, bucket), ci.environment).lambdas("build")
    reader = clone(builder, "reader")
    assert "2 built" in using(reader, bucket).lambdas("build").output
    other = clone(builder, "other")
    assert "2 built" in using(using(other, bucket), second.environment).lambdas("build").output
    late = clone(builder, "late")
    assert "2 from the remote cache" in using(late, bucket).lambdas("build").output
    assert late.sha256() == builder.sha256()


def test_one_stolen_key_of_two_is_not_enough(
    builder: Repository, bucket: Shared, ci: Keys, second: Keys
) -> None:
    """An attacker with one of two keys cannot poison, also with its signature in both places; the
    holder of the other key finds the poison and fails.
    """
    key, right = honest(builder, manifest(ci, second, signatures=2))
    forge(bucket, key, evil_zip(), ci)
    stolen = bucket.objects.read(f"keys/{key}.{ci.id}.json")
    bucket.objects.write(f"keys/{key}.{second.id}.json", stolen)
    reader = clone(builder, "reader")
    done = using(reader, bucket).lambdas("build", code=1)
    assert "api: two builds of the same inputs have different bytes" in done.output
    assert reader.index().keys() == {"jobs"}
    bucket.objects.delete(f"keys/{key}.{second.id}.json")
    other = clone(builder, "other")
    using(using(other, bucket), second.environment).lambdas("build", code=1)
    assert other.sha256() == {"jobs": right["jobs"]}


def test_a_stolen_key_is_believed(builder: Repository, bucket: Shared, ci: Keys) -> None:
    """With `signatures: 1`, whoever has the key is believed: the docs say so. The record is not
    impressed.
    """
    key, right = honest(builder, manifest(ci))
    evil = forge(bucket, key, evil_zip(), ci)
    other = clone(builder, "other")
    using(other, bucket).lambdas("build")
    assert other.sha256()["api"] == evil
    using(builder, OFF).lambdas("record")
    third = clone(builder, "third")
    using(third, bucket).lambdas("build")
    assert third.sha256() == right


@pytest.mark.parametrize("content", [b"no ZIP", evil_zip()[:-9]])
def test_an_entry_for_no_zip(builder: Repository, bucket: Shared, content: bytes) -> None:
    """A blob that is no ZIP, under its own sha256, is not used, and rings the alarm."""
    key, _ = honest(builder)
    forge(bucket, key, content)
    other = clone(builder, "other")
    done = using(other, bucket).lambdas("build", code=1)
    assert "api: two builds of the same inputs have different bytes" in done.output
    assert "entries whose files are no ZIPs" in done.errors
    assert other.sha256() == {"jobs": builder.sha256()["jobs"]}


def test_an_entry_without_its_zip_is_no_dispute(builder: Repository, bucket: Shared) -> None:
    """A claim whose ZIP nobody can show fails no build: it is damage, and said."""
    key, right = honest(builder)
    evil = forge(bucket, key, evil_zip())
    bucket.objects.delete(f"cas/{evil}")
    other = clone(builder, "other")
    done = using(other, bucket).lambdas("build")
    assert other.sha256() == right
    assert "delete these entries from the cache" in done.errors


def test_a_key_that_nobody_trusts(builder: Repository, bucket: Shared, ci: Keys) -> None:
    """A signing key that the manifest does not list is a mistake, and said before anything is
    built; its message has the public key, and nothing of the private one.
    """
    stranger = make_keys()
    builder.write({"lambdas.yaml": manifest(ci)})
    done = using(using(builder, bucket), stranger.environment).lambdas("build", code=1)
    assert stranger.public in done.output
    assert "PRIVATE" not in done.output + done.errors
    broken = {"LAMBDA_ZIP_SIGNING_KEY": stranger.private[:60]}
    done = using(using(builder, bucket), broken).lambdas("build", code=1)
    assert "LAMBDA_ZIP_SIGNING_KEY: not an Ed25519 private key" in done.output
    assert stranger.private[30:60] not in done.output + done.errors
