"""Cut a build backend off from the user's secrets, before any code of a package runs.

Python imports this module at its start, since `uv.run` puts this folder on PYTHONPATH where the
manifest allows a build. Only the processes that uv starts in one of its build environments are
concerned: uv itself, which downloads the sources and the build tools, is no Python process.

Everywhere, a build sees a few harmless variables, an empty home and an empty temporary folder. On
Linux, if the system allows namespaces, it also has no network, sees neither the user's home nor the
repository nor /run nor other processes, and can write (Linux 5.12) only where it is built.
"""

import contextlib
import os
import sys

# The variable with the repository's folder.
_REPOSITORY = "LAMBDA_ZIP_REPOSITORY"

_KEPT = frozenset((
    *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "VIRTUAL_ENV"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "WINDIR"),
    *("SOURCE_DATE_EPOCH", "PYTHONHASHSEED"),
))  # fmt: skip

# The parent folder of uv's build environments, in its cache.
_BUILDS = "builds-v0"

# The memory for the semaphores of a build's own processes: empty, and writable.
_SHARED = "/dev/shm"  # noqa: S108

# <linux/sched.h>, <linux/mount.h>, <linux/prctl.h>, <linux/capability.h>, <linux/fcntl.h> and the
# table of system calls
_NEW_MOUNTS, _NEW_USER, _NEW_NETWORK = 0x00020000, 0x10000000, 0x40000000
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18
_NO_NEW_PRIVILEGES, _CAPABILITY_VERSION = 38, 0x20080522
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _READ_ONLY = 442, -100, 0x8000, 1


def _isolate() -> None:
    hidden = {
        os.path.expanduser("~"),
        "/root",
        "/run",
        os.environ.get(_REPOSITORY, "/run"),
        _SHARED,
    }
    for name in set(os.environ) - _KEPT:
        del os.environ[name]
    home, temporary = os.path.join(sys.prefix, ".home"), os.path.join(sys.prefix, ".tmp")
    for folder in (home, temporary):
        os.makedirs(folder, exist_ok=True)
    os.environ["HOME"] = os.environ["USERPROFILE"] = home
    os.environ["TMPDIR"] = os.environ["TEMP"] = os.environ["TMP"] = temporary
    if sys.platform == "linux":
        # Where namespaces are not allowed, the clean environment is all there is.
        with contextlib.suppress(OSError):
            _enter_namespaces()
            _hide(sorted(map(os.path.realpath, hidden)))
            with contextlib.suppress(OSError):
                _make_read_only()
            _drop_capabilities()


def _enter_namespaces() -> None:
    import ctypes

    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_USER | _NEW_MOUNTS | _NEW_NETWORK) == 0:
        for name, content in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as stream:
                stream.write(content)
    elif libc.unshare(_NEW_MOUNTS | _NEW_NETWORK):  # root, in a container without user namespaces
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _hide(folders: list[str]) -> None:
    """Mount an empty file system over each folder; bind the folders that the build needs."""
    here = os.getcwd()
    cache = os.path.dirname(os.path.dirname(sys.prefix))
    needed = {cache, here, sys.base_prefix, sys.base_exec_prefix, os.path.dirname(__file__)}
    needed |= {os.path.dirname(os.path.realpath(sys.executable))}
    _mount(None, "/", _RECURSIVE | _PRIVATE)
    for folder in folders:
        inside = [os.path.realpath(path) for path in needed]
        inside = sorted({path for path in inside if path.startswith(folder + os.sep)})
        if not os.path.isdir(folder) or folder in map(os.path.realpath, needed):
            continue
        handles = {path: os.open(path, os.O_PATH) for path in inside if os.path.exists(path)}
        _mount("tmpfs", folder, 0)
        for path, handle in handles.items():
            os.makedirs(path, exist_ok=True)
            _mount(f"/proc/self/fd/{handle}", path, _BIND | _RECURSIVE)
            os.close(handle)
    _mount("tmpfs", "/proc", 0)  # the environments and open files of other processes
    os.chdir(here)


def _make_read_only() -> None:
    """Leave only the folders writable in which uv has a distribution built."""
    here, builds = os.getcwd(), os.path.dirname(sys.prefix)
    unpacked = here.startswith(os.path.dirname(builds) + os.sep)
    writable = [builds, os.path.dirname(here) if unpacked else here]
    for path in writable:
        _mount(path, path, _BIND)
    if os.path.ismount(_SHARED):
        writable.append(_SHARED)
    _set_attributes("/", _READ_ONLY, 0, _AT_RECURSIVE)
    for path in writable:
        _set_attributes(path, 0, _READ_ONLY, 0)
    os.chdir(here)  # into the new mount


def _drop_capabilities() -> None:
    """Take the right to undo the mounts from the build and all that it starts (capabilities(7))."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    libc.capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))


def _set_attributes(path: str, added: int, removed: int, flags: int) -> None:
    """Change the attributes of mounts, by mount_setattr(2), which older C libraries lack."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    attributes = (ctypes.c_uint64 * 4)(added, removed, 0, 0)
    if libc.syscall(
        ctypes.c_long(_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        path.encode(),
        ctypes.c_uint(flags),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    ):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)


def _mount(source: "str | None", target: str, flags: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    kind = b"tmpfs" if source == "tmpfs" else None
    origin = source.encode() if source else None
    if libc.mount(origin, target.encode(), kind, ctypes.c_ulong(flags), None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


if os.path.basename(os.path.dirname(sys.prefix)) == _BUILDS:
    _isolate()
