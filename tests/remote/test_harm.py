"""A remote that is slow, broken, full, forbidden or lying fails no build, costs little, and is
said once. The proxy stands before a real S3 server.
"""

import shutil
import time
from collections.abc import Callable

import pytest

from tests.conftest import Repository, Streams
from tests.remote.servers import Harm, Proxy, Shared, free_port, using
from tests.test_store import clone


def of_blobs(harm: str) -> Harm:
    """Harm the downloads of ZIPs alone."""
    return lambda method, path: harm if method == "GET" and "/cas/" in path else ""


def of_entries(harm: str) -> Harm:
    """Harm the reading of entries alone."""
    return lambda method, path: harm if method == "GET" and "/keys/" in path else ""


def of_writes(harm: str) -> Harm:
    """Harm what is written."""
    return lambda method, _: harm if method == "PUT" else ""


def of_all(harm: str) -> Harm:
    """Harm each request."""
    return lambda *_: harm


def warnings(done: Streams) -> list[str]:
    """Return the warnings, none of which may come twice."""
    found = [line for line in done.errors.splitlines() if line.startswith("warning: ")]
    assert len(found) == len(set(found)), found
    assert found == done.errors.splitlines(), done.errors
    return found


# The harm, and a part of the one warning about it.
CLEAN = {
    "blobs: 503": (of_blobs("503"), "HTTP status 503"),
    "blobs: 403": (of_blobs("403"), "ZIPs are missing"),
    "blobs: 404": (of_blobs("404"), "ZIPs are missing"),
    "blobs: reset": (of_blobs("reset"), "failed: "),
    "blobs: cut": (of_blobs("cut"), "failed: "),
    "blobs: wrong bytes": (of_blobs("wrong"), "another sha256"),
    "entries: 503": (of_entries("503"), "HTTP status 503"),
    "entries: 403": (of_entries("403"), "refuses requests to read"),
    "entries: reset": (of_entries("reset"), "failed: "),
    "entries: cut": (of_entries("cut"), "failed: "),
    "entries: wrong bytes": (of_entries("wrong"), ""),
    "all: 503": (of_all("503"), "HTTP status 503"),
    "all: 403": (of_all("403"), "refuses requests to read"),
    "all: reset": (of_all("reset"), "failed: "),
}


@pytest.mark.parametrize("harm", CLEAN)
def test_a_broken_remote_fails_no_build(
    builder: Repository, behind: Shared, proxy: Proxy, harm: str
) -> None:
    """Each kind of harm leaves a build that gives the same bytes, exits with 0, and says why."""
    using(builder, behind).lambdas("build")
    other = clone(builder, "other")
    proxy.harm, part = CLEAN[harm]
    began = time.monotonic()
    done = using(other, behind).lambdas("build")
    assert time.monotonic() - began < 9, harm
    assert other.sha256() == builder.sha256()
    assert any(part in line for line in warnings(done)) or not part, done.errors
    assert "AKIAREADERWRITER" not in done.errors
    assert not list((other.root / "build").glob("remote/*"))


@pytest.mark.parametrize(
    ("which", "harm"),
    [
        (of_entries, "hang"),
        (of_blobs, "hang"),
        (of_writes, "hang"),
        (of_blobs, "drip"),
        (of_entries, "drip"),
        (of_all, "wait 2"),
    ],
)
def test_a_slow_remote_costs_five_seconds(
    repository: Repository, behind: Shared, proxy: Proxy, harm: str, which: Callable[[str], Harm]
) -> None:
    """Of twenty functions, none waits longer than all of them may: with a budget of one second
    here, so that the tests are fast.
    """
    names = [f"f{number:02}" for number in range(20)]
    code = "def handler(event, context):\n    return '{}'\n"
    declared = "".join(f"  {name}: {{handler: app.handler}}\n" for name in names)
    repository.write({f"lambdas/{name}/app.py": code.format(name) for name in names})
    repository.write({"lambdas.yaml": f"version: 1\nlambdas:\n{declared}"})
    using(repository, behind).lambdas("build", "f00", "f01")
    other = clone(repository, "other")
    began = time.monotonic()
    using(other, {"LAMBDA_ZIP_REMOTE": "off"}).lambdas("build")
    alone = time.monotonic() - began
    shutil.rmtree(other.root / "build")
    shutil.rmtree(other.root / "dist")
    proxy.harm = which(harm)
    began = time.monotonic()
    done = using(using(other, behind), {"LAMBDA_ZIP_REMOTE_WAIT": "1"}).lambdas("build")
    cost = time.monotonic() - began - alone
    assert cost < 1 + 1.5 + alone / 2, (cost, alone)
    assert len(other.index()) == 20
    stopped = [line for line in warnings(done) if "goes on without the remote cache" in line]
    assert len(stopped) == 1, done.errors


