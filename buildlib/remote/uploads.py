"""Uploads, in the background: the blob first, then the claims that name it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from buildlib.remote import entries
from buildlib.remote.blobs import Wrong
from buildlib.remote.bucket import Denied, Failure
from buildlib.remote.budget import OBJECT
from buildlib.remote.calls import Call, Off, Pool
from buildlib.remote.client import Client
from buildlib.remote.entries import Claim
from buildlib.remote.signing import Signer
from buildlib.remote.trust import DAMAGED, Judge, Wanted

_WIDTH = 16

# Seconds between two words about the progress.
_PACE = 2.0


class Conflict(NamedTuple):
    """Another builder was first, with other bytes: its claim, this one, and this one's ZIP."""

    wanted: Wanted
    theirs: Claim
    mine: Claim
    path: Path


class Uploads:
    """The uploads of a run."""

    def __init__(self, client: Client, judge: Judge, signer: Signer | None) -> None:
        self._client, self._judge, self._signer = client, judge, signer
        self._pool = Pool(_WIDTH)
        self._calls: list[Call[Conflict | None]] = []

    def start(self, wanted: Wanted, mine: Claim, path: Path) -> None:
        """Upload a ZIP and a claim about it; the ZIP may change meanwhile, and is not sent then."""
        # An entry that nobody believes is of no use.
        if not self._is_possible() or (self._judge.is_signed and self._signer is None):
            return
        self._calls.append(self._pool.submit(lambda: self._upload(wanted, mine, path)))

    def dispute(self, mine: Claim, path: Path) -> None:
        """Upload a ZIP and a claim that contradicts another one."""
        if self._is_possible():
            self._calls.append(self._pool.submit(lambda: self._contradict(mine, path)))

    def finish(self, say: Callable[[str], None]) -> list[Conflict]:
        """Wait for the uploads within the budget, and return where another builder was first."""
        calls, self._calls = self._calls, []
        conflicts, said = [], time.monotonic()
        for number, call in enumerate(calls):
            if not call.is_done() and time.monotonic() - said > _PACE:
                said = time.monotonic()
                say(f"uploading to {self._client.shown}: {number} of {len(calls)} done")
            try:
                conflict = call.wait(self._client.budget)
            except Off:
                rest = sum(not one.is_done() for one in calls)
                self._client.stop(f"{rest} of {len(calls)} uploads did not end in time")
                break
            if conflict is not None:
                conflicts.append(conflict)
        return conflicts

    def _is_possible(self) -> bool:
        return not (self._client.is_off or self._client.is_read_only)

    def _upload(self, wanted: Wanted, mine: Claim, path: Path) -> Conflict | None:
        if not self._is_possible():
            return None
        try:
            if not self._client.blobs.add(mine.sha256, path):
                return None
            if self._signer is not None:
                mine = self._signer.sign(mine)
                theirs = self._claim(wanted, mine, entries.claim(mine.key, mine.signer))
                theirs = theirs or self._contradiction(mine)
            first = self._claim(
                wanted, mine._replace(signer="", signature=""), entries.claim(mine.key)
            )
            if self._signer is None or not self._judge.is_signed:
                theirs = first
            return Conflict(wanted, theirs, mine, path) if theirs else None
        except Wrong:
            self._client.remarks.add(_WRONG, wanted.name)
        except Denied as denied:
            self._client.refuse(denied)
        except Failure as failure:
            self._client.fail(failure)
        except OSError:  # the ZIP is gone: another build replaced it
            pass
        return None

    def _claim(self, wanted: Wanted, mine: Claim, place: str) -> Claim | None:
        """Create an entry; return the claim that is there instead, if it is about other bytes."""
        bucket = self._client.bucket
        if bucket.create(place, entries.write(mine)):
            self._client.budget.arrived(OBJECT)
            return None
        content = self._client.reading(lambda: bucket.get(place, entries.LARGEST_ENTRY))
        theirs = entries.read(content, mine.key)
        if theirs is None and content is not None:
            self._client.remarks.add(DAMAGED, wanted.name)
        return theirs if theirs and theirs.sha256 != mine.sha256 else None

    def _contradiction(self, mine: Claim) -> Claim | None:
        """Return a signed claim of another builder about other bytes, which came meanwhile."""
        for place in self._judge.places(mine.key):
            content = self._client.bucket.get(place, entries.LARGEST_ENTRY)
            theirs = entries.read(content, mine.key)
            if theirs and theirs.sha256 != mine.sha256 and self._judge.is_genuine(theirs):
                return theirs
        return None

    def _contradict(self, mine: Claim, path: Path) -> None:
        try:
            self._client.blobs.add(mine.sha256, path)
            self._client.bucket.create(entries.dispute(mine.key, mine.sha256), entries.write(mine))
        except Denied as denied:
            self._client.refuse(denied)
        except Failure as failure:
            self._client.fail(failure)
        except (Wrong, OSError):
            pass


_WRONG = (
    "the remote cache has a damaged file in the place of a ZIP, and nothing replaces it; delete "
    "cas/<sha256> there"
)
