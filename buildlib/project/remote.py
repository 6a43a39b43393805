"""The remote cache as a run uses it: by variants, and without a cost where none is configured."""

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildlib.errors import BuildError
from buildlib.model import Variant, Written
from buildlib.remote.settings import Settings

if TYPE_CHECKING:
    from buildlib.project.project import Project
    from buildlib.remote.cache import Problem, Remote
    from buildlib.remote.packs import RemotePacks
    from buildlib.remote.trust import Wanted

_logger = logging.getLogger(__name__)


class RemoteCache:
    """The remote cache of a project. It connects when a variant asks for it first.

    Raises:
        RemoteError: in each method, if the settings cannot be used.

    """

    def __init__(self, settings: Settings | None, project: "Project") -> None:
        self._settings, self._project = settings, project
        self._expected: tuple[Variant, ...] = ()
        self._known: dict[int, Remote] = {}  # by process, because threads live in one

    def again(self, project: "Project") -> "RemoteCache":
        """Return the same remote, with the rest of its budget, for the repository read again."""
        fresh = RemoteCache(self._settings, project)
        fresh._known = self._known
        return fresh

    def expect(self, variants: Iterable[Variant]) -> None:
        """Name the variants of this run, whose keys are looked up at the same time."""
        self._expected = tuple(variants)

    def has(self, variant: Variant) -> bool:
        """Tell whether the remote has the ZIP of the present inputs, by an entry that it believes.

        Raises:
            BuildError: the inputs of the variant cannot be worked out.

        """
        if (remote := self._connect()) is None:
            return False
        wanted = self._wanted(variant)
        if not remote.knows(wanted.key):
            remote.look_up([wanted, *self._others()])
        return remote.find(wanted.key) is not None

    def take(self, variant: Variant, target: Path) -> Written | None:
        """Download the ZIP of the present inputs to `target`; None if it is not there."""
        remote = self._connect()
        if remote is None or not self.has(variant):
            return None
        return remote.take(self._wanted(variant).key, target)

    def check(self, variant: Variant, path: Path, written: Written) -> None:
        """Compare a ZIP that was built here with the entries of other builders.

        Raises:
            RemoteError: another build of the same inputs gave other bytes.

        """
        if remote := self._connect():
            remote.check(self._wanted(variant), path, written)

    def put(self, variant: Variant, path: Path, written: Written) -> None:
        """Upload a ZIP that was built here, in the background until `finish`.

        Raises:
            RemoteError: as `Remote.put` does.

        """
        if remote := self._connect():
            remote.put(self._wanted(variant), path, written)

    def packs(self, variant: Variant) -> "RemotePacks | None":
        """Return the compressed members that other machines have, for the build of a variant."""
        if (remote := self._connect()) is None:
            return None
        from buildlib.remote.packs import RemotePacks

        return RemotePacks(remote, variant.id)

    def finish(self, say: Callable[[str], None]) -> "list[Problem]":
        """End the uploads of this run, and return the ZIPs that other builders contradict."""
        remote = self._known.get(os.getpid())
        return remote.finish(say) if remote else []

    def try_out(self) -> list[str]:
        """Return the address of the remote, and the problems that a request found."""
        remote = self._connect()
        return remote.try_out() if remote else []

    @property
    def is_configured(self) -> bool:
        """Whether the manifest or the environment name a remote."""
        return self._settings is not None

    @property
    def is_used(self) -> bool:
        """Whether this run has asked the remote for anything."""
        return os.getpid() in self._known

    def _connect(self) -> "Remote | None":
        if self._settings is None:
            return None
        if remote := self._known.get(os.getpid()):
            return remote
        if self._known:  # of the process that this one is a fork of: obstore does not survive it
            self._settings = None
            _logger.warning(
                "warning: doit's processes do not use the remote cache; leave out '-P process'"
            )
            return None
        from buildlib.remote.cache import Remote  # with obstore

        # All threads that come here at the same time get the same one.
        return self._known.setdefault(os.getpid(), Remote(self._settings, self._project.layout))

    def _wanted(self, variant: Variant) -> "Wanted":
        """Return the key of a variant, with its recorded sha256."""
        from buildlib.remote.trust import Wanted

        key = self._project.inputs(variant).key
        recorded = self._project.recorded().get(variant.id)
        is_recorded = recorded is not None and recorded["key"] == key
        return Wanted(variant.id, key, recorded["sha256"] if recorded and is_recorded else "")

    def _others(self) -> "list[Wanted]":
        """Return the other variants of this run that nothing on this machine has the ZIP of."""
        found = []
        variants, self._expected = self._expected, ()
        for variant in variants:
            try:
                status = self._project.status(variant)
                if status.written is None and not status.stored:
                    found.append(self._wanted(variant))
            except BuildError:  # its own step says so
                continue
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Drop the connection, which another process must make for itself."""
        return self.__dict__ | {"_known": {}}
