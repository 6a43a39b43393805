"""`lambdas.signed.json`: the ZIP that AWS Signer made of each published one; committed.

The file is a JSON object by the sha256 of ZIPs as they were built, and below each by the ARN of a
version of a signing profile. A signed ZIP is published by its own sha256. So a row stays true, says
which builds need no signing job, and tells the build that a deployed hash is from.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from buildlib.errors import PublishError
from buildlib.files import atomic, locks, records
from buildlib.layout import Layout
from buildlib.model import Written


def _time(value: object) -> bool:
    """Match a time with its offset from UTC."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


_SHAPE = records.fields(
    sha256=records.sha256,
    size=records.number,
    unzipped_size=records.number,
    job=records.text,
    expires=records.optional(_time),
)


class Row(NamedTuple):
    """A signed ZIP, the id of its signing job, and the time at which the signature expires."""

    written: Written
    job: str
    expires: str | None  # ISO 8601, UTC


class Table:
    """The signed ZIPs by the sha256 of the built one, and by the profile's version."""

    def __init__(self, rows: Mapping[str, Mapping[str, Row]]) -> None:
        self._rows = {sha256: dict(some) for sha256, some in rows.items()}
        every = [(sha256, row) for sha256, some in rows.items() for row in some.values()]
        self._origins = {row.written.sha256: sha256 for sha256, row in every}
        self._jobs = {row.written.sha256: row.job for _, row in every}

    def row(self, sha256: str, profile: str) -> Row | None:
        """Return the signed ZIP of a built one."""
        return self._rows.get(sha256, {}).get(profile)

    def origin(self, sha256: str) -> str:
        """Return the sha256 of the build that a ZIP is from; that of the ZIP if none signed it."""
        return self._origins.get(sha256, sha256)

    def job(self, sha256: str) -> str:
        """Return the id of the job that signed a ZIP; empty if none did."""
        return self._jobs.get(sha256, "")

    def copies(self, sha256: str) -> Collection[str]:
        """Return the sha256 of all ZIPs with the content of a built one."""
        return {sha256, *(row.written.sha256 for row in self._rows.get(sha256, {}).values())}

    def add(self, sha256: str, profile: str, row: Row) -> None:
        """Note the signed ZIP of a built one; it replaces an earlier one."""
        self._rows.setdefault(sha256, {})[profile] = row
        self._origins[row.written.sha256] = sha256
        self._jobs[row.written.sha256] = row.job

    def text(self) -> bytes:
        """Return the content of the file."""
        found = {
            sha256: {
                profile: {**row.written._asdict(), "job": row.job, "expires": row.expires}
                for profile, row in some.items()
            }
            for sha256, some in self._rows.items()
        }
        return (json.dumps(found, indent=2, sort_keys=True) + "\n").encode()


def read(layout: Layout) -> Table:
    """Return the table of a repository; empty without the file.

    Raises:
        PublishError: it is no such file.

    """
    path = layout.signed
    try:
        value: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Table({})
    except (ValueError, RecursionError) as error:
        msg = f"{path.name}: not JSON ({error}); resolve a merge, or restore the file from git"
        raise PublishError(msg) from None
    rows: dict[str, dict[str, Row]] = {}
    for sha256, some in value.items() if isinstance(value, dict) else [("", value)]:
        if not records.sha256(sha256) or not isinstance(some, dict):
            raise _damaged(path, sha256)
        for profile, one in some.items():
            if not _SHAPE(one):
                raise _damaged(path, sha256)
            written = Written(one["sha256"], one["size"], one["unzipped_size"])
            rows.setdefault(sha256, {})[profile] = Row(written, one["job"], one["expires"])
    return Table(rows)


def _damaged(path: Path, where: str) -> PublishError:
    msg = f"{path.name}: '{where}': expected signed ZIPs by profile; restore the file from git"
    return PublishError(msg)


def add(layout: Layout, rows: Iterable[tuple[str, str, Row]]) -> None:
    """Add rows to the file, each with the sha256 of the built ZIP and the profile's version.

    The file is read again, because another process may have written to it since.

    Raises:
        PublishError: it is no such file.

    """
    with locks.locked(layout.lock("signed")):
        table = read(layout)
        for sha256, profile, row in rows:
            table.add(sha256, profile, row)
        text = table.text()
        if not layout.signed.exists() or layout.signed.read_bytes() != text:
            atomic.write(layout.signed, text)
