"""Install wheels for the target with uv, whatever the host is. No interpreter of it is needed."""

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

_NO_WHEEL = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>\S+) has no (usable )?wheels")


def install(request: Request) -> None:
    """Install what is requested with uv; the files may be links into uv's cache.

    Distributions in uv's cache are taken without asking the index, unless the request says
    `refresh`. Those that may be built from source are built with pinned build tools, in a cache of
    their own: a wheel that was built before, with other tools, must not be used.

    Raises:
        InstallError: with the end of uv's output, and what to do.

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
        _run(request, sdists, [*constraints, "--cache-dir", str(cache)])
        _check_pure(request.variant, sdists, request.target)


def _run(request: Request, pins: Sequence[Pin], options: Sequence[str]) -> None:
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
        # Nothing is copied where the system can link: what is done to the tree replaces files, and
        # never writes to one (see normalise.environment), so that the cache stays as it is.
        *("--link-mode", "hardlink"),
        # Every file is checked against the lock, so it does not matter which index has it.
        *("--index-strategy", "unsafe-best-match"),
        *("--python", sys.executable, "--python-version", variant.python),
        *("--python-platform", f"{machine(variant.architecture)}-manylinux_{major}_{minor}"),
        *request.indexes,
        *options,
    ]
    result = run.run([*arguments, "--offline"], root=root, cwd=target.parent, log=log)
    if result.code:  # something is not in the cache
        result = run.run(arguments, root=root, cwd=target.parent, log=log)
    if result.code and "wheel is invalid" in result.output and "--no-cache" not in options:
        # Someone wrote to uv's cache, and to what uv itself reads.
        result = run.run([*arguments, "--no-cache"], root=root, cwd=target.parent, log=log)
    if result.code:
        raise _error(variant, result.output, root, log)


def _error(variant: Variant, output: str, root: Path, log: Path) -> InstallError:
    name = variant.function.name
    runtime = RUNTIMES[variant.python]
    shown = log.relative_to(root).as_posix()
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
            f"Either say 'install: docker' for this lambda, to build it inside the AWS image, or "
            f"ask for a version that has such a wheel in {variant.function.requirements}. "
            f"(If it is pure Python, 'allow_sdist: [{match['name']}]' builds it here.)\n"
            f"{tail(output)}\nThe whole log is in {shown}.",
            "wheel-missing",
        )
    replaced = "hash mismatch" in output.lower()
    if replaced:
        advice = (
            "What the index gave is not what was locked: do not build from it before you know why. "
            f"If the release was replaced on purpose, run 'doit lock:{name}'. If the lock was made "
            "while an index with only some of the files was asked first (an extra-index-url), "
            f"delete {variant.function.lock} and make it again without that index."
        )
    elif "No space left on device" in output:
        advice = "Free some space, then run doit again."
    else:
        advice = "Check the connection to the package index and its settings, then run doit again."
    return InstallError(
        f"lambda '{name}': the dependencies for Python {variant.python} on {variant.architecture} "
        f"could not be installed\n{tail(output)}\n{advice} The whole log is in {shown}.",
        "hash-mismatch" if replaced else "install-failed",
    )


def _check_pure(variant: Variant, pins: Sequence[Pin], target: Path) -> None:
    """Refuse what was compiled here: it would be for the host, and never the same twice."""
    built = {pin.name: pin for pin in pins}
    for metadata in sorted(target.glob("*.dist-info/WHEEL")):
        name, _, _ = metadata.parent.name.partition("-")
        pin = built.get(canonical_name(name))
        tags = re.findall(r"^Tag: (\S+)$", metadata.read_text(encoding="utf-8"), re.MULTILINE)
        if pin and not all(tag.endswith("-none-any") for tag in tags):
            msg = (
                f"lambda '{variant.function.name}': {pin.name} {pin.version} is not pure Python "
                f"(its wheel is {', '.join(tags)}), so it cannot be built here; remove it from "
                "'allow_sdist' and say 'install: docker'"
            )
            raise InstallError(msg, "sdist-not-pure")
