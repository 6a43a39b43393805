"""The JSON of `--json`, by the schema in `buildlib/output.schema.json`.

A field is never removed, and its meaning never changes, without a new `version`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from buildlib.artifacts import index
from buildlib.commands.shards.matrix import Plan
from buildlib.commands.size import Size
from buildlib.commands.why import Explanation
from buildlib.errors import BuildError
from buildlib.layout import Layout
from buildlib.model import Variant, Written
from buildlib.plugin.result import Result
from buildlib.project.project import Project
from buildlib.runtimes import UNZIPPED_LIMIT, ZIPPED_LIMIT
from buildlib.steps import summary

VERSION = 1

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
        "version": VERSION,
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
    return {"version": VERSION, "command": "why", "variants": variants}


def kind(variant: Variant) -> str:
    """Return whether a variant is of a function or of a layer."""
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
            "saved": [
                {"option": s.option, ("size" if s.is_zipped else "unzipped_size"): s.size}
                for s in one.saved
            ],
            "possible": [p.as_json() for p in one.possible],
            "duplicates": [
                {
                    "paths": [*d.paths],
                    "same_content": d.is_same,
                    "spare": [*d.spare],
                    "size": d.zipped,
                    "unzipped_size": d.unzipped,
                }
                for d in one.duplicates
            ],
        }
        for one in found
    ]
    limits = {"size": ZIPPED_LIMIT, "unzipped_size": UNZIPPED_LIMIT}
    return {
        "version": VERSION,
        "command": "size",
        "limits": limits,
        "variants": variants,
        "out_of_date": [one.id for one in found if one.is_stale],
        "not_built": [*missing],
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
                "kind": kind(variant),
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
    return {"version": VERSION, "command": "list", "variants": found}


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
    return {"version": VERSION, "command": "shards", "basis": basis, "shards": shards}


def of_doctor(checks: Sequence[tuple[str, str, str, str]]) -> dict[str, Any]:
    """Return the checks of `doctor`: name, status, finding, advice."""
    names = ("name", "status", "finding", "advice")
    found = [dict(zip(names, check, strict=True)) for check in checks]
    return {"version": VERSION, "command": "doctor", "checks": found}
