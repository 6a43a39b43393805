"""The JSON of `--json`, by the schema in `buildlib/output.schema.json`.

A field is never removed, and its meaning never changes, without a new `version`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildlib.artifacts import index
from buildlib.commands.live.compare import Finding
from buildlib.commands.live.deploy import Outcome
from buildlib.commands.publish.gc import Found
from buildlib.commands.publish.publish import Result as Published
from buildlib.commands.publish.rebuild import Rebuilt
from buildlib.commands.shards.matrix import Plan
from buildlib.commands.size import Size
from buildlib.commands.what_if import Answer
from buildlib.commands.why import Explanation
from buildlib.errors import BuildError
from buildlib.layout import Layout
from buildlib.model import Variant, Written
from buildlib.plugin.result import Result
from buildlib.project.project import Project
from buildlib.remote.objects import Address
from buildlib.runtimes import UNZIPPED_LIMIT, ZIPPED_LIMIT
from buildlib.steps import summary

if TYPE_CHECKING:
    from buildlib.commands import audit, shared
    from buildlib.commands.ready import answer as ready

_VERSION = 1

_OUTCOMES = {
    summary.BUILT: "built",
    summary.FARMED: "built",
    summary.STORED: "cached",
    summary.FETCHED: "fetched",
    summary.DESCRIBED: "unchanged",
    summary.FAILED: "failed",
    summary.INTERRUPTED: "interrupted",
    summary.LEFT_OUT: "not_built",
}


def of_build(result: Result) -> dict[str, Any]:
    """Return the result of a build: each variant with its outcome, its ZIP and its error."""
    entries = index.read(Layout(Path.cwd()))
    found = {
        one.id: {
            "outcome": _OUTCOMES.get(one.done, "partial"),
            "reason": one.why,
            "seconds": round(one.seconds, 3),
            "previous": _sizes(one.previous),
        }
        for one in result.outcomes
    }
    found |= {
        name: {"outcome": "unchanged", "reason": "", "seconds": 0.0, "previous": None}
        for name in result.unchanged
    }
    variants = [
        {
            "id": name,
            **facts,
            "zip": _zip(entries.get(name)),
            "error": result.errors.get(name),
        }
        for name, facts in sorted(found.items())
    ]
    return {
        "version": _VERSION,
        "command": "build",
        "exit_code": result.code,
        "seconds": round(result.seconds, 3),
        "variants": variants,
        "warnings": [warning.removeprefix("warning: ") for warning in result.warnings],
    }


def _zip(entry: dict[str, Any] | None) -> dict[str, Any] | None:
    if entry is None or not index.is_built(entry) or entry.get("stale"):
        return None
    names = ("path", "sha256", "source_code_hash", "size", "unzipped_size")
    return {name: entry[name] for name in names}


def _sizes(written: Written | None) -> dict[str, Any] | None:
    if written is None:
        return None
    return {
        "sha256": written.sha256,
        "size": written.size,
        "unzipped_size": written.unzipped_size,
    }


def of_why(found: Sequence[Explanation]) -> dict[str, Any]:
    """Return why each variant will be or was built."""
    variants = [
        {
            "id": one.id,
            "up_to_date": not one.is_pending,
            "steps": [{"step": step, "reason": why} for step, why in one.steps],
            "reasons": [*one.reasons],
            "lock": one.lock or None,
            "error": one.error or None,
        }
        for one in found
    ]
    return {"version": _VERSION, "command": "why", "variants": variants}


def of_what_if(found: Answer) -> dict[str, Any]:
    """Return the variants that other versions of packages would change."""
    variants = [
        {
            "id": one.variant.id,
            "kind": _kind(one.variant),
            "package": one.change.package,
            "present": one.present,
            "wanted": one.change.version,
            "changes": one.changes,
            "layer": one.layer or None,
            "required_by": [
                {
                    "by": demand.by,
                    "requirement": demand.text or None,
                    "allows": demand.allows(one.change.version),
                }
                for demand in one.demands
            ],
        }
        for one in found.holders
    ]
    return {
        "version": _VERSION,
        "command": "why --if",
        "changes": [one._asdict() for one in found.changes],
        "variants": variants,
        "changed": found.changed,
        "unaffected": found.unaffected,
        "errors": [{"id": name, "error": text} for name, text in found.errors.items()],
        "remarks": [*found.remarks],
    }


def _kind(variant: Variant) -> str:
    return "layer" if variant.function.is_layer else "function"


def of_size(found: Sequence[Size], missing: Sequence[str]) -> dict[str, Any]:
    """Return the sizes of variants in bytes, and the limits of Lambda."""
    variants = [
        {
            "id": one.id,
            "size": one.zipped,
            "unzipped_size": one.unzipped,
            "layers_unzipped_size": one.layers,
            "share_of_limit": round(one.share, 4),
            "parts": [{"name": part.name, "unzipped_size": part.size} for part in one.parts],
        }
        for one in found
    ]
    limits = {"size": ZIPPED_LIMIT, "unzipped_size": UNZIPPED_LIMIT}
    return {
        "version": _VERSION,
        "command": "size",
        "limits": limits,
        "variants": variants,
        "not_built": [*missing],
    }


def of_shared(found: "shared.Answer") -> dict[str, Any]:
    """Return the layer that would save most."""
    from buildlib.commands import shared

    layer = found.layer
    proposed = layer and {
        "packages": [one._asdict() for one in layer.packages],
        "functions": [one.name for one in layer.functions],
        "size": layer.weight.zipped,
        "unzipped_size": layer.weight.unzipped,
        "saved": layer.saved,
        "worth": found.is_worth,
        "requirements": shared.requirements(layer),
        "manifest": shared.manifest(layer),
    }
    return {
        "version": _VERSION,
        "command": "size --shared",
        "size": found.total,
        "layer": proposed,
        "not_built": [*found.missing],
    }


def of_list(project: Project, variants: Sequence[Variant]) -> dict[str, Any]:
    """Return the declared functions and layers, and the state of each ZIP."""
    found = []
    for variant in variants:
        function = variant.function
        entry = project.index().get(variant.id)
        found.append(
            {
                "id": variant.id,
                "name": function.name,
                "kind": _kind(variant),
                "handler": function.handler or None,
                "runtime": f"python{variant.python}",
                "architecture": variant.architecture,
                "source": function.source,
                "requirements": [*function.requires.paths] if function.requires else [],
                "lockfile": function.lockfile,
                "layers": [*function.layers],
                "state": _state(project, variant),
                "zip": _zip(entry),
            }
        )
    return {"version": _VERSION, "command": "list", "variants": found}


def _state(project: Project, variant: Variant) -> str:
    if not index.is_built(project.index().get(variant.id)):
        return "not built"
    try:
        is_current = project.status(variant).written is not None
    except BuildError:  # `why` names the problem
        return "out of date"
    return "up to date" if is_current else "out of date"


def of_shards(plan: Plan) -> dict[str, Any]:
    """Return the shards, and how many variants have recorded times."""
    shards = [
        {
            "shard": one.number,
            "name": one.name,
            "lambdas": " ".join(one.names),
            "variants": one.variants,
            "runner": one.labels,
            "docker": one.docker,
            "seconds": one.milliseconds / 1000,
        }
        for one in plan.shards
    ]
    basis = {"recorded": plan.recorded, "estimated": plan.variants - plan.recorded}
    return {"version": _VERSION, "command": "shards", "basis": basis, "shards": shards}


def of_published(done: Published, command: str, *, dry: bool) -> dict[str, Any]:
    """Return the object of each published or promoted variant."""
    names = ("sha256", "s3_bucket", "s3_key", "s3_object_version")
    objects = [
        {"id": id_, **{name: done.entries[id_][name] for name in names}, "outcome": outcome}
        for id_, outcome in sorted(done.outcomes.items())
    ]
    return {
        "version": _VERSION,
        "command": command,
        "dry_run": dry,
        "to": done.where.url,
        "list": done.path.name,
        "uploaded_size": done.bytes,
        "objects": objects,
        "warnings": [*done.warnings],
    }


def of_rebuilt(done: Rebuilt) -> dict[str, Any]:
    """Return each published ZIP with that of the rebuild."""
    variants = [
        {
            "id": one.id,
            "published": one.published,
            "rebuilt": one.rebuilt or None,
            "equal": one.is_equal,
            "advice": one.advice or None,
        }
        for one in done.variants
    ]
    return {
        "version": _VERSION,
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
        "version": _VERSION,
        "command": "gc",
        "bucket": where.url,
        "deleted": deleted,
        "unused": unused,
        "kept": {name: getattr(found, name) for name in names},
        "errors": [*problems],
    }


def of_audit(found: "audit.Answer") -> dict[str, Any]:
    """Return the known vulnerabilities of locked packages."""
    findings = [
        {
            **one.release._asdict(),
            "id": one.id,
            "aliases": [*one.aliases],
            "summary": one.summary,
            "link": one.link,
            "fixed_in": [*one.fixed],
            "ignored": one in found.ignored,
            "variants": [*found.holders[one.release]],
        }
        for one in (*found.findings, *found.ignored)
    ]
    unaudited = [
        {**release._asdict(), "variants": [*names]} for release, names in found.unaudited.items()
    ]
    return {
        "version": _VERSION,
        "command": "audit",
        "packages": len(found.holders),
        "unasked": found.audit.unasked or None,
        "findings": findings,
        "not_audited": unaudited,
        "errors": [{"id": name, "error": text} for name, text in found.errors.items()],
    }


def of_ready(found: "ready.Answer") -> dict[str, Any]:
    """Return the obstacles to a Python."""
    from buildlib.commands.ready.answer import state

    locks = [
        {
            "lockfile": lock.shown,
            "architecture": lock.target.architecture,
            "variants": [one.id for one in lock.variants],
            "blockers": [one._asdict() for one in lock.offer.blockers],
            "conflict": lock.offer.conflict or None,
            "unasked": lock.offer.unasked or None,
        }
        for lock in found.locks
    ]
    runtimes = []
    for runtime, count in found.runtimes:
        dates = runtime.dates or (None, None, None)
        runtimes.append(
            {
                "runtime": runtime.identifier,
                "variants": count,
                "state": state(runtime, found.today),
                **dict(zip(("deprecated", "no_new", "no_updates"), dates, strict=True)),
            }
        )
    return {
        "version": _VERSION,
        "command": "ready",
        "python": found.python,
        "ready": found.ready,
        "there": [*found.there],
        "not_ready": sorted(found.blocked),
        "unknown": sorted(found.unknown),
        "locks": locks,
        "code": [{"id": name, "problems": [*some]} for name, some in found.code.items()],
        "errors": [{"id": name, "error": text} for name, text in found.errors.items()],
        "runtimes": runtimes,
    }


def of_doctor(checks: Sequence[tuple[str, str, str, str]]) -> dict[str, Any]:
    """Return the checks of `doctor`: name, status, finding, advice."""
    names = ("name", "status", "finding", "advice")
    found = [dict(zip(names, check, strict=True)) for check in checks]
    return {"version": _VERSION, "command": "doctor", "checks": found}


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
    return {"version": _VERSION, "command": "drift", "exit_code": code, "functions": targets}


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
    return {"version": _VERSION, "command": command, "exit_code": code, "functions": functions}
