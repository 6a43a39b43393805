"""Two builders come to different bytes for the same inputs: nothing is overwritten, both ZIPs are
kept, and the second builder fails.
"""

import json
import re

from tests.conftest import Repository
from tests.remote.forging import evil_zip, forge, key_of, make_keys, manifest
from tests.remote.servers import Proxy, Shared, using
from tests.test_store import clone


def test_a_dispute(builder: Repository, shared: Shared) -> None:
    """The second builder keeps both ZIPs for `lambdas diff`, notes its own in the cache, and fails
    at each build until the entry is gone; dist/ has none of the two.
    """
    using(builder, {"LAMBDA_ZIP_REMOTE": "off"}).lambdas("build")
    key, right = key_of(builder.root, "api"), builder.sha256()
    first = forge(shared, key, evil_zip())
    before = {name: shared.objects.read(name) for name in shared.objects.names()}
    other = clone(builder, "other")
    done = using(other, shared).lambdas("build", "--force", code=1)
    assert re.search(r"zip:api failed\napi: two builds of the same inputs", done.output), done
    assert other.sha256() == {"jobs": right["jobs"]}
    after = {name: shared.objects.read(name) for name in shared.objects.names()}
    assert before.items() <= after.items()
    noted = json.loads(shared.objects.read(f"disputes/{key}/{right['api']}"))
    assert noted["sha256"] == right["api"]
    assert f"cas/{right['api']}" in after
    compare = re.search(r"lambdas (diff \S+ \S+\.zip)", done.output)
    assert compare
    said = other.lambdas(*compare[1].split(), code=1).output
    assert "evil" in said, said
    assert using(other, shared).lambdas("build", code=1)
    for name in (f"keys/{key}.json", f"disputes/{key}/{right['api']}", f"cas/{first}"):
        shared.objects.delete(name)
    using(other, shared).lambdas("build")
    assert other.sha256() == right


def test_a_race(builder: Repository, behind: Shared, proxy: Proxy) -> None:
    """A builder that finds another one's entry only when it uploads its own fails at the end of the
    run; its ZIP is stale in the index, and the next build fails, too.
    """
    using(builder, {"LAMBDA_ZIP_REMOTE": "off"}).lambdas("build")
    key = key_of(builder.root, "api")
    other = clone(builder, "other")

    def harm(method: str, path: str) -> str:
        if method == "PUT" and path.endswith(f"{key}.json") and not raced:
            raced.append(forge(behind, key, evil_zip()))
        return ""

    raced: list[str] = []
    proxy.harm = harm
    done = using(other, behind).lambdas("build", code=1)
    assert raced
    assert "upload of api failed\napi: two builds of the same inputs have different" in done.output
    assert re.search(r"api: failed \(at upload\)", done.output), done.output
    assert other.listed()["api"].get("stale")
    assert behind.only("disputes/").startswith(f"disputes/{key}/")
    again = using(other, behind).lambdas("build", code=1)
    assert "two builds of the same inputs" in again.output
    answer = using(other, behind).lambdas("external", '{"id": "api"}', code=1)
    assert "two builds of the same inputs" in answer.errors


def test_two_signers_disagree(builder: Repository, bucket: Shared) -> None:
    """With `trust: signed`, entries of two trusted builders that differ are not used, and the
    second builder fails.
    """
    one, two = make_keys(), make_keys()
    builder.write({"lambdas.yaml": manifest(one, two)})
    using(builder, {"LAMBDA_ZIP_REMOTE": "off"}).lambdas("build")
    forge(bucket, key_of(builder.root, "api"), evil_zip(), one)
    other = clone(builder, "other")
    done = using(using(other, bucket), two.environment).lambdas("build", "--force", code=1)
    assert "two builds of the same inputs" in done.output
    assert other.sha256() == {"jobs": builder.sha256()["jobs"]}


def test_many_builders_at_once(builder: Repository, behind: Shared) -> None:
    """Builders that start together upload each thing once, and none of them fails."""
    import subprocess

    clones = [clone(builder, f"clone-{number}") for number in range(4)]
    runs = [
        subprocess.Popen(
            [one.python, "-m", "buildlib", "build"],
            cwd=one.root,
            env=one.environment | behind.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for one in clones
    ]
    outputs = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0] * 4, outputs
    assert not [output for output in outputs if "warning" in output]
    assert len({json.dumps(one.sha256()) for one in clones}) == 1
    assert len(behind.objects.names()) == 4
