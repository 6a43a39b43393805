"""`lambdas rebuild`: anyone can build what was published, and compare."""

import base64
import hashlib
import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import HANDLER, Repository
from tests.publish.conftest import Bucket, commit, edit, git, listed, output
from tests.remote.servers import Proxy

LIST = "lambdas.published.json"


@pytest.fixture
def released(built: Repository, bucket: Bucket) -> Repository:
    """Give a repository with a published and committed list, and newer commits."""
    built.lambdas("publish", "--bucket", bucket.url)
    commit(built, "publish")
    edit(built, "# newer\n")
    return built


def tamper(repository: Repository, name: str) -> dict[str, Any]:
    """Give an entry of the list another sha256."""
    entries = listed(repository)
    other = hashlib.sha256(b"other").digest()
    encoded = base64.b64encode(other).decode()
    entries[name] |= {"sha256": other.hex(), "source_code_hash": encoded}
    text = json.dumps(entries, indent=2, sort_keys=True) + "\n"
    repository.write({LIST: text})
    return entries


def test_equal(released: Repository) -> None:
    """The commit of the list gives every published ZIP, whatever is checked out, uncommitted or in
    dist/ now; the repository is as before.
    """
    published = git(released, "log", "-1", "--format=%H", "--", LIST)
    released.write({"lambdas/api/app.py": "this is not Python\n", "lambdas/api/new.py": "A = 1\n"})
    before = git(released, "status", "--porcelain"), git(released, "worktree", "list")
    done = released.lambdas("rebuild")
    assert f"3 of 3 equal, at commit {published}" in done.output
    assert (git(released, "status", "--porcelain"), git(released, "worktree", "list")) == before


def test_entries_of_several_commits(released: Repository) -> None:
    """Each entry is built from the commit that brought it; one that none has, from the present."""
    first = git(released, "log", "-1", "--format=%H", "--", LIST)
    released.write({"lambdas/jobs/app.py": f"# changed, not published\n{HANDLER}"})
    released.lambdas("build")
    released.lambdas("record")
    commit(released, "both")
    released.lambdas("publish", "api")
    newest = commit(released, "publish api")
    done = output(released.lambdas("rebuild", "--json"))
    assert {one["id"]: one["commit"] for one in done["variants"]} == {
        "api": newest, "common": first, "jobs": first,
    }  # fmt: skip
    assert (done["equal"], done["commit"]) == (3, newest)
    released.write({LIST: (released.root / LIST).read_text().replace("}\n", "}\n\n")})
    commit(released, "spaces")
    assert f"3 of 3 equal, at commits {newest}, {first}" in released.lambdas("rebuild").output
    released.write({"lambdas/api/app.py": f"# newest\n{HANDLER}"})
    released.lambdas("build")
    released.lambdas("record")
    commit(released, "newest")
    released.lambdas("publish", "api")
    shown = released.lambdas("rebuild")
    assert "no commit of lambdas.published.json has api as here" in shown.errors
    assert "3 of 3 equal" in shown.output
    git(released, "reset", "--quiet", "--hard")


def publish(repository: Repository, name: str, text: str) -> str:
    """Change, record and publish one function; return the commit."""
    repository.write({f"lambdas/{name}/app.py": f"# {text}\n{HANDLER}"})
    repository.lambdas("build")
    repository.lambdas("record")
    repository.lambdas("publish", name)
    return commit(repository, text)


def test_entries_of_a_merge(released: Repository) -> None:
    """A merge that joins the entries of two branches brings those of the other one."""
    main = git(released, "rev-parse", "--abbrev-ref", "HEAD")
    git(released, "checkout", "--quiet", "-b", "side")
    publish(released, "api", "side")
    git(released, "checkout", "--quiet", main)
    jobs = publish(released, "jobs", "main")
    git(released, "merge", "--quiet", "--no-edit", "side")
    merged = git(released, "rev-parse", "HEAD")
    edit(released, "# not published\n")
    done = released.lambdas("rebuild", "--json")
    assert "no commit" not in done.errors
    commits = {one["id"]: one["commit"] for one in output(done)["variants"]}
    assert (commits["api"], commits["jobs"]) == (merged, jobs)
    assert output(done)["equal"] == 3


