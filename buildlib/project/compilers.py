"""The exact versions of CPython that compile bytecode: in the manifest, or pinned by lockfiles."""

from collections.abc import Iterable

from buildlib.errors import LockError
from buildlib.model import Function, Variant


def wanted(variants: Iterable[Variant], lockfile: str | None) -> list[str]:
    """Return the minor versions, such as `3.13`, whose compiler a lockfile has to pin."""
    return sorted({
        variant.python
        for variant in variants
        if variant.function.bytecode
        and variant.function.lockfile == lockfile
        and not _of(variant, variant.function.compilers)
    })  # fmt: skip


def missing(pythons: Iterable[str], pinned: Iterable[str]) -> list[str]:
    """Return the minor versions whose compiler is not pinned."""
    known = {minor(version) for version in pinned}
    return [python for python in pythons if python not in known]


def version(variant: Variant, pinned: Iterable[str]) -> str:
    """Return the full version of a variant's compiler; empty without bytecode.

    Raises:
        LockError: neither the manifest nor the lockfile has it.

    """
    function = variant.function
    if not function.bytecode:
        return ""
    found = _of(variant, function.compilers) or _of(variant, pinned)
    if not found:
        raise LockError(_unpinned(function, variant), "compiler-unpinned")
    return found


def minor(version: str) -> str:
    """Return the minor version, such as `3.13`, of a full one."""
    return ".".join(version.split(".")[:2])


def _of(variant: Variant, versions: Iterable[str]) -> str:
    return next((one for one in versions if minor(one) == variant.python), "")


def _unpinned(function: Function, variant: Variant) -> str:
    if function.lockfile is None and function.compilers:
        return (
            f"{function.title}: 'compiler' names CPython {', '.join(function.compilers)}, which "
            f"compiles for another Python than {variant.python}; change it to a full version of "
            f"that, such as '{variant.python}.2', or name one version for each Python. 'lambdas "
            "doctor' lists those of this machine"
        )
    if function.lockfile is None:
        return (
            f"{function.title}: it has no requirements.lock to pin the compiler of its bytecode "
            f"in; set 'compiler' to a full version, such as '{variant.python}.2'. 'lambdas doctor' "
            "lists the versions of this machine"
        )
    return (
        f"{function.lockfile}: no compiler for Python {variant.python}; run "
        f"'lambdas lock {function.name}' and commit the file"
    )
