"""The time of the file system, which may differ from that of this machine.

A file's status can only be trusted if a later change alters it. The times in it have a grain, so a
file of the last two seconds may change again unseen. The file system itself tells the time: file
servers and virtual machines have clocks of their own.
"""

import contextlib
import os
import sys
from pathlib import Path

# The coarsest timestamps of a file system in use: 2 s, of FAT.
GRAIN_NS = 2_000_000_000


# On Windows, ctime is the time of creation.
CTIME_IS_CHANGE = os.name != "nt"


# Linux's file systems that keep the time of each file's last change. exFAT and FAT derive it from
# mtime, which tools set back; 9p, CIFS and FUSE pass on the times of an unknown file system.
_KEEP_CTIME = frozenset({
    "bcachefs", "btrfs", "ceph", "ext2", "ext3", "ext4", "f2fs", "gpfs", "jfs", "lustre", "nfs",
    "nfs4", "nilfs2", "overlay", "ramfs", "reiserfs", "tmpfs", "ubifs", "xfs", "zfs",
})  # fmt: skip


class Clock:
    """The time at which this run began, by the file system that holds the repository.

    Files on other devices, and all files where the time of a change is not known, are never old:
    their content is read each time.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder = root, folder
        self._began: tuple[int, int] | None = None  # the device, and the time in ns

    def begin(self) -> None:
        """Take the time, the first time this is called; call it before the first input is read."""
        if self._began is None:
            self._began = _now(self._root, self._folder)

    def is_old(self, newest: int, devices: set[int]) -> bool:
        """Tell whether files were certainly last changed before the run began.

        `newest` is the latest mtime or ctime among them, in ns, and `devices` has their st_dev.
        """
        self.begin()
        device, began = self._began or (0, 0)
        return CTIME_IS_CHANGE and newest < began - GRAIN_NS and devices <= {device}


def _now(root: Path, folder: Path) -> tuple[int, int]:
    """Return the device of the repository and its present time in ns; 0 for an unknown time."""
    try:
        device = os.stat(root).st_dev
        descriptor = _file(root, folder)
    except OSError:  # a read-only repository, where nothing can be remembered either
        return 0, 0
    try:
        if os.utime in os.supports_fd:
            os.utime(descriptor, ns=(0, 0))
            keeps = os.fstat(descriptor).st_ctime_ns > GRAIN_NS
            os.utime(descriptor)
        else:
            keeps = True
        status = os.fstat(descriptor)
    except OSError:
        return 0, 0
    finally:
        os.close(descriptor)
    if status.st_dev != device or not keeps or not _keeps_ctime(str(root)):
        return 0, 0
    return device, status.st_mtime_ns


def _file(root: Path, folder: Path) -> int:
    """Return the descriptor of a new file; where the system can, of one without a name."""
    if hasattr(os, "O_TMPFILE"):
        with contextlib.suppress(OSError):
            return os.open(root, os.O_TMPFILE | os.O_WRONLY, 0o600)
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / ".clock", os.O_CREAT | os.O_WRONLY, 0o600)


def _keeps_ctime(root: str) -> bool:
    """Tell whether the file system of a folder is known to keep the times of changes."""
    if sys.platform != "linux":
        return True
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False
    real, found, kind = os.path.realpath(root) + "/", "", ""
    for line in mounts.splitlines():  # proc(5): ID, parent, device, root, mount point, ... - type
        before, _, after = line.partition(" - ")
        place = before.split(" ")[4].replace("\\040", " ").rstrip("/") + "/"
        if real.startswith(place) and len(place) >= len(found):
            found, kind = place, after.split(" ")[0]
    return kind in _KEEP_CTIME
