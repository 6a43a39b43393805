"""Install wheels for the target with uv, on any host, without an interpreter of the target."""

import contextlib
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

from buildlib import recipe
from buildlib.environment.installer import Request, requirement_line
from buildlib.errors import InstallError
from buildlib.files import atomic
from buildlib.model import Pin, Variant
from buildlib.runtimes import RUNTIMES, platform_tag
from buildlib.text import canonical_name, tail
from buildlib.uv import builds, run
from buildlib.uv import target as uv_target
from buildlib.uv.run import Result

_logger = logging.getLogger(__name__)


_NO_WHEEL = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>\S+) has no (usable )?wheels")


def install(request: Request) -> None:
    """Install the requested pins with uv; the files may be hard links into uv's cache.

    Take files from uv's cache without asking the index, but for the distributions to `refresh`,
    which are removed from it first. Packages of `allow_sdist` without a wheel for the target are
    built, with pinned build tools and a separate cache: a wheel that was built earlier with other
    tools must not be used.

    Raises:
        InstallError: with the end of uv's output, and the remedy.

    """
    allowed = set(request.variant.function.allow_sdist)
    request.log.unlink(missing_ok=True)
    if request.refresh and not _forget(request, request.refresh):
        request = request._replace(is_cached=False)
    wheels = [pin for pin in request.pins if pin.name not in allowed]
    _check(request, _wheels(request, wheels))
    sdists = [pin for pin in request.pins if pin.name in allowed and not _has_wheel(request, pin)]
    if sdists:
        cache = request.layout.sdist_cache / recipe.build_tools()[:24]
        options = [
            *uv_target.build_options(request.variant.python, request.variant.architecture),
            *("--build-constraints", str(recipe.build_constraints()), "--cache-dir", str(cache)),
            *(word for pin in sdists for word in ("--no-binary", pin.name)),
        ]
        _check(request, _run(request, sdists, options, building=True))
        _check_pure(request.variant, sdists, request.target)


def _wheels(request: Request, pins: Sequence[Pin]) -> Result:
    """Install the wheels that have the best tags for the target."""
    if not pins:
        return Result(0, "")
    options = [
        *uv_target.options(request.layout, request.variant.python, request.variant.architecture),
        *(word for pin in pins for word in ("--only-binary", pin.name)),
        *([] if request.is_cached else ["--no-cache"]),
    ]
    return _run(request, pins, options)


def _has_wheel(request: Request, pin: Pin) -> bool:
    """Install the wheel of a package that may be built; tell whether there is one."""
    result = _wheels(request, [pin])
    if result.code and not _NO_WHEEL.search(" ".join(result.output.split())):
        _check(request, result)
    return not result.code


def _check(request: Request, result: Result) -> None:
    if result.code:
        raise _error(request.variant, result.output, request.layout.root, request.log)


def _run(
    request: Request, pins: Sequence[Pin], options: Sequence[str], *, building: bool = False
) -> Result:
    log, root = request.log, request.layout.root
    request.target.mkdir(parents=True, exist_ok=True)
    requirements = request.target.with_name(request.target.name + ".txt")
    part = request.target.with_name(request.target.name + ".part")
    lines = "".join(map(requirement_line, pins))
    requirements.write_text(lines, encoding="utf-8", newline="\n")
    arguments = [
        *("pip", "install", "--target", str(part), "--requirement", str(requirements)),
        *("--no-deps", "--require-hashes", "--no-compile-bytecode"),
        # Link instead of copying where the system can. This leaves uv's cache intact, because
        # canonical.canonicalise replaces files and never writes to one.
        *("--link-mode", "hardlink"),
        # Every file is checked against the lock's hashes, so any index may serve it.
        *("--index-strategy", "unsafe-best-match"),
        *request.indexes,
        *options,
    ]

    def uv(*more: str) -> Result:
        # Each try has an empty folder: uv believes what another one left half done.
        atomic.remove(part)
        part.mkdir()
        return run.run([*arguments, *more], root=root, cwd=part.parent, log=log, builds=building)

    result = uv("--offline")
    if result.code:  # something is not in the cache
        result = uv()
    if result.code and "--no-cache" not in options and not _ELSEWHERE.search(result.output):
        # uv cannot read its cache, and says so in many ways.
        again = uv("--no-cache")
        if not again.code:
            result = again
            _logger.warning(
                "%s: uv could not read its cache (%s); downloaded %d packages again",
                *(request.variant.id, tail(result.output, 1), len(pins)),
            )
            _forget(request, [pin.name for pin in pins])
    if not result.code:
        _move(part, request.target)
    atomic.remove(part)
    return result


# Causes of a failure that are not in uv's cache.
_ELSEWHERE = re.compile(
    r"has no (usable )?wheels|hash mismatch|not found in the (package registry|provided)"
    r"|No space left|error sending request|failed to fetch|dns error"
    r"|connection (refused|reset)|request failed|timed? ?out|HTTP status"
    r"|unauthorized|forbidden|certificate"
    r"|failed to build|too many open files|permission denied|read-only file system",
    re.IGNORECASE,
)


def _forget(request: Request, names: Sequence[str]) -> bool:
    """Remove distributions from uv's cache, so that they are downloaded again; tell if it worked.

    Built distributions are in a cache of their own, which goes as a whole.
    """
    atomic.remove(request.layout.sdist_cache)
    done = run.run(
        ["cache", "clean", *names],
        root=request.layout.root,
        cwd=request.layout.root,
        log=request.log,
    )
    return not done.code


def _move(part: Path, target: Path) -> None:
    """Move all files of a folder into another one, over those of the same name."""
    with contextlib.suppress(OSError):  # as a rule the other one is empty
        target.rmdir()
        part.rename(target)
        return
    for folder, _, names in os.walk(part):
        place = target / os.path.relpath(folder, part)
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            os.replace(os.path.join(folder, name), place / name)


def _error(variant: Variant, output: str, root: Path, log: Path) -> InstallError:
    title, name = variant.function.title, variant.function.name
    runtime = RUNTIMES[variant.python]
    shown = log.relative_to(root).as_posix()
    if failed := builds.failure(output):
        return _build_failed(variant, failed, shown)
    # uv wraps its explanations; unfolded they can be searched.
    match = _NO_WHEEL.search(" ".join(output.split()))
    if match:
        tag = platform_tag(variant.python, variant.architecture)
        version = variant.python.replace(".", "")
        return InstallError(
            f"{title}: {match['name']} {match['version']} has no wheel for Python "
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
            f"release was replaced on purpose, run 'lambdas lock --upgrade {name}'. If an index "
            "that has only some of the files came first during locking (an extra-index-url), "
            f"delete {variant.function.lockfile} and lock again without that index."
        )
    elif "No space left on device" in output:
        advice = "Free some space, then run the build again."
    else:
        advice = (
            "Check the connection to the package index and its settings, then run the build again."
        )
    return InstallError(
        f"{title}: failed to install the dependencies for Python {variant.python} on "
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
            raise _build_failed(variant, builds.not_pure(pin.name, pin.version, ", ".join(tags)))


def _build_failed(variant: Variant, failed: builds.Failure, log: str = "") -> InstallError:
    more = f"\nFull log: {log}." if log and "\n" in failed.why else ""
    return InstallError(
        f"{variant.function.title}: {failed.why}{more}",
        "sdist-not-pure" if failed.compiles else "sdist-failed",
    )
