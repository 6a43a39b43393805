"""Install wheels for the target with uv, on any host, without an interpreter of the target."""

import functools
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from buildlib import recipe
from buildlib.environment.installer import Request, requirement_line
from buildlib.errors import InstallError
from buildlib.model import Pin, Variant
from buildlib.runtimes import RUNTIMES, machine, manylinux, platform_tag
from buildlib.text import canonical_name, tail
from buildlib.uv import run

# A wheel that was built here for the host's Python or platform.
_NOT_PURE = re.compile(
    r"built wheel `(?P<name>[^-]+)-(?P<version>[^-]+)-(?P<tags>\S+)\.whl` is not comp"
)


_NO_WHEEL = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>\S+) has no (usable )?wheels")


def install(request: Request) -> None:
    """Install the requested pins with uv; the files may be hard links into uv's cache.

    Take files from uv's cache without asking the index; with `refresh`, bypass the cache. Build the
    packages of `allow_sdist` with pinned build tools and a separate cache: a wheel that was built
    earlier with other tools must not be used.

    Raises:
        InstallError: with the end of uv's output, and the remedy.

    """
    allowed = set(request.variant.function.allow_sdist)
    wheels = [pin for pin in request.pins if pin.name not in allowed]
    sdists = [pin for pin in request.pins if pin.name in allowed]
    request.log.unlink(missing_ok=True)
    if wheels:
        options = [word for pin in wheels for word in ("--only-binary", pin.name)]
        _run(request, wheels, [*options, *(["--no-cache"] if request.refresh else [])])
    if sdists:
        cache = request.layout.sdist_cache / recipe.build_tools()[:24]
        constraints = ("--build-constraints", str(recipe.build_constraints()))
        _run(request, sdists, [*constraints, "--cache-dir", str(cache)], builds=True)
        _check_pure(request.variant, sdists, request.target)


def _run(
    request: Request, pins: Sequence[Pin], options: Sequence[str], *, builds: bool = False
) -> None:
    variant, target, log = request.variant, request.target, request.log
    root = request.layout.root
    target.mkdir(parents=True, exist_ok=True)
    requirements = target.with_name(target.name + ".txt")
    lines = "".join(map(requirement_line, pins))
    requirements.write_text(lines, encoding="utf-8", newline="\n")
    major, minor = manylinux(variant.python)
    arguments = [
        *("pip", "install", "--target", str(target), "--requirement", str(requirements)),
        *("--no-deps", "--require-hashes", "--no-compile-bytecode"),
        # Link instead of copying where the system can. This leaves uv's cache intact, because
        # canonical.canonicalise replaces files and never writes to one.
        *("--link-mode", "hardlink"),
        # Every file is checked against the lock's hashes, so any index may serve it.
        *("--index-strategy", "unsafe-best-match"),
        *("--python", sys.executable),
        *("--python-version", RUNTIMES[variant.python].lowest_patch),
        *("--python-platform", f"{machine(variant.architecture)}-manylinux_{major}_{minor}"),
        *request.indexes,
        *options,
    ]
    uv = functools.partial(run.run, root=root, cwd=target.parent, log=log, builds=builds)
    result = uv([*arguments, "--offline"])
    if result.code:  # something is not in the cache
        result = uv(arguments)
    if result.code and "wheel is invalid" in result.output and "--no-cache" not in options:
        # uv's cache was modified, including metadata that uv itself reads.
        result = uv([*arguments, "--no-cache"])
    if result.code:
        raise _error(variant, result.output, root, log)


def _error(variant: Variant, output: str, root: Path, log: Path) -> InstallError:
    name = variant.function.name
    runtime = RUNTIMES[variant.python]
    shown = log.relative_to(root).as_posix()
    if match := _NOT_PURE.search(" ".join(output.split())):
        return _not_pure(variant, canonical_name(match["name"]), match["version"], match["tags"])
    # uv wraps its explanations; unfolded they can be searched.
    match = _NO_WHEEL.search(" ".join(output.split()))
    if match:
        tag = platform_tag(variant.python, variant.architecture)
        version = variant.python.replace(".", "")
        return InstallError(
            f"lambda '{name}': {match['name']} {match['version']} has no wheel for Python "
            f"{variant.python} on {variant.architecture} ({runtime.system}, glibc "
            f"{'.'.join(map(str, runtime.glibc))}).\n"
            f"Tried: cp{version}, abi3 and py3 wheels for {tag} and older, and for any platform.\n"
            f"Either set 'install: docker' for this lambda, to build it inside the AWS image, or "
            f"require a version that has such a wheel in {variant.function.requirements}. "
            f"(If it is pure Python, 'allow_sdist: [{match['name']}]' builds it here.)\n"
            f"{tail(output)}\nFull log: {shown}.",
            "wheel-missing",
        )
    replaced = "hash mismatch" in output.lower()
    if replaced:
        advice = (
            "Hash mismatch: a file from the index differs from the lock. The release was replaced, "
            "or the index is compromised: do not build from it before you know which. If the "
            f"release was replaced on purpose, run 'doit lock:{name}'. If an index that has only "
            "some of the files came first during locking (an extra-index-url), delete "
            f"{variant.function.lockfile} and lock again without that index."
        )
    elif "No space left on device" in output:
        advice = "Free some space, then run doit again."
    else:
        advice = "Check the connection to the package index and its settings, then run doit again."
    return InstallError(
        f"lambda '{name}': failed to install the dependencies for Python {variant.python} on "
        f"{variant.architecture}\n{tail(output)}\n{advice} Full log: {shown}.",
        "hash-mismatch" if replaced else "install-failed",
    )


def _check_pure(variant: Variant, pins: Sequence[Pin], target: Path) -> None:
    """Refuse wheels compiled on this host: they are for its platform, and not reproducible."""
    built = {pin.name: pin for pin in pins}
    for metadata in sorted(target.glob("*.dist-info/WHEEL")):
        name, _, _ = metadata.parent.name.partition("-")
        pin = built.get(canonical_name(name))
        tags = re.findall(r"^Tag: (\S+)$", metadata.read_text(encoding="utf-8"), re.MULTILINE)
        if pin and not all(tag.endswith("-none-any") for tag in tags):
            raise _not_pure(variant, pin.name, pin.version, ", ".join(tags))


def _not_pure(variant: Variant, name: str, version: str, tags: str) -> InstallError:
    msg = (
        f"lambda '{variant.function.name}': {name} {version} is not pure Python "
        f"(its wheel is {tags}), so it cannot be built here; remove it from "
        "'allow_sdist' and set 'install: docker'"
    )
    return InstallError(msg, "sdist-not-pure")
