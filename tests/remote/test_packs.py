"""Machines that share compressed members: each content is compressed on one machine only."""

import hashlib
import io
import json
import zlib
from collections.abc import Callable

import pytest

from buildlib.cache.packs import DEFLATED, STORED, NewPack
from buildlib.model import CompressedMember
from tests.conftest import HANDLER, Index, Repository
from tests.remote.forging import forge, make_keys
from tests.remote.servers import Shared, using
from tests.test_store import clone

# Enough that a request is worth its time, in text that no encoder compresses to almost nothing.
LARGE = b"".join(hashlib.sha256(b"%d" % n).hexdigest().encode() for n in range(20_000))
CONTENTS = {"large/__init__.py": b"L = 1\n", "large/data.txt": LARGE}

Forge = Callable[[bytes], bytes]


@pytest.fixture
def large(dependent: Repository, index: Index) -> Repository:
    """Give a repository with one function, whose dependency is worth a request."""
    index.add("large", files=dict(CONTENTS))
    dependent.write({
        "lambdas.yaml": "version: 1\nlambdas:\n  api: {handler: app.handler}\n",
        "lambdas/api/requirements.txt": "large\n",
    })  # fmt: skip
    return dependent


def packs(shared: Shared) -> dict[str, str]:
    """Return the sha256 of each pack in the remote, by its key: a ZIP starts with `PK`."""
    found = {}
    for name in shared.objects.names():
        if name.startswith("keys/"):
            claim = json.loads(shared.objects.read(name))
            if shared.objects.read(f"cas/{claim['sha256']}")[:2] != b"PK":
                found[claim["key"]] = claim["sha256"]
    return found


def edited(repository: Repository, name: str) -> Repository:
    """Return a clone whose function has another source, so that no machine has its ZIP."""
    other = clone(repository, name)
    other.write({"lambdas/api/app.py": HANDLER + f"# {name}\n"})
    return other


def local(repository: Repository) -> set[str]:
    """Return the packs on a machine that are worth a request, by their sha256."""
    found = (repository.root / "build/cache/packs-v1").glob("*/*.pack")
    return {path.stem for path in found if path.stat().st_size > 100_000}


def other_encoding(content: bytes, level: int = 1) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def forged(contents: dict[str, bytes], *, encode: Forge, tamper: Forge = bytes) -> bytes:
    """Return a pack of members whose index names the digests of the honest contents."""
    stream = io.BytesIO()
    pack = NewPack(stream)
    for content in contents.values():
        data, digest = encode(tamper(content)), hashlib.sha256(content).hexdigest()
        crc, method = zlib.crc32(tamper(content)), STORED if encode is bytes else DEFLATED
        member = CompressedMember("", 0, len(data), len(tamper(content)), crc, method)
        pack.add({digest: member}, data)
    pack.finish()
    return stream.getvalue()


def everything(repository: Repository) -> dict[str, bytes]:
    """Return the members of the honest pack, which has the metadata of the wheel, too."""
    tree = next((repository.root / "build/env").glob("*/tree"))
    files = (path for path in tree.rglob("*") if path.is_file())
    return {path.name: path.read_bytes() for path in files}


def test_another_machine_compresses_nothing_again(large: Repository, shared: Shared) -> None:
    """A build of other sources takes the compressed dependencies from the remote, on each kind."""
    using(large, shared).lambdas("build")
    assert set(packs(shared).values()) == local(large)
    before = set(shared.objects.names())
    other = edited(large, "other")
    done = using(other, shared).lambdas("build")
    assert done.errors == "", done
    assert local(other) == local(large)
    new = set(shared.objects.names()) - before
    assert sorted(name.split("/")[0] for name in new) == ["cas", "keys"]  # of the new ZIP alone
    honest = edited(large, "honest")
    honest.write({"lambdas/api/app.py": (other.root / "lambdas/api/app.py").read_text()})
    honest.lambdas("build")
    assert honest.sha256() == other.sha256()


def test_levels_have_packs_of_their_own(large: Repository, bucket: Shared) -> None:
    """A function with another level takes no members of the first one from the remote."""
    using(large, bucket).lambdas("build")
    usual = packs(bucket)
    manifest = (large.root / "lambdas.yaml").read_text().replace("app.handler", _BEST)
    zips = {}
    for name in ("shared", "alone"):
        other = edited(large, name)
        other.write({"lambdas.yaml": manifest, "lambdas/api/app.py": HANDLER})
        (using(other, bucket) if name == "shared" else other).lambdas("build")
        zips[name] = other.sha256()["api"]
    assert zips["shared"] == zips["alone"] != large.sha256()["api"]
    assert len(packs(bucket)) == 2 * len(usual) == 2


_BEST = "app.handler, compression: best"