def test_the_budget_is_five_seconds(builder: Repository, behind: Shared, proxy: Proxy) -> None:
    """A remote that accepts connections and never answers costs five seconds a run, and no more."""
    proxy.harm = of_all("hang")
    began = time.monotonic()
    done = using(builder, behind).lambdas("build")
    assert 4.5 < time.monotonic() - began < 8
    assert "did not answer in time (5 s for a whole run)" in done.errors
    assert len(warnings(done)) == 1


def test_a_large_healthy_download_is_no_delay(
    builder: Repository, behind: Shared, proxy: Proxy
) -> None:
    """A download that takes longer than the budget and makes progress is waited for."""
    import os

    builder.write({f"lambdas/{n}/data.bin": os.urandom(7 << 20) for n in ("api", "jobs")})
    using(builder, {**behind.environment, "LAMBDA_ZIP_REMOTE_WAIT": "60"}).lambdas("build")
    other = clone(builder, "other")
    proxy.harm = of_blobs("pace")
    began = time.monotonic()
    done = using(other, {**behind.environment, "LAMBDA_ZIP_REMOTE_WAIT": "2"}).lambdas("build")
    assert time.monotonic() - began > 3
    assert "2 from the remote cache" in done.output, done
    assert done.errors == ""


@pytest.mark.parametrize("status", ["403", "507"])
def test_a_remote_that_cannot_be_written(
    builder: Repository, behind: Shared, proxy: Proxy, status: str
) -> None:
    """Read-only credentials, or a full disk: ZIPs are taken, nothing fails, and it is said once."""
    using(builder, behind).lambdas("build", "api")
    there = behind.objects.names()
    other = clone(builder, "other")
    proxy.harm = of_writes(status)
    done = using(other, behind).lambdas("build")
    assert "1 built, 1 from the remote cache" in done.output, done
    (said,) = warnings(done)
    assert ("is read-only for these credentials" in said) == (status == "403"), said
    assert behind.objects.names() == there


def test_many_denied_uploads_are_said_once(
    repository: Repository, behind: Shared, proxy: Proxy
) -> None:
    """After the first refusal, nothing more is sent."""
    names = [f"f{number:02}" for number in range(30)]
    code = "def handler(event, context):\n    return '{}'\n"
    repository.write({f"lambdas/{name}/app.py": code.format(name) for name in names})
    declared = "".join(f"  {name}: {{handler: app.handler}}\n" for name in names)
    repository.write({"lambdas.yaml": f"version: 1\nlambdas:\n{declared}"})
    proxy.harm = of_writes("403")
    done = using(repository, behind).lambdas("build")
    assert len(warnings(done)) == 1
    assert proxy.count("PUT") < 20


def test_nobody_is_there(builder: Repository, behind: Shared) -> None:
    """A remote that refuses connections costs next to nothing."""
    behind.environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{free_port()}"
    began = time.monotonic()
    done = using(builder, behind).lambdas("build")
    assert time.monotonic() - began < 5
    assert "unreachable" in done.errors
    assert warnings(done)


def test_a_killed_upload_is_made_up_for(builder: Repository, behind: Shared, proxy: Proxy) -> None:
    """A ZIP whose entry is missing, as after a kill between the two, is uploaded by the next
    builder, and one whose blob is missing, too.
    """
    using(builder, behind).lambdas("build")
    there = behind.objects.names()
    behind.objects.delete(next(name for name in there if name.startswith("keys/")))
    behind.objects.delete(next(name for name in there if name.startswith("cas/")))
    other = clone(builder, "other")
    using(other, behind).lambdas("build")
    assert behind.objects.names() == there
    # The ZIP comes before its entry. Of the one without an entry, it is there already.
    assert proxy.count("PUT") - 4 in {2, 3}


def test_credentials_that_may_not_list(builder: Repository, behind: Shared, proxy: Proxy) -> None:
    """S3 answers 403 where an object is absent, if the credentials may not list: ZIPs are uploaded
    and taken all the same.
    """
    there = behind.objects.names

    def harm(method: str, path: str) -> str:
        name = path.partition("/builds/")[2].partition("/")[2]
        return "403" if method in {"GET", "HEAD"} and name not in there() else ""

    proxy.harm = harm
    using(builder, behind).lambdas("build")
    assert len(there()) == 4
    other = clone(builder, "other")
    assert "2 from the remote cache" in using(other, behind).lambdas("build").output
