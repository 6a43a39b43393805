"""The remote cache in a run: look up keys, take ZIPs, put ZIPs, and ring the alarm.

Nothing here can fail a build, but one thing: two builds of the same inputs with different bytes.
"""

import contextlib
import functools
import logging
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from buildlib.errors import ArchiveError, RemoteError
from buildlib.files import atomic
from buildlib.layout import Layout
from buildlib.model import Written
from buildlib.remote import builder, disputes, entries, signing
from buildlib.remote.blobs import Wrong
from buildlib.remote.calls import Call, Pool
from buildlib.remote.client import Client
from buildlib.remote.entries import Claim
from buildlib.remote.settings import Settings
from buildlib.remote.trust import Decision, Judge, Wanted
from buildlib.remote.uploads import Uploads

_logger = logging.getLogger(__name__)

# Downloads at once.
_WIDTH = 8


class Problem(NamedTuple):
    """A ZIP of this run that another builder contradicts: its variant, its key, and the message."""

    name: str
    key: str
    message: str


class Remote:
    """A remote cache. Threads may share it.

    Raises:
        RemoteError: the settings cannot be used.

    """

    def __init__(self, settings: Settings, layout: Layout) -> None:
        self._layout = layout
        self._judge = Judge(settings)
        signer = signing.of_settings(settings)
        self._client = Client(settings)
        self._uploads = Uploads(self._client, self._judge, signer)
        self._pool = Pool(_WIDTH)
        self._lock = threading.RLock()
        self._decisions: dict[str, tuple[Wanted, Decision]] = {}
        self._downloads: dict[str, Call[Path | str]] = {}
        self._disputed: set[str] | None = None

    def try_out(self) -> list[str]:
        """Return the address for people, and the problems that a request found."""
        self.look_up([Wanted("", "0" * 64)])
        return [self._client.shown, *self._client.remarks.take()]

    # -- looking up ------------------------------------------------------------------------------

    def knows(self, key: str) -> bool:
        """Tell whether a key was looked up in this run."""
        return key in self._decisions

    def look_up(self, wanted: Iterable[Wanted]) -> None:
        """Ask for the entries of all keys at the same time; no ZIP is downloaded."""
        with self._lock:
            new = {one.key: one for one in wanted if one.key not in self._decisions}.values()
            if not new:
                return
            bucket = self._client.bucket
            places = [place for one in new for place in self._judge.places(one.key)]
            jobs = [
                lambda place=place: bucket.get(place, entries.LARGEST_ENTRY) for place in places
            ]
            disputed = self._client.pool.submit(self._list_disputes)
            contents = dict(zip(places, self._client.read_all(jobs), strict=True))
            known = self._client.wait(disputed) or set()
            for one in new:
                mine = {place: contents[place] for place in self._judge.places(one.key)}
                decision = self._judge.decide(one, mine, is_disputed=one.key in known)
                self._decisions[one.key] = (one, decision)
                if decision.problem:
                    self._client.remarks.add(decision.problem, one.name)

    def _list_disputes(self) -> set[str]:
        """Return the disputed keys, listed once a run; signed entries contradict each other."""
        if self._disputed is None:
            names: list[str] | None = []
            if not self._judge.is_signed:
                names = self._client.reading(lambda: self._client.bucket.names(entries.DISPUTES))
            self._disputed = {name.partition("/")[0] for name in names or ()}
        return self._disputed

    def find(self, key: str) -> Claim | None:
        """Return the believed claim about a key that was looked up."""
        return self._decisions[key][1].claim if key in self._decisions else None

    # -- taking ----------------------------------------------------------------------------------

    def take(self, key: str, target: Path) -> Written | None:
        """Download the ZIP for a key to `target`; None if it is missing, damaged or another one.

        The first one that is wanted starts the downloads of the others that were found.
        """
        claim = self.take_blob(key, target)
        if claim is None:
            return None
        from buildlib.archive import contents

        try:  # the claim may give any unzipped size
            return claim.written._replace(unzipped_size=contents.unzipped_size(target))
        except ArchiveError:
            atomic.remove(target)
            self.refuse(key, _NO_ZIP)
            return None

    def take_blob(self, key: str, target: Path) -> Claim | None:
        """Download the file for a key to `target`; None if it is missing, damaged or another one.

        The file is the one that the claim names.
        """
        with self._lock:
            claim = self.find(key)
            if claim is None or self._client.is_off:
                return None
            for one, decision in [self._decisions[key], *self._decisions.values()]:
                if decision.claim and one.key not in self._downloads:
                    job = functools.partial(self._download, decision.claim)
                    self._downloads[one.key] = self._pool.submit(job)
        found = self._client.wait(self._downloads[key])
        if isinstance(found, Path):
            _place(found, target)
            return claim
        self.refuse(key, found or "")
        return None

    def refuse(self, key: str, remark: str) -> None:
        """Believe the claim about a key no more; the remark, if any, says why."""
        with self._lock:
            wanted, decision = self._decisions[key]
            self._decisions[key] = (wanted, decision._replace(claim=None))
        if remark:
            self._client.remarks.add(remark, wanted.name)

    def _download(self, claim: Claim) -> Path | str:
        """Return the downloaded ZIP, or the reason why it cannot be used."""
        path = self._temporary(claim.key)
        try:
            blobs = self._client.blobs
            found = self._client.reading(
                lambda: blobs.fetch(claim.sha256, claim.size, path) or None
            )
        except Wrong:
            return _WRONG
        except OSError as error:
            return f"the ZIPs of the remote cache cannot be saved: {error.strerror}"
        if found:
            return path
        return "" if self._client.is_off else _NO_BLOB

    # -- putting ---------------------------------------------------------------------------------

    def check(self, wanted: Wanted, path: Path, written: Written) -> None:
        """Compare a ZIP that was built here with the believable claims about its key.

        Raises:
            RemoteError: another build of the same inputs gave other bytes.

        """
        self.look_up([wanted])
        mine = self._claim(wanted, written)
        for theirs in self._decisions[wanted.key][1].believable:
            if theirs.sha256 != mine.sha256 and (
                message := self._dispute(wanted, theirs, mine, path)
            ):
                raise RemoteError(message, "remote-dispute")

    def put(self, wanted: Wanted, path: Path, written: Written) -> None:
        """Upload a ZIP that was built here, in the background.

        Raises:
            RemoteError: in a process that only runs tasks, which cannot wait until the end of the
                run: another build of the same inputs gave other bytes.

        """
        self._uploads.start(wanted, self._claim(wanted, written), path)
        if multiprocessing.parent_process() is not None:
            for problem in self.finish(lambda _: None):
                raise RemoteError(problem.message, "remote-dispute")

    def finish(self, say: Callable[[str], None]) -> list[Problem]:
        """Wait for the uploads, and return the ZIPs that other builders contradict.

        The remarks of the run about the remote are logged now, each once.
        """
        found = []
        for wanted, theirs, mine, path in self._uploads.finish(say):
            if wanted.is_pack:
                self._uploads.dispute(mine, path)
                self._client.remarks.add(_OTHER_PACK.format(key=wanted.key), wanted.name)
            elif message := self._dispute(wanted, theirs, mine, path):
                found.append(Problem(wanted.name, wanted.key, message))
        self._uploads.finish(say)
        for key in self._downloads:
            with contextlib.suppress(OSError):
                self._temporary(key).unlink()
        for remark in self._client.remarks.take():
            _logger.warning("warning: %s", remark)
        return found

    def _temporary(self, key: str) -> Path:
        """Return the place of a download, with the name of a temporary file of this process."""
        return self._layout.downloads / f".{key}.{os.getpid()}.tmp"

    def _claim(self, wanted: Wanted, written: Written) -> Claim:
        return Claim(wanted.key, *written, built_by=builder.name(os.environ))

    def _dispute(self, wanted: Wanted, theirs: Claim, mine: Claim, path: Path) -> str:
        """Keep both ZIPs, note the dispute in the remote, and return the message.

        The message is empty if there is nothing to compare with, or the record decides.
        """
        kept = disputes.keep(self._layout.disputes, wanted.name, mine.sha256, path)
        other = disputes.place(self._layout.disputes, wanted.name, theirs.sha256)
        blobs = self._client.blobs

        def fetch() -> bool:
            try:
                return bool(
                    self._client.reading(lambda: blobs.fetch(theirs.sha256, theirs.size, other))
                )
            except Wrong:
                return False

        if not self._client.wait(self._client.pool.submit(fetch)):
            self._client.remarks.add(disputes.NO_EVIDENCE, wanted.name)
            atomic.remove(kept)
            return ""
        self._uploads.dispute(mine, kept)
        if wanted.recorded == mine.sha256:
            self._client.remarks.add(disputes.RECORDED, wanted.name)
            return ""
        paths = [self._layout.relative(one) for one in (kept, other)]
        return disputes.message(wanted, mine, theirs, paths, self._client.shown)


def _place(download: Path, target: Path) -> None:
    """Give a download to one of those who want it: variants with equal inputs have one key."""
    atomic.remove(target)
    try:
        os.link(download, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(download, target)


_OTHER_PACK = (
    "the remote cache has other compressed files for the same contents; those of this machine were "
    "used, and no build takes either from there any more. To share them again, an administrator "
    "deletes keys/{key}.json and the folder disputes/{key}/ there"
)
_NO_ZIP = "the remote cache has entries whose files are no ZIPs; they were not used"
_NO_BLOB = "the remote cache has entries whose ZIPs are missing; they were not used"
_WRONG = (
    "the remote cache gave ZIPs with another sha256 than their entries say; they were not used. "
    "They are damaged, or somebody tampered with them: delete cas/<sha256> there"
)
