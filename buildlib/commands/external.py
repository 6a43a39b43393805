"""Answer the `external` data source of Terraform and OpenTofu: build, and return the hashes.

    lambdas external < query

The protocol is that of the provider hashicorp/external: a JSON object of strings comes on stdin
(or as the only argument, for provisioners), one goes to stdout and nothing else does; errors go to
stderr with exit code 1. The query's keys, all optional:

    root              the repository, relative to the working directory; default: this one
    id                a variant: the answer has its entry in the index, as strings
    ids               variants, with spaces between: the answer has each one's entry, as JSON text;
                      without `id` and `ids` there is one for every variant
    layers            "true": without `id` and `ids`, there is one for every layer, too
    plan              "true": a variant whose key is in lambdas.hashes.json is not built
    source_code_hash  with `id`: the hash that was planned, and must come out

docs/how-to/terraform.md says when to use which.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from buildlib.artifacts import hashes
from buildlib.errors import BuildError, QueryError, RecordError, RemoteError, StageError
from buildlib.model import Variant, Written
from buildlib.project.project import Project
from buildlib.runtimes import RUNTIMES
from buildlib.steps import run
from buildlib.text import closest

_KEYS = ("id", "ids", "layers", "plan", "root", "source_code_hash")


Answer = dict[str, str]


def answer(query: Mapping[str, str], here: Path) -> Answer:
    """Return the answer to a query that is asked in the folder `here`.

    Raises:
        BuildError: the query is wrong, or a variant in it cannot be built.

    """
    planning = _planning(query)
    if "id" in query and "ids" in query:
        msg = "the query has both 'id' and 'ids'; set only one of them"
        raise QueryError(msg)
    expected = query.get("source_code_hash")
    if expected is not None and "id" not in query:
        msg = (
            "'source_code_hash' in the query needs an 'id': it is the expected hash of one variant"
        )
        raise QueryError(msg)
    project = Project((here / query.get("root", "")).resolve())
    try:
        if "id" in query:
            variant = _declared(project, query["id"])
            found = _deployment(project, variant, planning=planning)
            _check_planned(variant, expected, found["source_code_hash"])
            return found
        layers = _truth(query, "layers")
        every = [v.id for v in project.variants.values() if layers or not v.function.is_layer]
        names = query["ids"].split() if "ids" in query else every
        wanted = [_declared(project, name) for name in names]
        project.remote.expect(wanted)
        return {
            variant.id: json.dumps(_deployment(project, variant, planning=planning), sort_keys=True)
            for variant in wanted
        }
    finally:
        project.save()
        finish(project)


def finish(project: Project) -> None:
    """Wait for the uploads to the remote cache, if there is one.

    Raises:
        RemoteError: another builder gave other bytes for the same inputs.

    """
    if not project.remote.is_used:
        return
    from buildlib.steps import uploads

    if messages := uploads.finish(project, lambda _: None):
        msg = "\n".join(messages.values())
        raise RemoteError(msg)


def _planning(query: Mapping[str, str]) -> bool:
    for name in query:
        if name not in _KEYS:
            close = closest(name, _KEYS)
            hint = f" (did you mean '{close}'?)" if close else ""
            msg = f"the query has an unknown key '{name}'{hint}. Allowed: {', '.join(_KEYS)}"
            raise QueryError(msg)
    return _truth(query, "plan")


def _truth(query: Mapping[str, str], key: str) -> bool:
    value = query.get(key, "false")
    if value not in {"true", "false"}:
        msg = f"'{key}' in the query: expected true or false, found '{value}'"
        raise QueryError(msg)
    return value == "true"


def _declared(project: Project, variant_id: str) -> Variant:
    variant = project.variants.get(variant_id)
    if variant is None:
        known = ", ".join(project.variants)
        msg = f"lambdas.yaml declares no '{variant_id}'; these are its variants: {known}"
        raise QueryError(msg)
    return variant


def _deployment(project: Project, variant: Variant, *, planning: bool) -> Answer:
    """Return the facts that Terraform needs about a variant; the same with a build and without."""
    entry, function = _entry(project, variant, planning=planning), variant.function
    who = {"lambda": function.name, "handler": function.handler}
    if function.is_layer:
        who = {"layer": function.name}
    elif layers := [*function.layers, *function.arns]:
        who["layers"] = " ".join(layers)
    return {
        "id": variant.id,
        **who,
        "runtime": RUNTIMES[variant.python].identifier,
        "architecture": variant.architecture,
        "path": project.layout.relative(project.layout.zip(variant.id)),
        "sha256": entry["sha256"],
        "source_code_hash": entry["source_code_hash"],
    }


def _entry(project: Project, variant: Variant, *, planning: bool) -> hashes.Entry:
    if planning and variant.id in project.recorded():
        recorded = project.recorded()[variant.id]
        try:
            present = project.inputs(variant).key == recorded["key"]
        except BuildError:  # no key without a lockfile; the build reports the remedy
            present = False
        if present:
            return recorded
    written = _built(project, variant)
    key = project.inputs(variant).key
    # A ZIP that was in dist/ before this run has not been compared with the record yet.
    hashes.check(project.recorded(), variant, key, written.sha256)
    return hashes.entry(key, written.sha256)


def _built(project: Project, variant: Variant) -> Written:
    """Bring the ZIP of a variant into dist/, and return its hash and sizes."""
    for _ in run.build(project, variant):
        pass
    written = project.status(variant).written
    if written is None:
        shown = project.layout.relative(project.layout.zip(variant.id))
        msg = f"{shown}: its inputs changed during the build; run it again"
        raise StageError(msg, "changed")
    return written


def _check_planned(variant: Variant, planned: str | None, found: str) -> None:
    if planned is not None and planned != found:
        msg = (
            f"'{variant.id}' was planned with source_code_hash {planned}, but the current "
            f"inputs give {found}: the plan came from another checkout, or the ZIP is not "
            "reproducible. Check out the commit of the plan, or plan again"
        )
        raise RecordError(msg)


def read(text: str) -> dict[str, str]:
    """Return the query in a JSON text.

    Raises:
        QueryError: it is not an object of strings.

    """
    try:
        query = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"the query is not JSON ({error}); expected an object of strings on stdin"
        raise QueryError(msg) from None
    if not isinstance(query, dict) or not all(isinstance(value, str) for value in query.values()):
        msg = f"the query must be a JSON object whose values are strings, found {text.strip()[:80]}"
        raise QueryError(msg)
    return query


def respond(text: str, here: Path) -> str:
    """Return the JSON text that answers the query in `text`, asked in the folder `here`.

    Raises:
        BuildError: as `read` and `answer`.

    """
    return json.dumps(answer(read(text), here), sort_keys=True)
