"""Machines that share a remote cache: ZIPs arrive, with the same bytes."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Index, Repository
from tests.remote.servers import Proxy, Shared, Web, using
from tests.test_store import clone


def test_a_clean_clone_takes_every_zip(dependent: Repository, index: Index, shared: Shared) -> None:
    """What one machine built, another takes: the same bytes, without installing or compressing."""
    using(dependent, shared).lambdas("build")
    there = shared.objects.names()
    assert {name.split("/")[0] for name in there} == {"cas", "keys"}
    assert len(there) == 5, there  # three variants, of which two have the same ZIP
    other = clone(dependent, "other")
    index.requests.clear()
    done = using(other, shared).lambdas("build", TZ="Asia/Kathmandu", HOME=str(other.root))
    assert "3 from the remote cache" in done.output, done
    assert other.sha256() == dependent.sha256()
    assert index.requests == []
    assert not (other.root / "build/env").exists()
    assert shared.objects.names() == there
    assert "unchanged" in using(other, shared).lambdas("build").output


def test_the_same_bytes_from_another_umask_are_no_dispute(
    builder: Repository, shared: Shared
) -> None:
    """Two builders with another umask, home and time zone come to the same bytes, and the second
    finds its entries in place.
    """
    using(builder, shared).lambdas("build")
    there = {name: shared.objects.read(name) for name in shared.objects.names()}
    other = clone(builder, "other")
    before = os.umask(0o077)
    try:
        done = using(other, shared).lambdas("build", "--force", TZ="America/Lima")
    finally:
        os.umask(before)
    assert done.errors == "", done
    assert {name: shared.objects.read(name) for name in shared.objects.names()} == there


def test_a_fetched_zip_is_in_the_store(builder: Repository, bucket: Shared) -> None:
    """A ZIP that came from the remote is in the store, for a later return to the same inputs."""
    using(builder, bucket).lambdas("build")
    other = clone(builder, "other")
    using(other, bucket).lambdas("build")
    (other.root / "dist/api.zip").unlink()
    done = other.lambdas("build", LAMBDA_ZIP_REMOTE="off")
    assert "api: from the cache" in done.output, done


def test_off(builder: Repository, bucket: Shared) -> None:
    """The variable turns off the cache that the manifest declares, and another one replaces it."""
    url = bucket.environment["LAMBDA_ZIP_REMOTE"]
    manifest = (builder.root / "lambdas.yaml").read_text() + f"cache:\n  remote: {url}\n"
    builder.write({"lambdas.yaml": manifest})
    builder.lambdas("build", LAMBDA_ZIP_REMOTE="off")
    assert bucket.objects.names() == []
    builder.lambdas("build", "--force", LAMBDA_ZIP_REMOTE=f"{url}-2")
    assert bucket.objects.names() == []
    builder.lambdas("build", "--force")
    assert len(bucket.objects.names()) == 4


def test_why_and_dry_run_name_the_remote(builder: Repository, behind: Shared, proxy: Proxy) -> None:
    """`why` says that the remote has a ZIP, asks for all entries at once, and downloads nothing."""
    using(builder, behind).lambdas("build")
    other = clone(builder, "other")
    proxy.requests.clear()
    said = using(other, behind).lambdas("why").output
    assert said.count("hash will run: the remote cache has the ZIP of these inputs") == 2, said
    assert proxy.count("GET", "/keys/") == 2
    assert len(proxy.requests) == 3  # and one list of disputes


def test_one_function(builder: Repository, behind: Shared, proxy: Proxy) -> None:
    """A build of one function neither looks up nor downloads another one."""
    using(builder, behind).lambdas("build")
    other = clone(builder, "other")
    proxy.requests.clear()
    using(other, behind).lambdas("build", "api")
    assert sorted(other.index()) == ["api"]
    assert proxy.count("GET", "/keys/") == proxy.count("GET", "/cas/") == 1


def test_the_summary_of_a_job(builder: Repository, bucket: Shared) -> None:
    """A summary in GitHub Actions, JSON and the report tell where a ZIP came from."""
    using(builder, bucket).lambdas("build", "api")
    other = using(clone(builder, "other"), bucket)
    summary = other.root / "summary.md"
    done = other.lambdas("build", "--json", GITHUB_STEP_SUMMARY=str(summary))
    assert "1 built, 1 from the remote cache" in summary.read_text()
    outcomes = {one["id"]: one["outcome"] for one in json.loads(done.output)["variants"]}
    assert outcomes == {"api": "fetched", "jobs": "built"}
    other.lambdas("report")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, doit starts processes afresh")
def test_doit_with_processes(builder: Repository, bucket: Shared) -> None:
    """Forks of doit build without the remote, and say so, because obstore hangs in them."""
    using(builder, bucket).lambdas("build", "api")
    other = clone(builder, "other")
    began = time.monotonic()
    done = using(other, bucket).doit("-n", "2", "-P", "process")
    assert "doit's processes do not use the remote cache" in done.output
    assert "2 built" in done.output
    assert time.monotonic() - began < 5


def test_a_plan_with_the_record_asks_nothing(
    builder: Repository, behind: Shared, proxy: Proxy
) -> None:
    """With the record committed, a plan on a clean runner neither lists, looks up nor downloads."""
    using(builder, behind).lambdas("build")
    builder.lambdas("record", LAMBDA_ZIP_REMOTE="off")
    other = clone(builder, "other")
    proxy.requests.clear()
    answer = using(other, behind).lambdas("external", '{"plan": "true"}').output
    assert json.loads(json.loads(answer)["api"])["sha256"] == builder.sha256()["api"]
    assert proxy.requests == []
    assert not (other.root / "dist").exists()


def test_the_program_for_terraform_takes_zips(
    builder: Repository, behind: Shared, proxy: Proxy
) -> None:
    """An apply on a clean runner takes ZIPs from the remote, whose keys it looks up together; one
    that builds uploads.
    """
    using(builder, behind).lambdas("external", "{}")
    assert len(behind.objects.names()) == 4
    other = clone(builder, "other")
    proxy.requests.clear()
    answer = using(other, behind).lambdas("external", "{}").output
    assert json.loads(json.loads(answer)["jobs"])["sha256"] == builder.sha256()["jobs"]
    assert proxy.count("GET", "/keys/") == proxy.count("GET", "/cas/") == 2
    assert proxy.count("PUT") == 0


def test_an_unchanged_run_asks_nothing(builder: Repository, behind: Shared, proxy: Proxy) -> None:
    """Where everything is up to date, the remote is not asked, and its library not loaded."""
    using(builder, behind).lambdas("build")
    proxy.requests.clear()
    code = (
        "import sys; from buildlib.cli.main import main\n"
        "try: main(['build'])\n"
        "finally: assert 'obstore' not in sys.modules, 'obstore'"
    )
    plain, builder.python = builder.python, sys.executable
    import subprocess

    done = subprocess.run(
        [plain, "-c", code],
        cwd=builder.root,
        env=builder.environment | behind.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done
    assert "unchanged" in done.stdout, done
    assert proxy.requests == []


def test_a_http_server_without_listing_or_conditions(builder: Repository) -> None:
    """A plain HTTP server that knows neither PROPFIND nor If-None-Match serves as a cache; entries
    that are there are not sent again.
    """
    web = Web(lists=False, knows_create=False)
    environment = {"LAMBDA_ZIP_REMOTE": f"http://127.0.0.1:{web.port}/cache"}
    using(builder, environment).lambdas("build")
    assert len(web.content) == 4
    other = clone(builder, "other")
    assert "2 from the remote cache" in using(other, environment).lambdas("build").output
    assert web.conditions == {"*"}  # a server that knows it replaces nothing
    web.requests.clear()
    using(other, environment).lambdas("build", "--force")
    assert [one for one in web.requests if one[0] == "PUT"] == []
    web.stop()


@pytest.mark.parametrize("how", ["address", "token", "query"])
def test_credentials_reach_the_server_and_no_text(builder: Repository, how: str) -> None:
    """User and password of an address, and a token, are sent, and are in no output and no file."""
    web = Web()
    if how == "address":
        web.required = "Basic dXNlcjpwNHNzdzByZC1vZi10aGUtY2FjaGU="
        url = f"http://user:p4ssw0rd-of-the-cache@127.0.0.1:{web.port}/cache"
        environment, secret = {"LAMBDA_ZIP_REMOTE": url}, "p4ssw0rd"
    elif how == "query":
        secret = "s1gnature"  # noqa: S105 - the same
        environment = {"LAMBDA_ZIP_REMOTE": f"http://127.0.0.1:{web.port}/cache?sig=s1gnature"}
    else:
        web.required = "Bearer t0ken-of-the-cache"
        url = f"http://127.0.0.1:{web.port}/cache"
        environment = {"LAMBDA_ZIP_REMOTE": url, "LAMBDA_ZIP_REMOTE_TOKEN": "t0ken-of-the-cache"}
        secret = "t0ken-of"  # noqa: S105 - a part of one, to search for
    done = using(builder, environment).lambdas("build")
    assert len(web.content) == 4
    texts = [done.output, done.errors, using(builder, environment).lambdas("doctor").output]
    web.required = "Basic another"
    refused = using(builder, environment).lambdas("build", "--force")
    assert "read-only for these credentials (permission denied)" in refused.errors, refused
    web.stop()
    gone = using(builder, environment).lambdas("build", "--force")
    texts += [refused.errors, refused.output, gone.errors, gone.output]
    files = [path for path in builder.root.rglob("*") if path.is_file()]
    contents = [path.read_bytes() for path in files]
    assert not [text for text in texts if secret in text]
    contents += web.content.values()
    assert not [content for content in contents if secret.encode() in content]


def test_a_hundred_functions_arrive(repository: Repository, behind: Shared, proxy: Proxy) -> None:
    """On a clean runner, a hundred ZIPs come with two requests each, at the same time."""
    names = [f"f{number:03}" for number in range(100)]
    repository.write({
        "lambdas.yaml": "version: 1\nlambdas:\n"
        + "".join(f"  {name}: {{handler: app.handler}}\n" for name in names),
        **{f"lambdas/{name}/app.py": f"N = '{name}'\ndef handler(e, c): ...\n" for name in names},
    })  # fmt: skip
    using(repository, behind).lambdas("build")
    other = clone(repository, "other")
    proxy.requests.clear()
    proxy.most = 0
    proxy.harm = lambda _, __: "wait 0.05"
    began = time.monotonic()
    done = using(other, behind).lambdas("build")
    assert "100 from the remote cache" in done.output, done
    assert (proxy.count("GET", "/keys/"), proxy.count("GET", "/cas/")) == (100, 100)
    assert proxy.count("PUT") == proxy.count("HEAD") == 0
    assert len(proxy.requests) == 201  # and one list of disputes
    assert proxy.most > 12  # more than the downloads that run at once
    # 201 requests of 0.05 s and more, one after the other, take longer than 10 s.
    assert time.monotonic() - began < 8


def test_functions_with_equal_inputs_share_a_download(
    builder: Repository, behind: Shared, proxy: Proxy
) -> None:
    """Functions with one key, taken at the same time, all get the ZIP of one download."""
    names = [f"f{number}" for number in range(4)]
    functions = "".join(f"  {n}: {{handler: app.handler, source: lambdas/api}}\n" for n in names)
    builder.write({"lambdas.yaml": f"version: 1\nlambdas:\n{functions}"})
    using(builder, behind).lambdas("build")
    other = clone(builder, "other")
    proxy.requests.clear()
    proxy.harm = lambda _, path: "wait 0.5" if "/cas/" in path else ""
    done = using(other, behind).lambdas("build", "-j", "4")
    assert other.sha256() == builder.sha256(), done
    assert proxy.count("GET", "/cas/") == 1
    assert not [*other.root.glob("build/remote/.*")]


@pytest.fixture
def read_only() -> Iterator[Callable[[Path], None]]:
    """Give a function that makes a folder read-only for everybody, root included."""
    with contextlib.ExitStack() as stack:

        def protect(folder: Path) -> None:
            mount = ["mount", "--bind", str(folder), str(folder)]
            subprocess.run(mount, check=True)
            stack.callback(subprocess.run, ["umount", str(folder)], check=True)
            subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)

        yield protect


@pytest.mark.root
def test_a_read_only_folder(
    builder: Repository, bucket: Shared, read_only: Callable[[Path], None]
) -> None:
    """A folder that this user may not write to is read, and that nothing is uploaded is said."""
    using(builder, bucket).lambdas("build", "api")
    other = clone(builder, "other")
    read_only(bucket.objects.folder)  # type: ignore[attr-defined]
    done = using(other, bucket).lambdas("build")
    assert "1 built, 1 from the remote cache" in done.output
    assert re.search("read-only for these credentials", done.errors)