def test_a_commit_that_is_no_longer_valid(released: Repository, tmp_path: Path) -> None:
    """An old commit with a manifest that is refused now leaves the entries of others theirs."""
    old = (released.root / "lambdas.yaml").read_text()
    released.write({"lambdas.yaml": old + "unknown: key\n"})
    commit(released, "wrong")
    entries = tamper(released, "jobs")
    there = commit(released, "brought by a wrong manifest")
    released.write({"lambdas.yaml": old})
    commit(released, "right again")
    done = released.lambdas("rebuild", "--json", code=1)
    found = {one["id"]: one for one in output(done)["variants"]}
    assert (found["jobs"]["commit"], found["jobs"]["rebuilt"]) == (there, None)
    assert "unknown" in found["jobs"]["advice"]
    assert found["api"]["equal"]
    assert found["jobs"]["published"] == entries["jobs"]["sha256"]
    clone = Repository(tmp_path / "clone", released.environment)
    git(released, "clone", "--quiet", "--depth=1", released.root.as_uri(), str(clone.root))
    assert "git fetch --unshallow" in clone.lambdas("rebuild", code=None).errors


def test_a_real_rebuild(released: Repository, bucket: Bucket, proxy: Proxy, tmp_path: Path) -> None:
    """Neither the machine's cache nor the remote one is asked, although both have every ZIP."""
    cache = tmp_path / "cache"
    caches = {"LAMBDA_ZIP_CACHE": str(cache), "LAMBDA_ZIP_REMOTE": f"s3://{bucket.name}/cache"}
    released.environment |= caches
    git(released, "checkout", "--quiet", "HEAD~1")
    released.lambdas("build", "--force")
    assert any(cache.rglob("*.zip"))
    assert any(name.startswith("cache/cas/") for name in bucket.names())
    shutil.rmtree(cache)
    proxy.requests.clear()
    assert "3 of 3 equal" in released.lambdas("rebuild").output
    assert proxy.requests == []
    assert not cache.exists()


def test_a_tampered_list(released: Repository, tmp_path: Path) -> None:
    """A hash that the commit does not give is named with the command that shows the difference; the
    exit code is 1, and the rebuilt ZIP is kept.
    """
    entries = tamper(released, "api")
    report = tmp_path / "report.json"
    done = released.lambdas("rebuild", "--report", str(report), code=1)
    assert "2 of 3 equal" in done.output
    assert f"api: {entries['api']['sha256']} is published, and the rebuild has" in done.output
    version = entries["api"]["s3_object_version"]
    assert f"--version-id {version} api.zip && lambdas diff api.zip build/rebuilt/api.zip" in (
        done.output
    )
    assert (released.root / "build/rebuilt/api.zip").is_file()
    statement = json.loads(report.read_text())
    assert [one["name"] for one in statement["subject"]] == ["common", "jobs"]
    assert statement["predicate"]["equal"] == 2


def test_a_list_with_a_command(released: Repository) -> None:
    """The shown command can be pasted into a shell, whatever a list has for an address."""
    entries = tamper(released, "api")
    entries["api"] |= {"s3_bucket": "b; touch ran", "s3_object_version": "$(touch ran)"}
    released.write({LIST: json.dumps(entries)})
    output = released.lambdas("rebuild", "api", code=1).output
    (line,) = (line for line in output.splitlines() if "get-object" in line)
    words = shlex.split(line)
    assert words[:5] == ["aws", "s3api", "get-object", "--bucket", "b; touch ran"]
    assert words[7:9] == ["--version-id", "$(touch ran)"]


