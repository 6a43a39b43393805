"""`lambdas rebuild`: build published ZIPs again from their commit, and compare.

The commit is checked out in a clone at another place, so neither files that are not committed nor
anything in build/ and dist/ can help. The build there has neither the machine's cache nor the
remote one, and no record to fail against: it makes every ZIP, and the comparison is done here. uv's
cache may help, since the lockfiles pin all of its packages.

No hook, filter or program of the repository's configuration runs; a build runs what it always does.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.artifacts import index, published
from buildlib.artifacts.published import Entry
from buildlib.cache import digests
from buildlib.commands.publish import git, transfer
from buildlib.errors import BuildError, PublishError, RebuildError
from buildlib.layout import Layout
from buildlib.manifest import reader, variants
from buildlib.text import tail


class Compared(NamedTuple):
    """A variant: the sha256 that is published, and that of the rebuild; empty without one.

    `advice` is the problem, or the command that shows the difference. Of a ZIP that AWS Signer
    signed, `published` is the sha256 of the built ZIP, which the list claims it was made of.
    """

    id: str
    commit: str
    published: str
    rebuilt: str
    advice: str = ""
    is_signed: bool = False

    @property
    def is_equal(self) -> bool:
        """Tell whether the rebuild gave the same bytes."""
        return self.published == self.rebuilt


class Rebuilt(NamedTuple):
    """A finished rebuild: the list, its sha256, its last commit or the named one, and each variant.

    `uncommitted` are the ids of entries that the last commit of the list does not have, and
    `is_shallow` tells that the commit of an entry may not be here.
    """

    name: str
    sha256: str
    commit: str
    variants: Sequence[Compared]
    uncommitted: Sequence[str] = ()
    is_shallow: bool = False

    @property
    def equal(self) -> int:
        """The number of equal ZIPs."""
        return sum(one.is_equal for one in self.variants)


def rebuild(
    layout: Layout, path: Path, revision: str | None, names: Sequence[str], say: transfer.Say
) -> Rebuilt:
    """Rebuild the entries of a list, each from the commit that brought it, or from one revision.

    A list can have entries of several commits: `lambdas publish api` changes one. An entry that no
    commit of the list has is built from the present commit.

    Raises:
        RebuildError: there is no such list or commit, or it cannot be checked out.

    """
    entries = published.named(published.read(path), names, path)
    if not entries:
        msg = f"{path.name} has no entries, so there is nothing to rebuild"
        raise RebuildError(msg)
    commit = _commit(layout.root, path, revision)
    of = dict.fromkeys(entries, commit) if revision else _introduced(layout.root, path, entries)
    uncommitted = [id_ for id_ in entries if id_ not in of]
    if uncommitted:
        head = _commit(layout.root, path, "HEAD")
        of |= dict.fromkeys(uncommitted, head)
    found: list[Compared] = []
    for one in dict.fromkeys(of.values()):
        some = {id_: entry for id_, entry in entries.items() if of[id_] == one}
        try:
            found += _of_commit(layout, one, some, say)
        except BuildError as error:  # such as a manifest of an old commit that is no longer valid
            if len(some) == len(entries):
                raise
            found += (
                Compared(id_, one, published.origin(entry), "", str(error))
                for id_, entry in some.items()
            )
    found.sort(key=lambda compared: compared.id)
    asked = ("rev-parse", "--is-shallow-repository")
    is_shallow = not revision and git.text(layout.root, *asked, failed=RebuildError) == "true"
    return Rebuilt(path.name, digests.sha256(path), commit, found, uncommitted, is_shallow)


def _of_commit(
    layout: Layout, commit: str, entries: Mapping[str, Entry], say: transfer.Say
) -> list[Compared]:
    """Build entries at a commit, and compare."""
    with tempfile.TemporaryDirectory(prefix="lambda-zip-rebuild-") as temporary:
        top = Path(temporary).resolve()
        there = Layout(_check_out(layout.root, commit, top / "checkout"))
        say(f"building {len(entries)} of commit {commit[:12]}")
        declared = _declared(there)
        said = _build(there, [id_ for id_ in entries if id_ in declared], top)
        return [
            _compare(layout, there, id_, one, said if id_ in declared else _UNDECLARED)._replace(
                commit=commit, is_signed="signed_from" in one
            )
            for id_, one in entries.items()
        ]


_UNDECLARED = "lambdas.yaml of this commit does not declare it"


def _introduced(root: Path, path: Path, entries: Mapping[str, Entry]) -> dict[str, str]:
    """Return the commit that brought each entry; entries that are not committed are left out."""
    shown = os.path.relpath(path, root).replace(os.sep, "/")
    # With -m, a merge that joins the entries of two branches counts, too.
    arguments = ["log", "-m", "--diff-filter=AM", "--format=%H", "--", shown]
    commits = git.output(root, arguments, RebuildError).decode().split()
    named = dict.fromkeys(f"{commit}:./{shown}" for commit in dict.fromkeys(commits))
    waiting, found = dict(entries), dict[str, str]()
    for blob, content in git.contents(root, named, RebuildError).items():
        try:
            listed = published.parse(content, path.name)
        except PublishError:
            continue  # a merge left it like this, and a later commit mended it
        for id_, entry in list(waiting.items()):
            if id_ in listed and published.origin(listed[id_]) == published.origin(entry):
                found[id_] = blob.partition(":")[0]
            else:
                del waiting[id_]
    return found


def _commit(root: Path, path: Path, revision: str | None) -> str:
    if revision is not None:
        named = ["--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"]
        try:
            return git.text(root, "rev-parse", *named, failed=RebuildError)
        except RebuildError:
            msg = (
                f"git has no commit '{revision}'; fetch it first, for a shallow clone with 'git "
                "fetch --unshallow'"
            )
            raise RebuildError(msg) from None
    try:
        commit = git.text(root, "log", "-1", "--format=%H", "--", str(path), failed=RebuildError)
    except RebuildError as error:
        msg = f"{error}; set '--commit' to the commit that was published"
        raise RebuildError(msg) from None
    if not commit:
        msg = f"{path.name} is not committed here; set '--commit' to the commit that was published"
        raise RebuildError(msg)
    return commit


def _check_out(root: Path, commit: str, target: Path) -> Path:
    """Clone the repository at a commit, and return the folder that has lambdas.yaml there."""
    top = git.text(root, "rev-parse", "--show-toplevel", failed=RebuildError)
    below = git.text(root, "rev-parse", "--show-prefix", failed=RebuildError)
    options = ["--quiet", "--shared", "--no-checkout", "--template="]
    for name in ("core.autocrlf", "core.eol"):  # of this clone, which decide about line ends
        value = git.text(root, "config", "--default", "", "--get", name, failed=RebuildError)
        options += ["--config", f"{name}={value}"] if value else []
    git.text(root, "clone", *options, "--", top, str(target), failed=RebuildError)
    git.text(target, "checkout", "--quiet", "--detach", commit, failed=RebuildError)
    there = target / below
    if there.resolve() != target.resolve() / below:  # a link leads out of the clone
        msg = f"in commit {commit[:12]}, {below} is a link; name another commit with '--commit'"
        raise RebuildError(msg)
    if not there.is_dir():
        msg = f"commit {commit[:12]} has no folder {below}; name another commit with '--commit'"
        raise RebuildError(msg)
    return there


def _declared(there: Layout) -> set[str]:
    """Return the ids of the variants of the commit."""
    there.hashes.unlink(missing_ok=True)
    manifest = reader.read(there.root, generated=True)
    return {one.id for function in manifest.functions for one in variants.expand(function)}


def _build(there: Layout, ids: Sequence[str], top: Path) -> str:
    """Build variants in the clone, and return the end of the output if that fails."""
    if not ids:
        return ""
    removed = ("LAMBDA_ZIP_", "DOIT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(removed)}
    named = "LAMBDA_ZIP_INDEX_VARIABLES"  # for credentials of indexes in requirements
    kept |= {named: os.environ[named]} if named in os.environ else {}
    environment = kept | {"LAMBDA_ZIP_CACHE": "off", "LAMBDA_ZIP_REMOTE": "off"}
    # With -P, no module of the repository takes the place of one of ours.
    command = [sys.executable, "-P", "-m", "buildlib", "build", "--frozen", "--", *ids]
    with (top / "output").open("w+b") as output:
        done = subprocess.run(  # noqa: S603 - this interpreter, and ids of the manifest
            command,
            cwd=there.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    return tail(text) if done.returncode else ""


def _compare(layout: Layout, there: Layout, id_: str, one: Entry, said: str) -> Compared:
    entry, wanted = index.read(there).get(id_), published.origin(one)
    if entry is None or not index.is_built(entry) or entry.get("stale"):
        return Compared(id_, "", wanted, "", said or "the build gave no ZIP")
    made = there.zip(id_)
    sha256 = digests.sha256(made)
    if sha256 == wanted:
        return Compared(id_, "", wanted, sha256)
    kept = layout.rebuilt(id_)
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(made, kept)
    return Compared(id_, "", wanted, sha256, _command(layout, id_, one))


def _command(layout: Layout, id_: str, one: Entry) -> str:
    """Return the command that compares a published ZIP with a rebuilt one."""
    rebuilt, here = layout.relative(layout.rebuilt(id_)), layout.zip(id_)
    wanted = published.origin(one)
    if here.is_file() and digests.sha256(here) == wanted:
        return f"lambdas diff {layout.relative_zip(id_)} {rebuilt}"
    key = one["s3_key"].replace(one["sha256"], wanted)
    named = ["--bucket", one["s3_bucket"], "--key", key]
    if wanted == one["sha256"] and one["s3_object_version"]:
        named += ["--version-id", one["s3_object_version"]]
    fetch = shlex.join(["aws", "s3api", "get-object", *named, f"{id_}.zip"])
    return f"{fetch} && lambdas diff {id_}.zip {rebuilt}"
