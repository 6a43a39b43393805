"""The JSON of the questions about all functions, as `output` has that of the others."""

from typing import TYPE_CHECKING, Any

from buildlib.cli import output
from buildlib.cli.output import VERSION

if TYPE_CHECKING:
    from buildlib.commands import audit, shared
    from buildlib.commands.ready import answer as ready
    from buildlib.commands.what_if import Answer


def of_what_if(found: "Answer") -> dict[str, Any]:
    """Return the variants that other versions of packages would change."""
    variants = [
        {
            "id": one.variant.id,
            "kind": output.kind(one.variant),
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
        "version": VERSION,
        "command": "why --if",
        "changes": [one._asdict() for one in found.changes],
        "variants": variants,
        "changed": found.changed,
        "unaffected": found.unaffected,
        "errors": [{"id": name, "error": text} for name, text in found.errors.items()],
        "remarks": [*found.remarks],
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
        "version": VERSION,
        "command": "size --shared",
        "size": found.total,
        "layer": proposed,
        "not_built": [*found.missing],
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
        "version": VERSION,
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
        "version": VERSION,
        "command": "ready",
        "python": found.python,
        "ready": found.ready,
        "there": [*found.there],
        "not_ready": sorted(found.blocked),
        "unknown": sorted(found.unknown),
        "locks": locks,
        "code": [{"id": name, "problems": [*some]} for name, some in found.code.items()],
        "bytecode": [{"id": name, **need._asdict()} for name, need in found.bytecode.items()],
        "errors": [{"id": name, "error": text} for name, text in found.errors.items()],
        "runtimes": runtimes,
    }