def test_a_difference_with_the_zip_here(released: Repository) -> None:
    """If dist/ has the published ZIP, the command compares with it, and finds the change."""
    edit(released, "# elsewhere\n")
    entries = listed(released)
    index = released.index()["api"]
    kept = {name: index[name] for name in ("sha256", "source_code_hash", "size", "unzipped_size")}
    entries["api"] |= kept
    released.write({LIST: json.dumps(entries, indent=2, sort_keys=True) + "\n"})
    done = released.lambdas("rebuild", "api", "--commit", "HEAD~1", code=1)
    assert "lambdas diff dist/api.zip build/rebuilt/api.zip" in done.output
    shown = released.lambdas("diff", "dist/api.zip", "build/rebuilt/api.zip", code=1)
    assert "app.py: data" in shown.output


def test_the_record_does_not_fail_the_rebuild(released: Repository) -> None:
    """A wrong record at the commit is no reason to have no ZIP to compare."""
    record = json.loads((released.root / "lambdas.hashes.json").read_text())
    git(released, "checkout", "--quiet", "HEAD~1")
    wrong = hashlib.sha256(b"wrong").digest()
    record = json.loads((released.root / "lambdas.hashes.json").read_text())
    record["jobs"] |= {
        "sha256": wrong.hex(),
        "source_code_hash": base64.b64encode(wrong).decode(),
    }
    released.write({"lambdas.hashes.json": json.dumps(record)})
    there = commit(released, "a wrong record")
    assert "3 of 3 equal" in released.lambdas("rebuild", "--commit", there).output


def test_another_commit(released: Repository) -> None:
    """`--commit` names a revision; an unknown one is an error, an undeclared function a result."""
    done = released.lambdas("rebuild", "--commit", "HEAD", code=1)
    assert "2 of 3 equal" in done.output
    assert (
        "git has no commit 'v99'" in released.lambdas("rebuild", "--commit", "v99", code=1).errors
    )
    failed = released.lambdas("rebuild", "--commit", "--output=x", code=1)
    assert "git has no commit '--output=x'" in failed.errors
    released.write({"lambdas.yaml": "version: 1\nlambdas:\n  jobs: {handler: app.handler}\n"})
    there = commit(released, "less")
    done = released.lambdas("rebuild", "--commit", there, code=1)
    assert "1 of 3 equal" in done.output
    assert "lambdas.yaml of this commit does not declare it" in done.output


def test_a_build_that_fails(released: Repository) -> None:
    """A function that does not build is named with its error; the others are compared."""
    released.write({"lambdas/jobs/app.py": "def handler(:\n"})
    there = commit(released, "broken")
    done = released.lambdas("rebuild", "--commit", there, code=1)
    assert "jobs:" in done.output
    assert "it was not rebuilt" in done.output
    assert "stage:jobs failed" in done.output
    assert "1 of 3 equal" in done.output


