"""`lambdas publish`: bring the ZIPs of dist/ into a bucket, and write where each of them is."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.archive import contents
from buildlib.artifacts import index, published
from buildlib.artifacts.published import Entry
from buildlib.commands.publish import plan, sign, transfer
from buildlib.commands.publish.plan import Item
from buildlib.commands.publish.sign import Signed, Signing
from buildlib.files import atomic, locks
from buildlib.layout import Layout
from buildlib.model import Variant, Written
from buildlib.project.project import Project
from buildlib.remote.bucket import Access
from buildlib.remote.objects import Address, Objects, Stored

UPLOADED, UNCHANGED, PENDING = "uploaded", "unchanged", "pending"


class Result(NamedTuple):
    """The content of a list, or that after a dry run: entries, and an outcome for each."""

    where: Address
    path: Path
    entries: Mapping[str, Entry]
    outcomes: Mapping[str, str]
    bytes: int  # that were uploaded
    warnings: Sequence[str] = ()


class Request(NamedTuple):
    """The list to write, the place of its objects, and the known facts about them."""

    where: Address
    access: Access
    path: Path
    dry: bool = False
    signing: Signing | None = None


def publish(
    project: Project, variants: Sequence[Variant], request: Request, say: transfer.Say
) -> Result:
    """Publish variants, and write the list; it stays as it is unless all succeed.

    Raises:
        PublishError: a ZIP is out of date, or a request failed; the message lists all problems.

    """
    where = request.where
    earlier = published.read(request.path) if request.path.exists() else {}
    is_whole = len(variants) == len(project.variants)
    if not is_whole:
        named = {one.id for one in variants}
        kept = {name: one for name, one in earlier.items() if name not in named}
        plan.check_place(request.path, kept, where)
    items = plan.plan(project, variants, earlier, where)
    objects = Objects(where, request.access, project.layout.downloads)
    # Several variants may have the same ZIP; one that is here comes last, and counts.
    ordered = sorted(items, key=lambda item: item.wanted.path is not None)
    by_hash = {item.wanted.sha256: item for item in ordered}
    signing, signed = request.signing, dict[str, Signed]()
    if signing:
        built = {sha256: item.wanted for sha256, item in by_hash.items()}
        signed = sign.present(signing, objects, plan.versions(earlier, where), built)
    rest = {sha256: item for sha256, item in by_hash.items() if sha256 not in signed}
    if request.dry:
        looked = {sha: functools.partial(objects.look, one.wanted) for sha, one in rest.items()}
        found = transfer.together(looked, "asking", say)
        return _dry(request, items, found, signed)
    jobs = {sha: functools.partial(_store, objects, item) for sha, item in rest.items()}
    stored = transfer.together(jobs, "publishing", say)
    if signing:
        sources = {sha256: (rest[sha256].wanted, one) for sha256, (one, _) in stored.items()}
        signed |= sign.sign_all(project.layout, signing, objects, sources, say)
        stored |= {sha256: (one.stored, one.row.written) for sha256, one in signed.items()}
    new = {
        item.variant.id: _entry(project, item, request, *stored[item.wanted.sha256])
        for item in items
    }
    objects_of = {item.variant.id: stored[item.wanted.sha256][0] for item in items}
    return finish(project.layout, request, new, objects_of, gone=earlier if is_whole else {})


def finish(
    layout: Layout,
    request: Request,
    new: Mapping[str, Entry],
    stored: Mapping[str, Stored],
    *,
    gone: Mapping[str, Entry],
) -> Result:
    """Write new entries to a list, and return the result.

    The entries of `gone` are removed unless they are new. The list is read again, because another
    process may have written to it since: its entries stay.
    """
    with locks.locked(layout.lock("published")):
        present = published.read(request.path) if request.path.exists() else {}
        kept = {name: one for name, one in present.items() if gone.get(name) != one}
        entries = {**kept, **new}
        if not request.path.exists() or request.path.read_bytes() != published.text(entries):
            published.write(request.path, entries)
    outcomes = {name: UPLOADED if one.is_new else UNCHANGED for name, one in stored.items()}
    sizes = {entries[name]["sha256"]: one.size for name, one in stored.items() if one.is_new}
    warnings = unversioned(request.where, [one.version for one in stored.values()])
    return Result(request.where, request.path, entries, outcomes, sum(sizes.values()), warnings)


def unversioned(where: Address, versions: Sequence[str | None]) -> list[str]:
    """Return the warning about a bucket that keeps no versions."""
    if all(version is not None for version in versions):
        return []
    warning = (
        f"the bucket {where.bucket} keeps no versions, so 's3_object_version' is null: a deleted "
        "object is lost, and Lambda's reference storage refuses it. Turn them on: aws s3api "
        f"put-bucket-versioning --bucket {where.bucket} --versioning-configuration Status=Enabled"
    )
    return [warning]


def _store(objects: Objects, item: Item) -> tuple[Stored, Written]:
    """Bring a ZIP into the bucket, and return its object and its facts."""
    stored = objects.store(item.wanted)
    if item.written is not None:
        written, path = item.written, stored.path
    else:  # only its sha256 was known
        path = stored.path or objects.fetch(item.wanted.sha256, stored.version)
        written = Written(item.wanted.sha256, stored.size, contents.unzipped_size(path))
    if path is not None:
        atomic.remove(path)
    return stored, written


def _entry(
    project: Project, item: Item, request: Request, stored: Stored, written: Written
) -> Entry:
    where, listed = request.where, index.entry(project.layout, item.variant, written)
    if request.signing:
        profile = request.signing.profile.name
        listed = {**listed, **published.signed_from(profile, item.wanted.sha256)}
    return published.entry(listed, where.bucket, where.key(written.sha256), stored.version)


def _dry(
    request: Request,
    items: Sequence[Item],
    found: Mapping[str, Stored | None],
    signed: Mapping[str, Signed],
) -> Result:
    """Return the result of a dry run; a ZIP to sign has its hash as it was built."""
    outcomes, entries = {}, {}
    new = dict[str, int]()
    for item in items:
        sha256, there = item.wanted.sha256, found.get(item.wanted.sha256)
        if one := signed.get(sha256):
            outcomes[item.variant.id] = UNCHANGED
            sha256 = one.row.written.sha256
            entries[item.variant.id] = published.entry(
                {"sha256": sha256},
                request.where.bucket,
                request.where.key(sha256),
                one.stored.version,
            )
            continue
        outcomes[item.variant.id] = UNCHANGED if there and not request.signing else PENDING
        version = there.version if there else None
        entries[item.variant.id] = published.entry(
            {"sha256": sha256}, request.where.bucket, request.where.key(sha256), version
        )
        if there is None and item.written is not None:
            new[sha256] = item.written.size
    return Result(request.where, request.path, entries, outcomes, sum(new.values()))