def test_a_pack_is_used(large: Repository, bucket: Shared) -> None:
    """The members of a pack that holds the right contents are in the ZIP as they are in the pack:
    a signature is the protection against another encoding.
    """
    using(large, bucket).lambdas("build")
    (key,) = packs(bucket)
    forge(bucket, key, forged(everything(large), encode=other_encoding))
    other, honest = edited(large, "other"), edited(large, "honest")
    using(other, bucket).lambdas("build")
    honest.lambdas("build")
    assert other.members("api").keys() == honest.members("api").keys()
    assert (other.root / "dist/api.zip").stat().st_size > 1.05 * (
        honest.root / "dist/api.zip"
    ).stat().st_size


BAD: dict[str, Callable[[dict[str, bytes], bytes], bytes]] = {
    "another content": lambda contents, _: forged(
        contents, encode=other_encoding, tamper=lambda content: content.replace(b"a", b"e")
    ),
    "another content, stored": lambda contents, _: forged(
        contents, encode=bytes, tamper=lambda content: content.replace(b"a", b"e")
    ),
    "a bomb": lambda _, __: forged(
        {"data.txt": LARGE}, encode=other_encoding, tamper=lambda _: b"\0" * 300_000_000
    ),
    "too little": lambda contents, _: forged(contents, encode=lambda _: b"\x03\x00"),
    "no deflate": lambda contents, _: forged(contents, encode=lambda _: b"\xff" * 100),
    "more after the end": lambda contents, _: forged(
        contents, encode=lambda content: other_encoding(content) + b"more"
    ),
    "a ZIP": lambda _, honest: b"PK\x03\x04" + honest,
    "half": lambda _, honest: honest[: len(honest) // 2],
    "no index": lambda _, __: b"\0" * 1000,
    "a huge index": lambda _, __: b"\xff" * 1000,
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_pack_is_refused(large: Repository, bucket: Shared, kind: str) -> None:
    """A pack under the right key that does not hold the right contents changes no byte."""
    using(large, bucket).lambdas("build")
    ((key, sha256),) = packs(bucket).items()
    honest = bucket.objects.read(f"cas/{sha256}")
    forge(bucket, key, BAD[kind](everything(large), honest))
    other, right = edited(large, "other"), edited(large, "right")
    right.write({"lambdas/api/app.py": (other.root / "lambdas/api/app.py").read_text()})
    right.lambdas("build")
    done = using(other, bucket).lambdas("build")
    assert other.sha256() == right.sha256(), done
    assert "the remote cache has compressed files with other contents" in done.errors
    assert local(other) == local(large)


def test_another_pack_is_noted(large: Repository, bucket: Shared) -> None:
    """A machine that compressed to other bytes says so, and from then on nobody takes either."""
    using(large, bucket).lambdas("build")
    ((key, sha256),) = packs(bucket).items()
    forge(bucket, key, b"\0" * 1000)
    other = edited(large, "other")
    done = using(other, bucket).lambdas("build")
    assert "the remote cache has other compressed files for the same contents" in done.errors
    assert f"disputes/{key}/{sha256}" in bucket.objects.names()
    last = edited(large, "last")
    using(last, bucket).lambdas("build")
    assert local(last) == local(large)
    # An administrator follows the advice.
    assert f"deletes keys/{key}.json and the folder disputes/{key}/ there" in done.errors
    bucket.objects.delete(f"keys/{key}.json")
    bucket.objects.delete(f"disputes/{key}/{sha256}")
    healed = using(edited(large, "healed"), bucket).lambdas("build")
    assert healed.errors == "", healed
    assert packs(bucket) == {key: sha256}


def test_small_packs_stay(dependent: Repository, bucket: Shared) -> None:
    """A pack that is compressed sooner than it arrives is neither asked for nor uploaded."""
    using(dependent, bucket).lambdas("build")
    assert not packs(bucket)


def test_signed_packs(large: Repository, bucket: Shared) -> None:
    """Where entries have to be signed, so have packs: a pack without a signature is not used."""
    keys = make_keys()
    large.write({
        "lambdas.yaml": (
            f"version: 1\ncache: {{trust: signed, keys: {{builder: {keys.public}}}}}\n"
            "lambdas:\n  api: {handler: app.handler}\n"
        )
    })  # fmt: skip
    signing = using(using(large, bucket), keys.environment)
    signing.lambdas("build")
    key = next(key for key in packs(bucket))
    pack = forged(everything(large), encode=other_encoding)
    forge(bucket, key, pack)
    taken, unsigned = edited(large, "taken"), edited(large, "unsigned")
    using(taken, bucket).lambdas("build")
    assert local(taken) == local(large)
    bucket.objects.delete(f"keys/{key}.{keys.id}.json")
    using(unsigned, bucket).lambdas("build")
    assert local(unsigned) == local(large)
    assert hashlib.sha256(pack).hexdigest() not in local(unsigned)
