"""The JSON of the commands about published and deployed ZIPs, like `output`."""

from collections.abc import Sequence
from typing import Any

from buildlib.artifacts import published
from buildlib.cli.output import VERSION
from buildlib.commands.live.compare import Finding
from buildlib.commands.live.deploy import Outcome
from buildlib.commands.publish.gc import Found
from buildlib.commands.publish.publish import Result as Published
from buildlib.commands.publish.rebuild import Rebuilt
from buildlib.remote.objects import Address


def of_published(done: Published, command: str, *, dry: bool) -> dict[str, Any]:
    """Return the object of each published or promoted variant."""
    names = ("sha256", "s3_bucket", "s3_key", "s3_object_version")
    objects = [
        {"id": id_, **{name: done.entries[id_][name] for name in names}, "outcome": outcome}
        for id_, outcome in sorted(done.outcomes.items())
    ]
    return {
        "version": VERSION,
        "command": command,
        "dry_run": dry,
        "to": done.where.url,
        "list": published.shown(done.path),
        "uploaded_size": done.bytes,
        "objects": objects,
        "warnings": [*done.warnings],
    }


def of_rebuilt(done: Rebuilt) -> dict[str, Any]:
    """Return each published ZIP with that of the rebuild."""
    variants = [
        {
            "id": one.id,
            "commit": one.commit,
            "published": one.published,
            "rebuilt": one.rebuilt or None,
            "equal": one.is_equal,
            "advice": one.advice or None,
        }
        for one in done.variants
    ]
    return {
        "version": VERSION,
        "command": "rebuild",
        "list": done.name,
        "commit": done.commit,
        "equal": done.equal,
        "variants": variants,
    }


def of_garbage(
    found: Found, where: Address, problems: Sequence[str], *, deleted: bool
) -> dict[str, Any]:
    """Return the objects that nothing uses, and how many stay for which reason."""
    unused = [
        {
            "s3_key": one.key,
            "s3_object_version": one.id,
            "size": one.size,
            "modified": one.modified.isoformat(),
            "delete_marker": one.is_marker,
        }
        for one in found.unused
    ]
    names = ("git", "functions", "young", "hidden", "others")
    return {
        "version": VERSION,
        "command": "gc",
        "bucket": where.url,
        "deleted": deleted,
        "unused": unused,
        "kept": {name: getattr(found, name) for name in names},
        "errors": [*problems],
    }


def of_drift(found: Sequence[Finding], code: int) -> dict[str, Any]:
    """Return the state of each function, and of each layer that it uses."""
    targets = [
        {
            "id": one.id,
            "function": one.function or None,
            "state": one.state,
            "text": one.text,
            "version": one.version or None,
            "sha256": one.deployed or None,
            "expected_sha256": one.wanted or None,
            "commit": one.commit._asdict() if one.commit else None,
            "behind": one.behind,
            "notes": [*one.notes],
        }
        for one in found
    ]
    return {"version": VERSION, "command": "drift", "exit_code": code, "functions": targets}


def of_deploy(command: str, outcomes: Sequence[Outcome], code: int) -> dict[str, Any]:
    """Return the outcome of `deploy` or `rollback` for each function."""
    functions = [
        {
            "id": one.id,
            "function": one.function,
            "state": one.state,
            "text": one.text,
            "sha256": one.sha256,
            "previous_sha256": one.previous or None,
            "version": one.version or None,
            "notes": [*one.notes],
        }
        for one in outcomes
    ]
    return {"version": VERSION, "command": command, "exit_code": code, "functions": functions}
