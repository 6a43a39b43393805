"""Build again whenever an input changes, within one process: everything stays imported."""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from buildlib import errors
from buildlib.cache.digests import signature
from buildlib.errors import BuildError
from buildlib.files.walk import JUNK_FOLDERS, is_junk
from buildlib.layout import MANIFEST, OUTPUTS
from buildlib.manifest import variants as declared
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.steps import run, summary
from buildlib.text import closest
from buildlib.tree import sources

# Milliseconds: changes that come together are one; the manifest is looked at this often.
_STEP, _DEBOUNCE, _LOOK = 20, 200, 500


def watch(root: Path, names: Sequence[str]) -> Iterator[str]:
    """Build the functions or variants `names`, or all, and again at each change; yield lines.

    Ctrl-C ends it, as a KeyboardInterrupt. A variant that cannot be built is
    reported, and tried again at the next change.

    Raises:
        BuildError: a name is not declared, or watchfiles is not installed.

    """
    try:
        import watchfiles  # an extra
    except ImportError:
        msg = "watch needs the package watchfiles; install it: pip install 'doit-lambda-zip[watch]'"
        raise BuildError(msg, "watch") from None
    chosen(Project(root), names)
    said = ""
    files: tuple[str, ...] = (MANIFEST,)
    while True:
        seen = _manifests(root, files)
        try:
            project = Project(root)
            if project.manifest.files != files:
                files = project.manifest.files
                seen = _manifests(root, files)
            variants = chosen(project, names)
            written = _written(variants)
            entries = _at_the_root(root, written)
            yield from _built(project, variants)
            plural = "s" if len(variants) > 1 else ""
            yield f"Watching {len(variants)} variant{plural}; press Ctrl-C to stop"
            said = ""
            fresh = True  # a change before the first look is not reported as one
            for changed in watchfiles.watch(
                *(_folders(project, variants) or [root / MANIFEST]),
                step=_STEP,
                debounce=_DEBOUNCE,
                rust_timeout=_LOOK,
                yield_on_timeout=True,
                raise_interrupt=True,
            ):
                if _manifests(root, files) != seen or _at_the_root(root, written) != entries:
                    break
                if changed or fresh:
                    yield from _built(_again(project), variants)
                fresh = False
        except (BuildError, OSError) as error:
            # The manifest is wrong, or it or a folder is not there for a moment, as while git
            # works: once is enough to say so, until it is mended.
            told = errors.describe(error)
            if told != said:
                yield told
            said = told
            time.sleep(_LOOK / 1000)


def chosen(project: Project, names: Sequence[str]) -> list[Variant]:
    """Return the variants with these names, or whose functions have them; all without names.

    Raises:
        BuildError: a name that is not declared.

    """
    wanted = [name.removeprefix("zip:") for name in names]
    known = declared.names(project.variants.values())
    if unknown := sorted(set(wanted) - known.keys()):
        close = closest(unknown[0], sorted(known))
        hint = f"did you mean '{close}'?" if close else f"it declares {', '.join(sorted(known))}"
        msg = f"{MANIFEST} declares no '{unknown[0]}'; {hint}"
        raise BuildError(msg, "watch")
    return declared.named(project.variants.values(), wanted)


def _built(project: Project, variants: Sequence[Variant]) -> Iterator[str]:
    """Run the pending steps; yield a line for each variant that was built or failed."""
    for variant in variants:
        start = time.monotonic()
        try:
            ran = dict(run.build(project, variant))
        except (BuildError, OSError) as error:
            yield errors.describe(error)
            yield f"{variant.id}: {summary.FAILED}; fix and save to retry"
            continue
        notes = [text for step in ran.values() for text in step.notes]
        yield from (summary.note(text, [variant.id]) for text in notes)
        doubts = [doubt for step in ran.values() for doubt in step.doubts]
        yield from (summary.note(text, [place]) for text, place in doubts)
        if done := summary.last(ran.values()):
            seconds = time.monotonic() - start
            yield summary.line(summary.outcome(variant.id, done, seconds))
    if project.remote.is_used:
        from buildlib.steps import uploads

        yield from uploads.finish(project, lambda _: None).values()
    project.save()


def _again(project: Project) -> Project:
    """Return the same repository, read again."""
    fresh = Project(project.layout.root)
    fresh.digests = project.digests
    fresh.remote = project.remote.again(fresh)
    return fresh


def _folders(project: Project, variants: Sequence[Variant]) -> list[Path]:
    """Return the folders that hold the inputs, and the files that stand at the root."""
    root = project.layout.root
    paths, files = set(), set()
    for function in {variant.function.name: variant.function for variant in variants}.values():
        texts = [tree.path for tree in project.trees(function)]
        requirements = project.requirements(function)
        texts += requirements.files if requirements else ()
        for text in texts:
            path = root / text
            paths.add(path if path.is_dir() else path.parent)
        with contextlib.suppress(BuildError):  # the build has reported it
            texts += [origin.path for origin in project.sources(function)]
        files |= {Path(os.path.realpath(root / text)) for text in texts}
    # The targets of links; a file at the root by itself, because build/ is there, too.
    for path in files:
        if path.is_file() and not any(path.is_relative_to(folder) for folder in paths - {root}):
            paths.add(path if path.parent == root else path.parent)
    return sorted(paths - {root})


def _written(variants: Sequence[Variant]) -> frozenset[str] | None:
    """Return the names at the root that builds write; None if the root is no function's source."""
    functions = {variant.function.name: variant.function for variant in variants}.values()
    if not any(tree.path == "." for function in functions for tree in sources.trees(function)):
        return None
    return OUTPUTS | {function.lockfile for function in functions if function.lockfile}


def _at_the_root(root: Path, written: frozenset[str] | None) -> set[str]:
    """Return the names at the root, which is not watched itself; none if it is no source."""
    if written is None:
        return set()
    return {n for n in os.listdir(root) if n not in JUNK_FOLDERS | written and not is_junk(n)}


def _manifests(root: Path, files: Iterable[str]) -> list[object]:
    """Return the status of each manifest."""
    found: list[object] = []
    for file in files:
        try:
            found.append(signature((root / file).stat()))
        except OSError:
            found.append(None)
    return found
