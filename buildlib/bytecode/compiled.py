"""Bytecode of many sources: from the cache, or compiled by processes of the pinned CPython."""

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from buildlib import contract, progress, recipe
from buildlib.bytecode.compiler import OPTIONS, Compiler, variables
from buildlib.cache.bytecode import Bytecode
from buildlib.files import locks

_PROGRAM = Path(__file__).with_name("in_compiler.py")

# The sources of one process: their number, and their bytes together.
_FILES, _BYTES = 300, 2 << 20

# The first byte of an entry in the cache: bytecode follows, or the problem of the source.
_COMPILED, _PROBLEM = b"\1", b"\0"


class Source(NamedTuple):
    """A source: its path in Lambda's file system, its sha256 and size, and the file here."""

    path: str
    sha256: str
    size: int
    file: str


class Result(NamedTuple):
    """The bytecode of a source, or the problem of a source without.

    `sha256` is that of the source that was compiled: another one if the file has changed, and none
    if it is gone.
    """

    content: bytes
    problem: str
    sha256: str


class CrashError(Exception):
    """The compiling process died at the source with this path."""


def compile_all(
    sources: Iterable[Source],
    version: str,
    find: Callable[[], Compiler],
    cache: Bytecode,
    cores: Path,
) -> Iterator[tuple[Source, Result]]:
    """Yield each source with its bytecode; `find` returns the CPython if something is compiled.

    `version` is the full version of that CPython. `cores` is the folder of `locks.cores`.

    Raises:
        CrashError: the compiling process died.

    """
    missing = []
    for source in sources:
        known = cache.find(_key(source, version))
        if known:
            is_compiled = known[:1] == _COMPILED
            content, problem = (known[1:], "") if is_compiled else (b"", known[1:].decode())
            yield source, Result(content, problem, source.sha256)
        else:
            missing.append(source)
    if not missing:
        return
    compiler, done = find(), 0
    batches = list(_batches(missing))
    with locks.cores(cores) as threads, ThreadPoolExecutor(threads) as pool:
        try:
            for answers in pool.map(lambda batch: _compile(batch, compiler), batches):
                for source, result in answers:
                    if result.sha256 == source.sha256:
                        entry = _PROBLEM + result.problem.encode()
                        if not result.problem:
                            entry = _COMPILED + result.content
                        cache.put(_key(source, version), entry)
                    yield source, result
                done += len(answers)
                progress.update(f"compiling: {done} of {len(missing)} files", often=True)
        finally:  # after an error nobody takes the rest
            pool.shutdown(cancel_futures=True)


def _key(source: Source, version: str) -> str:
    return recipe.key({
        "rules": contract.BYTECODE,
        "compiler": version,
        "path": source.path,
        "source": source.sha256,
    })  # fmt: skip


def _place(source: Source) -> int:
    try:
        return os.stat(source.file).st_ino
    except FileNotFoundError:  # the compiler says so
        return 0


def _batches(sources: Iterable[Source]) -> Iterator[list[Source]]:
    """Yield the sources of each process.

    They are in the order of the disk: it is fast, and another one in each checkout, where two
    builds would show if the order mattered.
    """
    batch: list[Source] = []
    size = 0
    for source in sorted(sources, key=_place):
        if batch and (len(batch) == _FILES or size + source.size > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(source)
        size += source.size
    yield batch


def _compile(sources: Sequence[Source], compiler: Compiler) -> list[tuple[Source, Result]]:
    """Return the result of each source.

    Raises:
        CrashError: the compiling process died. Nothing is left out for that, since it may have been
            short of memory, and a ZIP depends on its inputs alone.

    """
    found = list(zip(sources, _answers(sources, compiler), strict=False))
    if len(found) < len(sources):
        raise CrashError(sources[len(found)].path)
    return found


def _answers(sources: Sequence[Source], compiler: Compiler) -> Iterator[Result]:
    jobs = json.dumps([[source.path, source.file] for source in sources])
    with subprocess.Popen(  # noqa: S603 - the pinned CPython and this package's program
        [compiler.path, *OPTIONS, str(_PROGRAM)],
        env=variables(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            if process.stdin is None or process.stdout is None:  # never: both are pipes
                return
            process.stdin.write(jobs.encode() + b"\n")
            process.stdin.close()
            for line in process.stdout:
                answer = json.loads(line)
                size = answer.get("size", 0)
                content = process.stdout.read(size)
                if len(content) < size:
                    return
                yield Result(content, answer.get("problem", ""), answer["sha256"])
        finally:
            process.kill()
