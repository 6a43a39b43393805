"""Build a variant twice more, in varied environments, and compare: the promise, put to the test.

Both builds run the real doit, each in a folder with just the inputs, as a clean checkout on another
machine would have them. They differ in everything that must not reach the bytes, and take nothing
from an earlier build.
"""

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from buildlib.archive import diff
from buildlib.cache import digests
from buildlib.errors import VerifyError
from buildlib.layout import MANIFEST, Layout
from buildlib.model import Function, Variant
from buildlib.project import part
from buildlib.project.project import Project
from buildlib.text import tail

_DODO = "from buildlib.tasks import *\n"


# Differences that are shown.
_SHOWN = 20


class _Variation(NamedTuple):
    """Where and how a build runs: all that the byte contract says does not matter."""

    folder: str
    umask: int
    seed: int  # of the order in which files are created; odd reverses folders
    mode: int
    mtime: int
    processes: tuple[str, ...]
    variables: dict[str, str]
    fresh_cache: bool


_SURROUNDINGS = (
    _Variation(
        folder="one",
        umask=0o022,
        seed=0,
        mode=0o644,
        mtime=1_000_000_000,
        processes=(),
        variables={
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
            "PYTHONHASHSEED": "0",
            "PYTHON_CPU_COUNT": "1",
        },
        fresh_cache=False,
    ),
    _Variation(
        folder="two/in a deeper folder/\u00e9/with/more/above/it",
        umask=0o077,
        seed=1,
        mode=0o700,
        mtime=1_700_000_000,
        processes=("-n", "2"),
        variables={
            "TZ": "Asia/Kathmandu",
            "LC_ALL": "tr_TR.UTF-8",
            "PYTHONHASHSEED": "4711",
            "PYTHON_CPU_COUNT": "3",
            "SOURCE_DATE_EPOCH": "1",
        },
        fresh_cache=True,
    ),
)


def verify(project: Project, one: Variant) -> Iterator[str]:
    """Build a variant twice and yield a line that says that both equal the ZIP in `dist/`.

    Raises:
        VerifyError: they do not, with all that differs; or there is nothing to compare with.

    """
    artifact = project.layout.zip(one.id)
    shown = project.layout.relative(artifact)
    if not artifact.exists() and one.function.docker:
        yield f"{one.id}: skipped; {shown} does not exist, and building it needs a container"
        return
    if not artifact.exists():
        msg = f"{shown} does not exist; run 'lambdas build {one.id}' first"
        raise VerifyError(msg)
    _check_lock(project, one.function)
    with tempfile.TemporaryDirectory(prefix="lambda-zip-verify-") as temporary:
        # Real paths: on macOS the folder for temporary files is a link.
        top = Path(temporary).resolve()
        layouts = [_prepare(project, one, top, place) for place in _SURROUNDINGS]
        _build(one, top, layouts)
        zips = [layout.zip(one.id) for layout in layouts]
        _compare(zips[0], zips[1], "two builds from the same inputs")
        stale = "" if project.status(one).written else ", which is out of date"
        _compare(artifact, zips[0], f"{shown}{stale}, and a fresh build of the same inputs")
        for mine, *others in zip(
            *(at.evidence(one.id) for at in (project.layout, *layouts)), strict=True
        ):
            if one.function.evidence:
                _check_evidence(mine, others)
    yield f"{one.id}: two builds and {shown} are equal, sha256 {digests.sha256(artifact)}"


def _check_lock(project: Project, function: Function) -> None:
    if problem := project.lock_problem(function):
        msg = (
            f"{function.lockfile}: the lockfile {problem}; run 'lambdas lock {function.name}' first"
        )
        raise VerifyError(msg)


def _compare(one: Path, other: Path, what: str) -> None:
    found = diff.differences(one, other)
    if not found:
        return
    lines = [f"  {line}" for difference in found for line in str(difference).splitlines()]
    if len(found) > _SHOWN:
        lines = [f"  {line}" for some in found[:_SHOWN] for line in str(some).splitlines()]
        lines.append(f"  and {len(found) - _SHOWN} more differences")
    msg = f"{what}, differ:\n" + "\n".join(lines)
    raise VerifyError(msg)


def _check_evidence(mine: Path, others: Iterable[Path]) -> None:
    content = mine.read_bytes() if mine.exists() else b""
    if any(other.read_bytes() != content for other in others):
        msg = f"dist/{mine.name}: differs from two fresh builds"
        raise VerifyError(msg)


def _prepare(project: Project, one: Variant, top: Path, place: _Variation) -> Layout:
    """Make a repository that has the inputs of one variant."""
    root = top / place.folder
    root.mkdir(parents=True)
    origin = project.layout.root
    functions = project.with_layers(one.function)
    paths = sorted({path for function in functions for path in part.files(project, function)})
    random.Random(place.seed).shuffle(paths)  # noqa: S311 - repeatable, and no secret
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin / path, target)
        target.chmod(place.mode)
        os.utime(target, (place.mtime, place.mtime))
    for folder in {f for function in functions for f in part.wheel_folders(project, function)}:
        with contextlib.suppress(FileExistsError):
            (root / folder).parent.mkdir(parents=True, exist_ok=True)
            (root / folder).symlink_to(origin / folder, target_is_directory=True)
    (root / MANIFEST).write_text(json.dumps(_manifest(project, one.function)), encoding="utf-8")
    (root / "dodo.py").write_text(_DODO, encoding="utf-8")
    return Layout(root)


def _output(layout: Layout) -> Path:
    """Return the file for a build's output: outside of its repository, which may be a source."""
    return layout.root.with_name(f"{layout.root.name}.txt")


def _manifest(project: Project, function: Function) -> dict[str, Any]:
    """Return a manifest of one function, with the places of this machine's secrets."""
    found = part.manifest(project, [function])
    root = project.layout.root
    for other in project.with_layers(function):
        if other.docker and other.docker.secrets:
            places = {n: str(root / Path(path).expanduser()) for n, path in other.docker.secrets}
            entry = found["layers" if other.is_layer else "lambdas"][other.name]
            entry["docker"]["secrets"] = places
    return found


# -- two builds ------------------------------------------------------------------------------------


def _build(one: Variant, top: Path, layouts: list[Layout]) -> None:
    """Run doit in both repositories at the same time."""
    runs = []
    for layout, place in zip(layouts, _SURROUNDINGS, strict=True):
        variables = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LAMBDA_ZIP_", "LC_", "LANG", "DOIT_"))
        }
        variables |= {"LAMBDA_ZIP_CACHE": "off"} | place.variables
        if place.fresh_cache:
            variables["UV_CACHE_DIR"] = str(top / "uv-cache")
        command = [sys.executable, "-m", "doit", *place.processes, f"hash:{one.id}"]
        # A file, not a pipe: neither run waits until the other's output is read.
        with _output(layout).open("wb") as output:
            runs.append(
                subprocess.Popen(  # noqa: S603 - this interpreter, and arguments of our own
                    command,
                    cwd=layout.root,
                    env=variables,
                    umask=-1 if os.name == "nt" else place.umask,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )
    codes = [run.wait() for run in runs]
    for code, layout in zip(codes, layouts, strict=True):
        if code:
            text = _output(layout).read_text(encoding="utf-8", errors="replace")
            msg = f"{one.id}: the rebuild failed\n{tail(text)}"
            raise VerifyError(msg)
