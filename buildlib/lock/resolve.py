"""Resolve requirements with uv for one target, from wheels, so that every pin installs."""

import contextlib
import functools
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from buildlib import recipe, text
from buildlib.errors import LockError
from buildlib.layout import Layout
from buildlib.lock import lacking
from buildlib.lock.join import KEPT
from buildlib.lock.requirements import Requirements
from buildlib.model import LockTarget, Upgrade
from buildlib.runtimes import RUNTIMES, platform_tag
from buildlib.uv import builds, run
from buildlib.uv import target as uv_target

_WHEELS_ONLY = ("--only-binary", ":all:")


# uv's hint about the oldest Python of a release.
_SUPPORTED = re.compile(r"only supports >=(3\.\d+)")


class _Attempt(NamedTuple):
    """One way to resolve: uv's options, and whether uv may build.

    `by_host` is for builds whose tools do not run where uv chooses files for the target alone. If
    it `keeps` the preferred pins, all of them hold; otherwise uv may choose others.
    """

    options: tuple[str, ...]
    builds: bool = False
    by_host: bool = False
    keeps: bool = False


class _Result(NamedTuple):
    """The exit code of a resolution, uv's messages, and the pins."""

    code: int
    output: str
    pins: str


@dataclass
class Resolver:
    """The requirements, the repository that they are in, and where uv's output goes.

    `cooldown` are moments or spans after which releases are too new, as `uv.settings.cooldown` has
    them. uv asks the index again for the packages of `upgrade`: a page that its cache keeps may be
    minutes old. `warnings` are uv's, such as those about yanked releases and unknown extras, each
    once.
    """

    root: Path
    requirements: Requirements
    log: Path | None = None
    cooldown: Mapping[str, str] = field(default_factory=dict)
    upgrade: Upgrade = Upgrade()  # noqa: RUF009 - a frozen value
    warnings: dict[str, None] = field(default_factory=dict)

    def resolve(
        self,
        target: LockTarget,
        preferred: Iterable[str] = (),
        *,
        patch: str = "",
        firmly: bool = True,
        explain: bool = True,
    ) -> str:
        """Return uv's pins with hashes for a target; `preferred` are pins to keep if they fit.

        Only releases with a wheel for the target are taken, so no code of a package runs. The
        packages that the manifest allows to build are exceptions; for a container, so are all
        packages if wheels alone give no solution. `patch` is the full version of the target's
        Python, by default the lowest that the runtime has had; the preferred pins are then those
        of another level, whose files uv has. Unless `firmly`, uv may pass over a preferred pin even
        if all of them fit together. With `explain`, an error names each requirement that has no
        wheel, for which the index is asked again.

        Raises:
            LockError: there is no solution, an allowed build failed, or the index cannot be
                reached.

        """
        failed, preferred = None, list(preferred)
        with tempfile.TemporaryDirectory(prefix="lambda-zip-") as folder:
            for name, content in self.requirements.texts:
                copy = Path(folder, name)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(content, encoding="utf-8")
            path = Path(folder, self.requirements.main or self.requirements.path)
            for attempt in _attempts(target, preferred, cached=bool(patch), firmly=firmly):
                result = self._compile(target, path, attempt, preferred, patch)
                if not result.code:
                    self.warnings |= dict.fromkeys(_warnings(result.output))
                    return result.pins
                failed = builds.failure(result.output) or failed
        if failed:
            msg = f"{self.requirements.path}: {failed.why}"
            raise LockError(msg, "sdist-not-pure" if failed.compiles else "sdist-failed")
        if explain and lacking.is_lack(result.output):
            raise self._no_wheel(target, result.output)
        pins = sorted(self.upgrade.pins)
        wanted = f" with {', '.join(pins)}" if pins else ""
        remedy = (
            "Change the requirement that excludes the version, which "
            f"'lambdas why --if {pins[0]}' shows,"
            if pins
            else "Relax the conflicting requirements,"
        )
        msg = (
            f"{self.requirements.path}: failed to resolve dependencies{wanted} for "
            f"{_shown(target)}\n{text.tail(result.output)}\n"
            f"{remedy} check the spelling of the package names, "
            "or check the connection to the package index; then run the build again."
        )
        raise LockError(msg, "lock-failed")

    def _compile(
        self,
        target: LockTarget,
        path: Path,
        attempt: _Attempt,
        preferred: Iterable[str] = (),
        patch: str = "",
    ) -> _Result:
        """Run `uv pip compile` on a requirements file."""
        output, kept = path.with_name("requirements.lock"), path.with_name(KEPT)
        pins = "".join(f"{pin}\n" for pin in preferred)
        output.write_text("" if attempt.keeps else pins, encoding="utf-8")
        kept.write_text(pins if attempt.keeps else "", encoding="utf-8")
        python, architecture = target[:2]
        if attempt.by_host:
            described = uv_target.build_options(python, architecture, patch)
        else:
            described = uv_target.options(Layout(self.root), python, architecture, patch)
        arguments = [
            *("pip", "compile", path.name, "--output-file", output.name, "--generate-hashes"),
            *described,
            *(("--constraints", kept.name) if attempt.keeps else ()),
            *("--no-header", "--no-emit-index-url", "--no-emit-find-links"),
            *(*self.requirements.indexes, *self.requirements.choices, *attempt.options),
            *_newest(self.cooldown),
            *(() if "--offline" in attempt.options else _refreshed(self.upgrade)),
        ]
        done = run.run(
            arguments, root=self.root, cwd=path.parent, log=self.log, builds=attempt.builds
        )
        return _Result(done.code, done.output, output.read_text(encoding="utf-8"))

    def _no_wheel(self, target: LockTarget, output: str) -> LockError:
        """Return the error for releases without a wheel, with all requirements that need one."""
        found = lacking.find(
            self.requirements.entries,
            target,
            functools.partial(self.probe, target),
            self.offer,
        )
        names = dict.fromkeys(name for entry in found for name, _ in entry.reasons)
        example = next(iter(names), "<name>")
        msg = (
            f"{self.requirements.path}: no release that fits has a wheel for {_shown(target)}\n"
            + ("\n".join(f"  {entry.text}" for entry in found) or text.tail(output))
            + "\nRequire another version, or set 'install: docker' for the lambda, to build inside "
            f"the AWS image. If a package is pure Python, 'allow_sdist: [{example}]' allows its "
            "build on this machine."
        )
        return LockError(msg, "wheel-missing")

    def probe(self, target: LockTarget, lines: Sequence[str], *options: str) -> str:
        """Resolve some lines alone from wheels; return uv's error, or nothing."""
        with _file(lines) as path:
            result = self._compile(target, path, _Attempt((*_WHEELS_ONLY, *options)))
        return result.output if result.code else ""

    def newest(self, target: LockTarget, line: str) -> str:
        """Return the newest release of a requirement with a wheel, as a pin; empty without one."""
        with _file([line]) as path:
            attempt = _Attempt((*_WHEELS_ONLY, "--no-deps"))
            return self._compile(target, path, attempt).pins

    def offer(self, line: str) -> str:
        """Return the files of the newest releases of a requirement, for any Python and system."""
        output = self._files(line, "3.8")
        if newer := _SUPPORTED.search(" ".join(output.split())):
            output = self._files(line, newer[1])
        return output

    def _files(self, line: str, python: str) -> str:
        """Return the files of releases for a Python and newer ones, or uv's error."""
        with _file([line]) as path:
            arguments = [
                *("pip", "compile", path.name, "--universal", "--python-version", python),
                *("--format", "pylock.toml", "--no-deps", "--no-build", *self.requirements.indexes),
            ]
            return run.run(arguments, root=self.root, cwd=path.parent, log=self.log).output


