"""`lambdas promote`: copy published ZIPs to another bucket, which may be of another account.

The bytes come through this machine, so their sha256 is proved on the way, and S3 does not copy into
a bucket whose policy lets objects only be created. Each promoted ZIP is in the committed record, so
it went through a review. Of a ZIP that AWS Signer signed, this holds for the built ZIP, so the two
are compared.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from buildlib.artifacts import published
from buildlib.artifacts.published import Entry
from buildlib.commands.publish import git, plan, publish, sign, transfer
from buildlib.commands.publish.publish import Request, Result
from buildlib.errors import PublishError
from buildlib.files import atomic
from buildlib.layout import Layout
from buildlib.remote.bucket import Access
from buildlib.remote.objects import Address, Objects, Stored, Wanted


def promote(
    layout: Layout,
    source: tuple[Path, Access],
    names: Sequence[str],
    request: Request,
    say: transfer.Say,
) -> Result:
    """Copy the entries of a list, given by its path and the access to their objects.

    Raises:
        PublishError: the record lacks a hash, or a request failed; the message lists all problems.

    """
    if source[0] == request.path:
        name = published.shown(request.path)
        msg = f"{name} is the list to read; '--list' names another one to write"
        raise PublishError(msg)
    every = published.read(source[0])
    chosen = published.named(every, names, source[0])
    _check_recorded(layout, chosen, source[0])
    earlier = published.read(request.path) if request.path.exists() else {}
    where = request.where
    if names:
        kept = {name: one for name, one in earlier.items() if name not in chosen}
        plan.check_place(request.path, kept, where)
    known = plan.versions(earlier, where)
    target = Objects(where, request.access, layout.downloads)
    origins = _Origins(source[1], layout.downloads)
    jobs, wanted = dict[str, Callable[[], Stored | None]](), {}
    for id_, one in chosen.items():
        version = known.get(one["sha256"], {}).get("s3_object_version")
        origin = published.origin(one) if "signed_from" in one else ""
        wanted[id_] = Wanted(one["sha256"], None, version, one["size"], origin)
        copy = functools.partial(_copy, target, origins, one, wanted[id_])
        jobs[one["sha256"]] = functools.partial(target.look, wanted[id_]) if request.dry else copy
    if not request.dry:
        _check_signed(target, origins, chosen, wanted, say)
    found = transfer.together(jobs, "promoting", say)
    if request.dry:
        return _dry(request, chosen, found)
    stored = {name: there for name, one in chosen.items() if (there := found[one["sha256"]])}
    new = {
        name: published.entry(one, where.bucket, where.key(one["sha256"]), stored[name].version)
        for name, one in chosen.items()
    }
    return publish.finish(layout, request, new, stored, gone={} if names else earlier)


def _check_recorded(layout: Layout, chosen: Mapping[str, Entry], path: Path) -> None:
    """Refuse a ZIP that the record of the last commit does not have.

    Raises:
        PublishError: with a line for each.

    """
    content = git.committed(layout.root, layout.hashes, PublishError)
    name = layout.hashes.name
    if content is None:
        msg = (
            f"{name} is not in the last commit, so nothing says which ZIPs may be promoted; run "
            "'lambdas record' and commit the file"
        )
        raise PublishError(msg)
    try:
        record: Any = json.loads(content)
    except ValueError:
        msg = f"{name}: the last commit has a damaged file; run 'lambdas record' and commit it"
        raise PublishError(msg) from None
    problems, place = [], published.shown(path)
    for id_, one in chosen.items():
        entry = record.get(id_) if isinstance(record, dict) else None
        if not isinstance(entry, dict) or entry.get("sha256") != published.origin(one):
            sha256 = published.origin(one)
            problems.append(f"{place}: '{id_}' has sha256 {sha256}, which is not recorded")
    if problems:
        problems.append(
            f"The {name} of the last commit has other hashes. Check out the commit that was "
            "published, or run 'lambdas record', commit the file, and publish again"
        )
        raise PublishError("\n".join(problems))


def _check_signed(
    target: Objects,
    origins: "_Origins",
    chosen: Mapping[str, Entry],
    wanted: Mapping[str, Wanted],
    say: transfer.Say,
) -> None:
    """Refuse a signed ZIP that has other files than the built one, for which the record vouches.

    An object of the target names the built ZIP with which it was compared when it was promoted.

    Raises:
        PublishError: with a line for each.

    """

    def compare(id_: str, one: Wanted) -> None:
        there = target.look(one)
        if there is None or there.signed_from != one.signed_from:
            entry = chosen[id_]
            source = one._replace(version=entry["s3_object_version"])
            built = Wanted(one.signed_from, None)
            sign.compare(origins.of(entry), built, source, f"the entry of '{id_}'")

    jobs = {
        f"{one.sha256} {one.signed_from}": functools.partial(compare, id_, one)
        for id_, one in wanted.items()
        if one.signed_from
    }
    transfer.together(jobs, "comparing", say)


class _Origins:
    """The buckets that the objects of a list are in, each connected once."""

    def __init__(self, access: Access, downloads: Path) -> None:
        self._access, self._downloads = access, downloads
        self._known: dict[Address, Objects] = {}

    def of(self, one: Entry) -> Objects:
        """Return the neighbours of an entry's object."""
        where = Address(one["s3_bucket"], published.prefix(one))
        if where not in self._known:
            self._known[where] = Objects(where, self._access, self._downloads)
        return self._known[where]


def _copy(target: Objects, origins: _Origins, one: Entry, wanted: Wanted) -> Stored:
    """Bring the object of an entry into the target, unless it has it."""
    origin = origins.of(one)
    stored = target.store(wanted, lambda: origin.fetch(one["sha256"], one["s3_object_version"]))
    if stored.path is not None:
        atomic.remove(stored.path)
    return stored


def _dry(
    request: Request, chosen: Mapping[str, Entry], found: Mapping[str, Stored | None]
) -> Result:
    outcomes, entries, new = {}, {}, dict[str, int]()
    for name, one in chosen.items():
        there = found[one["sha256"]]
        outcomes[name] = publish.UNCHANGED if there else publish.PENDING
        key = request.where.key(one["sha256"])
        version = there.version if there else None
        entries[name] = published.entry(one, request.where.bucket, key, version)
        if there is None:
            new[one["sha256"]] = one["size"]
    return Result(request.where, request.path, entries, outcomes, sum(new.values()))
