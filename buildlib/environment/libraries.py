"""Find shared libraries that machine code needs, and that neither the ZIP nor the runtime has."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from buildlib.runtimes import RUNTIMES

# The libraries that each runtime has in /lib64 and /var/lang/lib: glibc's, GCC's runtime, and what
# CPython and Amazon Linux's minimal image bring along (packages of amazonlinux:2 and of
# amazonlinux:2023-minimal, as of 2026-11). Libraries of desktops and of GPUs are in neither.
_EVERYWHERE = {
    *("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1"),
    *("libresolv.so.2", "libanl.so.1", "libmvec.so.1", "libnss_dns.so.2", "libnss_files.so.2"),
    *("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libBrokenLocale.so.1", "libthread_db.so.1"),
    *("libgcc_s.so.1", "libstdc++.so.6", "libz.so.1", "libbz2.so.1", "liblzma.so.5"),
    *("libsqlite3.so.0", "libreadline.so.8", "libncursesw.so.6", "libtinfo.so.6", "libuuid.so.1"),
}
_SYSTEMS = {
    "Amazon Linux 2": {"libcrypt.so.1", "libnsl.so.1", "libffi.so.6", "libcrypto.so.10"}
    | {"libssl.so.10", "libexpat.so.1", "libcurl.so.4"},
    "Amazon Linux 2023": {"libcrypt.so.2", "libffi.so.8", "libcrypto.so.3", "libssl.so.3"}
    | {"libcurl.so.4"},
}


_SHOWN = 5


class Code(NamedTuple):
    """A file of machine code: the library that it is, or empty, and those that it needs."""

    soname: str
    needed: tuple[str, ...]


def missing(codes: Mapping[str, Code], paths: Iterable[str], python: str) -> dict[str, list[str]]:
    """Return the libraries that nothing provides, each with the files that need it.

    `codes` are the files of machine code by path, and `paths` those of all files of the tree. A
    library that is anywhere in the tree counts: its package finds it, by its RUNPATH or by loading
    it first.
    """
    system = _EVERYWHERE | _SYSTEMS[RUNTIMES[python].system] | {f"libpython{python}.so.1.0"}
    present = {code.soname for code in codes.values()} | {p.rpartition("/")[2] for p in paths}
    found: dict[str, list[str]] = {}
    for path, code in codes.items():
        for library in code.needed:
            if library not in system and library not in present:
                found.setdefault(library, []).append(path)
    return found


def warning(title: str, libraries: Mapping[str, Collection[str]], system: str) -> str:
    """Return the warning about libraries that are missing, with the remedies."""
    lines = []
    for library, paths in sorted(libraries.items()):
        shown = sorted(paths)[:_SHOWN]
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        lines.append(f"  {library}, which {', '.join(shown)}{more} needs")
    names = ", ".join(sorted(libraries))
    return (
        f"{title}: neither the ZIP nor Lambda's {system} has these libraries:\n"
        + "\n".join(lines)
        + "\nCode that loads them fails in Lambda. Put them into 'lib/' of the function, or use "
        "'install: docker' and copy them with 'docker: {libraries: [...]}'. If a layer has them, "
        f"or the function does not load these files, set 'allow_missing_libraries: [{names}]'"
    )
