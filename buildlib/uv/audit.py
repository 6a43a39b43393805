"""Ask a service for the known vulnerabilities of releases, with `uv audit`.

uv audits the lock of a project: here, one that is made from the releases. The service is that of
OSV (https://google.github.io/osv.dev/api), with the advisories of PyPA and GitHub.
"""

import json
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from buildlib import text
from buildlib.uv import run

SERVICE = "https://api.osv.dev"

_PROJECT = """\
[project]
name = "lambda-zip-audited"
version = "0"
requires-python = ">=3.8"
"""

_REGISTRY = '{ registry = "https://pypi.org/simple" }'


class Release(NamedTuple):
    """A distribution by its normalised name, and its version."""

    name: str
    version: str


class Finding(NamedTuple):
    """A vulnerability of a release; `fixed` are the versions in which it is mended."""

    release: Release
    id: str
    aliases: tuple[str, ...]
    summary: str
    link: str
    fixed: tuple[str, ...]


class Audit(NamedTuple):
    """The result: findings, or the reason why the service gave no answer."""

    findings: tuple[Finding, ...] = ()
    unasked: str = ""


def audit(root: Path, releases: Collection[Release], service: str, log: Path) -> Audit:
    """Return the known vulnerabilities of releases; `service` is the address of an OSV API."""
    if not releases:
        return Audit()
    with tempfile.TemporaryDirectory(prefix="lambda-zip-") as name:
        folder = Path(name)
        (folder / "pyproject.toml").write_text(_PROJECT, encoding="utf-8")
        (folder / "uv.lock").write_text(_lock(releases), encoding="utf-8")
        arguments = [
            *("audit", "--frozen", "--preview-features", "audit-command,json-output"),
            *("--service-url", service, "--output-format", "json"),
        ]
        done = run.run(arguments, root=root, cwd=folder, log=log)
    try:
        found = json.loads(done.output[done.output.index("{") :])
        is_whole = found["summary"]["audited_packages"] == len(releases)
        findings = tuple(sorted(map(_finding, found["vulnerabilities"])))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Audit(unasked=_reason(done.output))
    # An answer about fewer releases counts as no answer.
    return Audit(findings) if is_whole and done.code in {0, 1} else Audit(unasked=_reason(""))


def _reason(output: str) -> str:
    if "unrecognized subcommand" in output or "unexpected argument" in output:
        return f"{run.version()} has no 'uv audit' of the expected form; install a newer uv"
    return text.tail(output) or "uv audited fewer packages than the lockfiles have"


def _finding(found: dict[str, Any]) -> Finding:
    return Finding(
        Release(found["dependency"]["name"], found["dependency"]["version"]),
        str(found["display_id"]),
        tuple(map(str, found["aliases"])),
        str(found["summary"] or ""),
        str(found["link"] or ""),
        tuple(map(str, found["fix_versions"])),
    )


def _lock(releases: Collection[Release]) -> str:
    """Return a lock of uv that has these releases."""
    rows = [
        f"name = {json.dumps(one.name)}, version = {json.dumps(one.version)}"
        for one in sorted(releases)
    ]
    edges = "".join(f"  {{ {row}, source = {_REGISTRY} }},\n" for row in rows)
    packages = "".join(
        f"\n[[package]]\n{row.replace(', version', f'{chr(10)}version')}\nsource = {_REGISTRY}\n"
        for row in rows
    )
    return (
        'version = 1\nrevision = 3\nrequires-python = ">=3.8"\n\n[[package]]\n'
        'name = "lambda-zip-audited"\nversion = "0"\nsource = { virtual = "." }\n'
        f"dependencies = [\n{edges}]\n{packages}"
    )
