"""Cut a build backend off from the user's secrets, before any code of a package runs.

Python imports this module at its start, since `uv.run` puts this folder on PYTHONPATH where the
manifest allows a build. Only the processes that uv starts in one of its build environments are
concerned: uv itself, which downloads the sources and the build tools, is no Python process.

Everywhere, a build sees a few harmless variables and an empty home. On Linux, if the system allows
namespaces, it also has no network, and sees neither the user's home nor /run nor other processes.
"""

import contextlib
import os
import sys

_KEPT = frozenset((
    *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "WINDIR"),
    *("SOURCE_DATE_EPOCH", "PYTHONHASHSEED"),
))  # fmt: skip

# The parent folder of uv's build environments, in its cache.
_BUILDS = "builds-v0"

# <linux/sched.h> and <linux/mount.h>
_NEW_MOUNTS, _NEW_USER, _NEW_NETWORK = 0x00020000, 0x10000000, 0x40000000
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18


def _isolate() -> None:
    homes = {os.path.realpath(os.path.expanduser("~")), os.path.realpath("/root")}
    for name in set(os.environ) - _KEPT:
        del os.environ[name]
    home = os.path.join(sys.prefix, ".home")
    os.makedirs(home, exist_ok=True)
    os.environ["HOME"] = os.environ["USERPROFILE"] = home
    if sys.platform == "linux":
        # Where namespaces are not allowed, the clean environment is all there is.
        with contextlib.suppress(OSError):
            _enter_namespaces()
            _hide(sorted({*homes, os.path.realpath("/run")}))


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
    needed |= {os.environ[name] for name in ("TMPDIR",) if name in os.environ}
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