@contextlib.contextmanager
def _file(lines: Iterable[str]) -> Iterator[Path]:
    """Yield a temporary requirements file."""
    with tempfile.TemporaryDirectory(prefix="lambda-zip-") as folder:
        path = Path(folder, "requirements.txt")
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        yield path


def _newest(cooldown: Mapping[str, str]) -> Iterator[str]:
    """Yield the options of uv that leave out releases which are too new."""
    for name, value in cooldown.items():
        option = ("--exclude-newer-package", f"{name}={value}")
        yield from option if name else ("--exclude-newer", value)


def _refreshed(upgrade: Upgrade) -> Iterator[str]:
    """Yield the options for which uv asks the index again, as its own `--upgrade` does.

    To uv, a package with a version is a constraint of the resolution.
    """
    if upgrade.everything:
        yield "--refresh"
    for name in sorted(upgrade.packages):
        yield from ("--refresh-package", name)
    for pin in sorted(upgrade.pins):
        yield from ("--upgrade-package", pin)


def _warnings(output: str) -> Iterator[str]:
    """Yield the warnings in uv's output, each on one line, without those about our interpreter."""
    for warning in re.findall(r"^warning: (.*(?:\n +.*)*)", output, re.MULTILINE):
        if "requested Python version" not in warning and "not contain any" not in warning:
            yield _unfolded(warning)


def _attempts(
    target: LockTarget, preferred: Iterable[str], *, cached: bool = False, firmly: bool = True
) -> Iterator[_Attempt]:
    """Yield the ways to try one after the other.

    First all preferred pins are demanded: uv passes over a pin that it only prefers if one of two
    indexes has the release without a wheel for the target.
    """
    if cached:
        way = next(_ways(target))
        yield way._replace(keeps=True, options=(*way.options, "--offline"))
    if preferred and firmly:
        yield from (attempt._replace(keeps=True) for attempt in _ways(target))
    yield from _ways(target)


def _ways(target: LockTarget) -> Iterator[_Attempt]:
    """Yield what uv may install: wheels, and then builds."""
    if target.allow_sdist:  # the newest release, be it a wheel or not
        pinned = ("--build-constraints", str(recipe.build_constraints()))
        allowed = (word for name in target.allow_sdist for word in ("--no-binary", name))
        attempt = _Attempt((*_WHEELS_ONLY, *allowed, *pinned), builds=True)
        yield attempt
        yield attempt._replace(by_host=True)
    yield _Attempt(_WHEELS_ONLY)
    if target.builds:
        yield _Attempt((), builds=True)
        yield _Attempt((), builds=True, by_host=True)


def _shown(target: LockTarget) -> str:
    tag = platform_tag(target.python, target.architecture)
    runtime = RUNTIMES[target.python]
    return f"Python {target.python} on {target.architecture} ({runtime.system}, {tag} and older)"


def _unfolded(output: str) -> str:
    """Return uv's warning on one line; uv wraps it."""
    return " ".join(output.split())
