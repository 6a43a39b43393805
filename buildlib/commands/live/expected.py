"""The hash that each variant must have at this commit."""

import base64
from typing import NamedTuple

from buildlib.errors import BuildError
from buildlib.model import Variant
from buildlib.project.project import Project


class Expected(NamedTuple):
    """The sha256 of the ZIP of a variant's present inputs.

    It is hex, and empty if neither the record nor dist/ knows it; `why_not` then has the reason
    and the remedy. `stale` is the sha256 of a ZIP of other inputs in dist/, if that is listed.
    """

    sha256: str
    why_not: str = ""
    stale: str = ""


def expected(project: Project, variant: Variant) -> Expected:
    """Return the hash of a variant: that of the record for its present inputs, or of its ZIP."""
    listed = str((project.index().get(variant.id) or {}).get("sha256", ""))
    try:
        recorded = project.recorded().get(variant.id)
        written = project.status(variant).written
        if recorded and recorded["key"] == project.inputs(variant).key:
            sha256 = recorded["sha256"]
        elif written is not None:
            sha256 = written.sha256
        else:
            why = (
                f"the ZIP in dist/ is out of date; run 'lambdas build {variant.id}'"
                if listed
                else f"it is not built; run 'lambdas build {variant.id}', or commit "
                "lambdas.hashes.json ('lambdas record')"
            )
            return Expected("", why, listed)
    except BuildError as error:
        return Expected("", str(error), listed)
    return Expected(sha256, stale=listed if listed != sha256 else "")


def base64_of(sha256: str) -> str:
    """Return a sha256 in hex as base64, as Lambda has it."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def hex_of(code_sha256: str) -> str:
    """Return a sha256 in base64 as hex; empty for another text."""
    try:
        return base64.b64decode(code_sha256, validate=True).hex()
    except ValueError:
        return ""
