"""Resolve requirements with uv for one target, from wheels, so that every pin installs."""

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from buildlib import text
from buildlib.errors import LockError
from buildlib.lock.requirements import Entry, Requirements
from buildlib.model import LockTarget
from buildlib.runtimes import RUNTIMES, machine, manylinux, platform_tag
from buildlib.uv import run

# uv's words where a release exists, but no file of it that may be used.
_NO_WHEEL = re.compile(r"no (usable |compatible )?wheels|Wheels are required for")


class _Result(NamedTuple):
    """The exit code of a resolution, uv's messages, and the pins."""

    code: int
    output: str
    pins: str


_CPYTHON = re.compile(r"-cp3(\d+)-[^/\"]*linux[^/\"]*\.whl")


_WHEELS_ONLY = ("--only-binary", ":all:")


@dataclass
class Resolver:
    """The requirements, the repository that they are in, and where uv's output goes.

    `cooldown` are moments or spans after which releases are too new, as `uv.settings.cooldown` has
    them. `warnings` are uv's, such as those about yanked releases and unknown extras, each once.
    """

    root: Path
    requirements: Requirements
    log: Path | None = None
    cooldown: Mapping[str, str] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)

    def resolve(self, target: LockTarget, preferred: Iterable[str] = ()) -> str:
        """Return uv's pins with hashes for a target; `preferred` are pins to keep if they fit.

        Only releases with a wheel for the target are taken, so no code of a package runs. The
        packages that the manifest allows to build are exceptions; for a container, so are all
        packages if wheels alone give no solution.

        Raises:
            LockError: there is no solution, or the index cannot be reached.

        """
        with tempfile.TemporaryDirectory(prefix="lambda-zip-") as folder:
            for path, content in self.requirements.texts:
                copy = Path(folder, path)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(content, encoding="utf-8")
            for options in _attempts(target):
                result = self._compile(
                    target, Path(folder, self.requirements.path), options, preferred
                )
                if not result.code:
                    self.warnings |= dict.fromkeys(_warnings(result.output))
                    return result.pins
        if _NO_WHEEL.search(_unfolded(result.output)):
            raise self._no_wheel(target, result.output)
        msg = (
            f"{self.requirements.path}: failed to resolve dependencies for {_shown(target)}\n"
            f"{text.tail(result.output)}\n"
            "Relax the conflicting requirements, check the spelling of the package names, "
            "or check the connection to the package index; then run doit again."
        )
        raise LockError(msg, "lock-failed")

    def _compile(
        self, target: LockTarget, path: Path, options: Sequence[str], preferred: Iterable[str] = ()
    ) -> _Result:
        """Run `uv pip compile` on a requirements file."""
        output = path.with_name("requirements.lock")
        output.write_text("".join(f"{pin}\n" for pin in preferred), encoding="utf-8")
        major, minor = manylinux(target.python)
        arguments = [
            *("pip", "compile", path.name, "--output-file", output.name, "--generate-hashes"),
            *("--python-version", RUNTIMES[target.python].lowest_patch, "--python", sys.executable),
            *("--python-platform", f"{machine(target.architecture)}-manylinux_{major}_{minor}"),
            *("--no-header", "--no-emit-index-url", "--no-emit-find-links"),
            *(*self.requirements.indexes, *self.requirements.choices, *options),
            *_newest(self.cooldown),
        ]
        builds = "--only-binary" not in options or "--no-binary" in options
        done = run.run(arguments, root=self.root, cwd=path.parent, log=self.log, builds=builds)
        return _Result(done.code, done.output, output.read_text(encoding="utf-8"))

    def _no_wheel(self, target: LockTarget, output: str) -> LockError:
        """Return the error for releases without a wheel, with all that are required directly."""
        entries = self.requirements.entries
        with ThreadPoolExecutor(4) as pool:
            found = pool.map(lambda entry: self._probe(target, entry), entries)
            lacking = {entry: why for entry, why in zip(entries, found, strict=True) if why}
        explanation = [f"  {e.where}: {e.text}: {why}" for e, why in lacking.items()]
        example = next((entry.name for entry in lacking), "<name>")
        msg = (
            f"{self.requirements.path}: no release that fits has a wheel for {_shown(target)}\n"
            + ("\n".join(explanation) or text.tail(output))
            + "\nRequire another version, or set 'install: docker' for the lambda, to build inside "
            f"the AWS image. If a package is pure Python, 'allow_sdist: [{example}]' allows its "
            "build on this machine."
        )
        return LockError(msg, "wheel-missing")

    def _probe(self, target: LockTarget, entry: Entry) -> str:
        """Return why a requirement alone, without its dependencies, has no wheel; else nothing."""
        if entry.name in target.allow_sdist:
            return ""
        with tempfile.TemporaryDirectory(prefix="lambda-zip-") as folder:
            path = Path(folder, "requirements.txt")
            path.write_text(f"{entry.text}\n", encoding="utf-8")
            result = self._compile(target, path, [*_WHEELS_ONLY, "--no-deps"])
            if not result.code or not _NO_WHEEL.search(_unfolded(result.output)):
                return ""
            arguments = [
                *("pip", "compile", path.name, "--universal", "--python-version", "3.8"),
                *("--format", "pylock.toml", "--no-deps", *self.requirements.indexes),
            ]
            offer = run.run(arguments, root=self.root, cwd=Path(folder), log=self.log)
        pythons = sorted({int(minor) for minor in _CPYTHON.findall(offer.output)})
        if not pythons:
            return "has no wheels"
        return f"has wheels for CPython {', '.join(f'3.{minor}' for minor in pythons)}"


def _newest(cooldown: Mapping[str, str]) -> Iterator[str]:
    """Yield the options of uv that leave out releases which are too new."""
    for name, value in cooldown.items():
        yield from (
            ("--exclude-newer-package", f"{name}={value}")
            if name
            else (
                "--exclude-newer",
                value,
            )
        )


def _warnings(output: str) -> Iterator[str]:
    """Yield the warnings in uv's output, each on one line, without those about our interpreter."""
    for warning in re.findall(r"^warning: (.*(?:\n +.*)*)", output, re.MULTILINE):
        if "requested Python version" not in warning:
            yield _unfolded(warning)


def _attempts(target: LockTarget) -> Iterator[list[str]]:
    """Yield the options of uv to try one after the other: from wheels, and then with builds."""
    allowed = [word for name in target.allow_sdist for word in ("--no-binary", name)]
    if allowed:  # the newest release, be it a wheel or not
        yield [*_WHEELS_ONLY, *allowed]
    yield list(_WHEELS_ONLY)
    if target.builds:
        yield []


def _shown(target: LockTarget) -> str:
    tag = platform_tag(target.python, target.architecture)
    runtime = RUNTIMES[target.python]
    return f"Python {target.python} on {target.architecture} ({runtime.system}, {tag} and older)"


def _unfolded(output: str) -> str:
    """Return uv's explanation on one line; uv wraps it."""
    return " ".join(output.split())
