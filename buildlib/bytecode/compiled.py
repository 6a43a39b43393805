"""Bytecode of many sources: from the cache, or compiled by processes of the pinned CPython."""

import json
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

# The first byte of an entry in the cache: bytecode follows, or the reason why there is none.
_COMPILED, _PROBLEM = b"\1", b"\0"


class Source(NamedTuple):
    """A source: its path in Lambda's file system, its sha256 and size, and the file here."""

    path: str
    sha256: str
    size: int
    file: str


class Result(NamedTuple):
    """The bytecode of a source, or the problem for which there is none.

    `sha256` is that of the source that was compiled: of another one, if the file has changed.
    """

    content: bytes
    problem: str
    sha256: str


def compile_all(
    sources: Iterable[Source],
    version: str,
    find: Callable[[], Compiler],
    cache: Bytecode,
    cores: Path,
) -> Iterator[tuple[Source, Result]]:
    """Yield each source with its bytecode; `find` returns the CPython if something is compiled.

    `version` is the full version of that CPython. `cores` is the folder of `locks.cores`.
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
            for answers in pool.map(lambda batch: list(_compile(batch, compiler)), batches):
                for source, result, is_final in answers:
                    if is_final and result.sha256 == source.sha256:
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


def _batches(sources: Sequence[Source]) -> Iterator[list[Source]]:
    batch: list[Source] = []
    size = 0
    for source in sources:
        if batch and (len(batch) == _FILES or size + source.size > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(source)
        size += source.size
    yield batch


def _compile(
    sources: Sequence[Source], compiler: Compiler
) -> Iterator[tuple[Source, Result, bool]]:
    """Yield the result of each source, and whether another run would give the same.

    The process may die from a source, such as one that is nested too deeply for its stack. Another
    one then does the sources after that.
    """
    rest = list(sources)
    while rest:
        done = 0
        for source, result in zip(rest, _answers(rest, compiler), strict=False):
            yield source, result, True
            done += 1
        rest = rest[done:]
        if rest:
            culprit = rest.pop(0)
            yield culprit, Result(b"", "the compiler crashed", culprit.sha256), False


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
