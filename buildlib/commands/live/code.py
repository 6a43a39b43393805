"""The code to deploy: a ZIP in dist/ or in the cache, or an object of a published list."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from buildlib.artifacts import published
from buildlib.artifacts.index import Entry
from buildlib.artifacts.signed import Table
from buildlib.aws.functions import Object
from buildlib.commands.live import expected
from buildlib.errors import DeployError, PublishError
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.runtimes import RUNTIMES, ZIPPED_LIMIT
from buildlib.text import megabytes


class Code(NamedTuple):
    """The code of a variant by its sha256 (hex): in a file, or in an object of S3.

    `same` are the sha256 of other ZIPs with this code, which AWS Signer signed.
    """

    sha256: str
    path: Path | None = None
    object: Object | None = None
    is_signed: bool = False
    same: Collection[str] = ()

    def is_in(self, code_sha256: str) -> bool:
        """Tell whether a function has this code, by the hash that Lambda gives (base64)."""
        found = expected.hex_of(code_sha256)
        return found == self.sha256 or found in self.same


def built(project: Project, variant: Variant, table: Table) -> Code:
    """Return the ZIP of a variant in dist/; `table` has the ZIPs that AWS Signer made of it.

    Raises:
        BuildError: it is missing, out of date, or too large to be uploaded directly.

    """
    written = project.status(variant).written
    if written is None:
        listed = "sha256" in (project.index().get(variant.id) or {})
        problem = "is out of date" if listed else "is missing"
        path = project.layout.relative_zip(variant.id)
        msg = f"{variant.id}: {path} {problem}; run 'lambdas build {variant.id}'"
        raise DeployError(msg)
    check_size(variant.id, written.size)
    same = table.copies(written.sha256)
    return Code(written.sha256, project.layout.zip(variant.id), same=same)


def check_size(variant_id: str, size: int) -> None:
    """Refuse a ZIP that Lambda takes only from S3.

    Raises:
        DeployError: it is too large.

    """
    if size > ZIPPED_LIMIT:
        msg = (
            f"{variant_id}: its ZIP has {megabytes(size)}, and Lambda takes at most "
            f"{megabytes(ZIPPED_LIMIT)} directly; run 'lambdas publish' first, and deploy with "
            f"--from {published.NAME}"
        )
        raise DeployError(msg)


def listed(entries: dict[str, Entry], variant: Variant, path: Path) -> Code:
    """Return the object of a variant in a published list.

    Raises:
        DeployError: the list has no such object, or one of another ZIP or for another target.

    """
    entry = entries.get(variant.id)
    if entry is None:
        remedy = published.remedy(path, variant.id)
        msg = f"{variant.id}: {published.shown(path)} does not list it; {remedy}"
        raise DeployError(msg)
    present = (RUNTIMES[variant.python].identifier, variant.architecture)
    found = (entry.get("runtime", present[0]), entry.get("architecture", present[1]))
    if found != present:
        msg = (
            f"{variant.id}: the ZIP in {published.shown(path)} is for {' on '.join(found)}, and "
            f"lambdas.yaml has {' on '.join(present)}; {published.remedy(path, variant.id)}"
        )
        raise DeployError(msg)
    try:
        published.prefix(entry)
    except PublishError as error:
        msg = f"{variant.id}: {error}"
        raise DeployError(msg) from None
    return Code(entry["sha256"], None, _object(entry), is_signed="signed_from" in entry)


def _object(entry: Entry) -> Object:
    return Object(entry["s3_bucket"], entry["s3_key"], entry.get("s3_object_version") or "")