def test_hooks_do_not_run(released: Repository) -> None:
    """Neither a hook of the repository nor a module beside lambdas.yaml runs."""
    trap = released.root.parent / "ran"
    hook = released.root / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {trap}\n")
    hook.chmod(0o755)
    git(released, "config", "core.fsmonitor", f"touch {trap}; false")
    module = f"open({str(trap)!r}, 'w').close()\n"
    released.write({"click.py": module, "json.py": module, "sitecustomize.py": module})
    (released.root / "dodo.py").unlink()
    git(released, "-c", "core.fsmonitor=false", "add", "--all")
    git(released, "-c", "core.fsmonitor=false", "commit", "--quiet", "--message", "traps")
    trap.unlink(missing_ok=True)
    done = subprocess.run(
        [Path(released.python).parent / "lambdas", "rebuild", "--commit", "HEAD", "jobs"],
        cwd=released.root,
        env=released.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 of 1 equal" in done.stdout, done.stderr
    assert not trap.exists()


def test_a_repository_below_the_top(tmp_path: Path, built: Repository, bucket: Bucket) -> None:
    """The folder of lambdas.yaml may be anywhere in the repository."""
    outer = Repository(tmp_path / "outer", built.environment)
    inner = Repository(outer.root / "team/functions", built.environment)
    inner.write({
        "lambdas.yaml": "version: 1\nlambdas:\n  api: {handler: app.handler}\n",
        "lambdas/api/app.py": HANDLER,
        ".gitignore": "build/\ndist/\n",
    })  # fmt: skip
    git(outer, "init", "--quiet", "--initial-branch=main")
    inner.lambdas("build")
    inner.lambdas("publish", "--bucket", bucket.url)
    commit(outer)
    assert "1 of 1 equal" in inner.lambdas("rebuild").output


def test_an_uncommitted_list(built: Repository, bucket: Bucket) -> None:
    """A list that git does not have needs `--commit`; a missing list is named."""
    assert "lambdas.published.json does not exist" in built.lambdas("rebuild", code=1).errors
    built.lambdas("publish", "--bucket", bucket.url)
    failed = built.lambdas("rebuild", code=1)
    assert "is not committed here; set '--commit'" in failed.errors
    assert "3 of 3 equal" in built.lambdas("rebuild", "--commit", "HEAD").output


def test_a_signed_report(released: Repository, tmp_path: Path) -> None:
    """The signature is one over the statement (DSSE), which openssl verifies; the statement says
    what was rebuilt from where, by which contract.
    """
    key, report = tmp_path / "signing.pem", tmp_path / "rebuild.json"
    command = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    arguments = ("rebuild", "--report", str(report), "--sign")
    released.lambdas(*arguments, LAMBDA_ZIP_SIGNING_KEY=str(key))
    envelope = json.loads(report.read_text())
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"]
    assert kind == "application/vnd.in-toto+json"
    signed, signature = tmp_path / "signed", tmp_path / "signature"
    signed.write_bytes(f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload)
    signature.write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    verify = ["openssl", "pkeyutl", "-verify", "-inkey", str(key), "-rawin"]
    subprocess.run(
        [*verify, "-in", str(signed), "-sigfile", str(signature)], check=True, capture_output=True
    )
    statement = json.loads(payload)
    entries = listed(released)
    assert {one["name"]: one["digest"]["sha256"] for one in statement["subject"]} == {
        name: one["sha256"] for name, one in entries.items()
    }
    predicate = statement["predicate"]
    assert predicate["source"]["digest"]["gitCommit"] == git(
        released, "log", "-1", "--format=%H", "--", LIST
    )
    assert predicate["builder"]["byteContract"] == 1
    assert (predicate["equal"], predicate["of"]) == (3, 3)
    failed = released.lambdas(*arguments, code=1)
    assert "'--sign' needs a private key in LAMBDA_ZIP_SIGNING_KEY" in failed.errors
    assert "'--report FILE'" in released.lambdas("rebuild", "--sign", code=2).errors


def test_json(released: Repository) -> None:
    """`--json` has the commit and each variant."""
    tamper(released, "jobs")
    done = output(released.lambdas("rebuild", "--json", code=1))
    assert done["command"] == "rebuild"
    assert done["equal"] == 2
    assert [one["id"] for one in done["variants"] if not one["equal"]] == ["jobs"]


def test_a_folder_that_is_a_link(released: Repository, tmp_path: Path) -> None:
    """A link in the commit leads to no folder outside of the clone, and nothing there changes."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "lambdas.hashes.json").write_text("{}")
    (released.root / "svc").symlink_to(outside)
    there = commit(released, "link")
    (released.root / "svc").unlink()
    released.write({"svc/lambdas.yaml": (released.root / "lambdas.yaml").read_text()})
    released.write({"svc/lambdas.published.json": json.dumps(listed(released))})
    done = released.lambdas("rebuild", "--commit", there, folder="svc", code=1)
    assert "svc/ is a link" in done.errors
    assert (outside / "lambdas.hashes.json").read_text() == "{}"
