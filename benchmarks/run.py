"""Time the commands that users wait for, as ratios to the alternative, measured in the same run.

    python benchmarks/run.py            every row, as a table
    python benchmarks/run.py --check    exit with 1 if a target is missed
    python benchmarks/run.py edit pin   some rows
    python benchmarks/run.py --sam      also compare with `sam build` (installs aws-sam-cli)

Needs `zip` (Debian: apt install zip) and access to the package index. The benchmark times whole
processes, alternating doit and the other tool, after a warm-up that fills uv's cache and compiles
every module.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import functools
import hashlib
import json
import os
import random
import resource
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOIT = [sys.executable, "-m", "doit"]
LAMBDAS = [sys.executable, "-m", "buildlib"]
HANDLER = "import pandas\n\ndef handler(event, context):\n    return str(pandas.DataFrame(event))\n"
PLAIN = "def handler(event, context):\n    return event\n"


@dataclass
class Row:
    """One line of the table: alternating times of doit and of the other tool, in seconds."""

    name: str
    other: str
    target: float
    ours: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The ratio of the medians, doit to the other tool."""
        return statistics.median(self.ours) / statistics.median(self.others)

    @property
    def missed(self) -> bool:
        """Whether the row misses its target or a condition."""
        return self.ratio > self.target or bool(self.failures)


def environment() -> dict[str, str]:
    """Return the user's environment without variables that would distort the figures.

    Rows about the cache of the machine name its folder; the others have their own in build/.
    """
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "CI", "LAMBDA_ZIP_REMOTE")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"LAMBDA_ZIP_CACHE": "off"}


def run(command: list[str], cwd: Path, **variables: str) -> str:
    """Run a command and return its output; stop the benchmark if it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment() | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"{command} failed:\n{done.stdout}{done.stderr}"
        raise SystemExit(message)
    return done.stdout


def timed(command: list[str], cwd: Path, **variables: str) -> float:
    """Return the duration of a command's whole process, in seconds."""
    start = time.perf_counter()
    run(command, cwd, **variables)
    return time.perf_counter() - start


def alternate(row: Row, times: int, ours: Callable[[], float], other: Callable[[], float]) -> Row:
    """Time both alternately, so that a change in the machine's speed affects both."""
    for _ in range(times):
        row.ours.append(ours())
        row.others.append(other())
    return row


def write(root: Path, files: dict[str, str]) -> None:
    """Write files below a folder."""
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def remove(*paths: Path) -> None:
    """Remove folders."""
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)


def repository(root: Path, requirements: dict[str, str], code: str = PLAIN) -> Path:
    """Create a repository with one function for each entry, a name with its requirements."""
    manifest = "version: 1\ndefaults:\n  handler: app.handler\nlambdas:\n"
    manifest += "".join(f"  {name}: {{}}\n" for name in requirements)
    write(root, {"lambdas.yaml": manifest, "dodo.py": "from buildlib.tasks import *\n"})
    for name, text in requirements.items():
        write(root, {f"lambdas/{name}/app.py": code})
        if text:
            write(root, {f"lambdas/{name}/requirements.txt": text})
    return root


def recipe(root: Path, name: str) -> float:
    """Build as a script would: `uv pip install --target` and `zip -X -r -q`, level 6."""
    folder, source = root / "recipe", root / "lambdas" / name
    remove(folder)
    (root / "recipe.zip").unlink(missing_ok=True)
    install = [
        *("uv", "pip", "install", "-q", "--target", str(folder), "--no-deps"),
        *("--require-hashes", "-r", str(source / "requirements.lock"), "--only-binary", ":all:"),
        *("--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_34"),
    ]
    install[0] = str(Path(sys.executable).with_name("uv"))
    seconds = timed(install, root)
    shutil.copy(source / "app.py", folder)
    return seconds + timed(["zip", "-X", "-r", "-q", "-6", "../recipe.zip", "."], folder)


# -- rows ------------------------------------------------------------------------------------------


class Pandas:
    """A locked function with pandas and six, whose edits are timed."""

    def __init__(self, folder: Path) -> None:
        self.root = repository(folder / "pandas", {"fn": "pandas\nsix==1.16.0\n"}, HANDLER)
        run([*DOIT, "lock"], self.root)
        self.locks = {"1.16.0": self.inputs()}
        write(self.root, {"lambdas/fn/requirements.txt": "pandas\nsix==1.17.0\n"})
        run([*DOIT], self.root)
        self.locks["1.17.0"] = self.inputs()
        recipe(self.root, "fn")
        self.count = 0

    def inputs(self) -> dict[str, str]:
        names = ("requirements.txt", "requirements.lock")
        return {f"lambdas/fn/{n}": (self.root / "lambdas/fn" / n).read_text() for n in names}

    def cold(self) -> float:
        remove(self.root / "build", self.root / "dist")
        return timed(DOIT, self.root)

    def edit(self) -> float:
        self.count += 1
        write(self.root, {"lambdas/fn/app.py": f"{HANDLER}# edit {self.count}\n"})
        return timed(DOIT, self.root)

    def pin(self) -> float:
        """Replace one lock by the other, as a pull does; nothing for the new one is cached."""
        write(self.root, self.locks["1.16.0"])
        remove(self.root / "build", self.root / "dist")
        run(DOIT, self.root)
        write(self.root, self.locks["1.17.0"])
        return timed(DOIT, self.root)

    def revert(self) -> float:
        """Go back to the build before the last edit."""
        write(self.root, {"lambdas/fn/app.py": HANDLER + "# first\n"})
        run(DOIT, self.root)
        self.edit()
        write(self.root, {"lambdas/fn/app.py": HANDLER + "# first\n"})
        return timed(DOIT, self.root)

    def unchanged(self) -> float:
        return timed(DOIT, self.root)

    def recipe(self) -> float:
        return recipe(self.root, "fn")


def cold(folder: Path) -> Row:
    """Build everything, with the wheels in uv's cache."""
    pandas = Pandas(folder)
    row = Row("pandas, cold outputs", "uv + zip", 0.30)
    alternate(row, 5, pandas.cold, pandas.recipe)
    ours = (pandas.root / "dist/fn.zip").stat().st_size
    other = (pandas.root / "recipe.zip").stat().st_size
    row.notes.append(f"ZIP {ours:,} bytes, the other {other:,}")
    if ours > other:
        row.failures.append("our ZIP is larger")
    return row


def edit(folder: Path) -> Row:
    """Edit one line in app.py."""
    pandas = Pandas(folder)
    pandas.edit()
    row = Row("pandas, one edited line", "uv + zip", 0.05)
    return alternate(row, 9, pandas.edit, pandas.recipe)


def pin(folder: Path) -> Row:
    """Change one small pin."""
    pandas = Pandas(folder)
    row = Row("pandas, six 1.16 -> 1.17", "uv + zip", 0.12)
    return alternate(row, 5, pandas.pin, pandas.recipe)


def revert(folder: Path) -> Row:
    """Go back to the previous commit."""
    pandas = Pandas(folder)
    pandas.unchanged()
    time.sleep(2.1)  # recent files are hashed again, see buildlib/cache/digests.py
    pandas.unchanged()
    row = Row("pandas, revert", "ours, unchanged", 2.0)
    return alternate(row, 7, pandas.revert, pandas.unchanged)


def _many(folder: Path, count: int) -> Path:
    """Create a repository of `count` functions of ten files each, built, all digests cached."""
    root = repository(folder / f"many{count}", {f"fn{n:04}": "" for n in range(count)})
    steps = ("venv", "stage", "touch", "zip", "hash")
    names = [f"fn{n:04}" for n in range(count)]
    for number, name in enumerate(names):
        files = {f"lambdas/{name}/m{k}.py": f"X = {number * 10 + k}\n" for k in range(9)}
        write(root, files)
    write(root, {"bare.py": BARE.format(names=names, steps=steps)})
    run(DOIT, root)
    run([*DOIT, "-f", "bare.py"], root)
    time.sleep(2.1)
    run(DOIT, root)
    return root


BARE = """
DOIT_CONFIG = {{"dep_file": "build/bare.json", "backend": "json"}}

def nothing():
    pass

def task_step():
    for name in {names}:
        before = []
        for step in {steps}:
            files = ["app.py", *(f"m{{k}}.py" for k in range(9))] if step == "venv" else []
            yield {{"basename": step, "name": name, "actions": [nothing], "task_dep": before,
                   "file_dep": [f"lambdas/{{name}}/{{file}}" for file in files],
                   "uptodate": [True]}}
            before = [f"{{step}}:{{name}}"]
"""


def _unchanged(folder: Path, count: int, times: int) -> Row:
    root = _many(folder, count)
    row = Row(f"nothing changed, {count} functions", "bare dodo.py", 1.5)
    alternate(row, times, lambda: timed(DOIT, root), lambda: timed([*DOIT, "-f", "bare.py"], root))
    row.notes.append(f"peak memory {_peak(DOIT, root):.0f} MB")
    return row


def _peak(command: list[str], cwd: Path) -> float:
    program = (
        "import resource, subprocess, sys;"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    return int(run([sys.executable, "-c", program, *command], cwd)) / 1024


def ten(folder: Path) -> Row:
    """Nothing changed in a small repository."""
    return _unchanged(folder, 10, 15)


def thousand(folder: Path) -> Row:
    """Nothing changed in a large repository; also measure how the time grows."""
    row = _unchanged(folder, 1000, 7)
    if float(row.notes[0].split()[2]) > 120:
        row.failures.append("over 120 MB")
    hundred = _many(folder, 100)
    small = statistics.median(timed(DOIT, hundred) for _ in range(7))
    growth = statistics.median(row.ours) / small
    row.notes.append(f"{growth:.1f} times 100 functions")
    if growth > 12:
        row.failures.append("not linear")
    return row


def one_of_thousand(folder: Path) -> Row:
    """One named function in a large repository, compared with a small one."""
    large, small = _many(folder, 1000), _many(folder, 10)
    program = "from pathlib import Path; from buildlib.manifest import reader\n"
    program += "reader.read(Path.cwd())"
    reading = [sys.executable, "-c", program]
    manifest = statistics.median(timed(reading, large) - timed(reading, small) for _ in range(5))
    row = Row("zip:one of 1,000", "of 10, plus reading the manifest", 1.2)
    one = [*DOIT, "zip:fn0005"]
    alternate(row, 9, lambda: timed(one, large), lambda: timed(one, small) + manifest)
    row.notes.append(f"reading 1,000 takes {manifest * 1000:.0f} ms longer than 10")
    return row


def restore(folder: Path) -> Row:
    """A clean checkout elsewhere, with build/ from the CI cache and new mtimes."""
    pandas = Pandas(folder)
    other = folder / "elsewhere"

    def ours() -> float:
        remove(other)
        ignored = shutil.ignore_patterns("dist", "recipe*")
        shutil.copytree(pandas.root, other, ignore=ignored, copy_function=shutil.copyfile)
        start = time.perf_counter()
        output = run(DOIT, other)
        seconds = time.perf_counter() - start
        ran = {line[3:].split(":")[0] for line in output.splitlines() if line.startswith(".  ")}
        if not ran <= {"hash"}:
            row.failures.append(f"{sorted(ran)} ran")
        return seconds

    row = Row("pandas, build/ restored elsewhere", "uv + zip", 0.12)
    return alternate(row, 5, ours, pandas.recipe)


def store(folder: Path) -> Row:
    """A clean checkout with the store of finished ZIPs only."""
    pandas = Pandas(folder)
    kept = folder / "store"
    shutil.copytree(pandas.root / "build/cache/zips-v1", kept)

    def ours() -> float:
        remove(pandas.root / "build", pandas.root / "dist")
        shutil.copytree(kept, pandas.root / "build/cache/zips-v1")
        return timed(DOIT, pandas.root)

    row = Row("pandas, only the ZIPs restored", "uv + zip", 0.12)
    return alternate(row, 5, ours, pandas.recipe)


def fifty(folder: Path) -> Row:
    """Fifty functions with five different sets of dependencies."""
    sets = ["requests", "pyjwt[crypto]", "pyyaml\njinja2", "numpy", "pydantic"]
    names = {f"fn{n:02}": sets[n % 5] + "\n" for n in range(50)}
    root = repository(folder / "fifty", names)
    run([*DOIT, "lock"], root)
    run(DOIT, root)
    for number in range(5):
        recipe(root, f"fn{number:02}")

    def ours() -> float:
        remove(root / "build", root / "dist")
        return timed(DOIT, root)

    row = Row("50 functions, 5 environments, cold", "50 x uv + zip", 0.25)
    alternate(row, 3, ours, lambda: 10 * sum(recipe(root, f"fn{n:02}") for n in range(5)))
    installed = len(list(root.glob("build/env/*/record.json")))
    row.notes.append(f"{installed} installations")
    if installed != 5:
        row.failures.append("an environment was installed twice")
    return row


def clone(folder: Path) -> Row:
    """A new clone on a machine that built the same before."""
    pandas = Pandas(folder)
    cache = str(folder / "cache")
    run(DOIT, pandas.root, LAMBDA_ZIP_CACHE=cache)

    def ours() -> float:
        remove(pandas.root / "build", pandas.root / "dist")
        return timed(DOIT, pandas.root, LAMBDA_ZIP_CACHE=cache)

    return alternate(Row("pandas, new clone", "uv + zip", 0.11), 5, ours, pandas.recipe)


def packs(folder: Path) -> Row:
    """A new clone with other code, on a machine that built another function with pandas."""
    pandas = Pandas(folder)
    cache = folder / "cache"
    run(DOIT, pandas.root, LAMBDA_ZIP_CACHE=str(cache))

    def ours() -> float:
        remove(pandas.root / "build", pandas.root / "dist", cache / "zips-v1")
        return timed(DOIT, pandas.root, LAMBDA_ZIP_CACHE=str(cache))

    row = Row("pandas, new clone with other code", "uv + zip", 0.15)
    return alternate(row, 5, ours, pandas.recipe)


_COMMON = (
    *("requests", "urllib3", "idna", "certifi", "charset-normalizer", "jinja2", "markupsafe"),
    *("pyyaml", "click", "six"),
)
_SINGLE = (
    *("attrs", "packaging", "pluggy", "iniconfig", "tomli", "wrapt", "pytz", "toolz", "tabulate"),
    *("more-itertools", "sortedcontainers", "platformdirs", "filelock", "distro", "zipp"),
    *("typing-extensions", "python-dateutil", "jmespath", "cachetools", "tenacity"),
)


def twenty(folder: Path) -> Row:
    """Twenty environments that share ten packages, and one environment with all of them."""
    names = {f"fn{n:02}": "\n".join([*_COMMON, one]) for n, one in enumerate(_SINGLE)}
    many = repository(folder / "many", names)
    one = repository(folder / "one", {"fn": "\n".join([*_COMMON, *_SINGLE])})
    for root in (many, one):
        run([*DOIT, "lock"], root)
        run(DOIT, root)

    def cold(root: Path) -> float:
        remove(root / "build", root / "dist")
        return timed(DOIT, root)

    row = Row("20 environments, 10 packages shared", "ours, one environment of all", 1.3)
    alternate(row, 5, lambda: cold(many), lambda: cold(one))
    sizes = [sum(p.stat().st_size for p in root.rglob("*.pack")) for root in (many, one)]
    row.notes.append(f"packs {sizes[0]:,} bytes, the other {sizes[1]:,}")
    if sizes[0] > 1.05 * sizes[1]:
        row.failures.append("a package was compressed twice")
    return row


def _zip_each(root: Path) -> float:
    loop = (
        'for f in lambdas/*/; do (cd "$f" && zip -X -r -q -6 "../../zips/${PWD##*/}.zip" .); done'
    )
    remove(root / "zips")
    (root / "zips").mkdir()
    return timed(["bash", "-c", loop], root)


def _from_nothing(folder: Path, count: int) -> Row:
    root = _many(folder, count)

    def ours() -> float:
        remove(root / "build", root / "dist")
        return timed(DOIT, root)

    row = Row(f"{count} functions from nothing", "zip for each", 1.0)
    alternate(row, 3, ours, lambda: _zip_each(root))
    remove(root / "build", root / "dist")
    row.notes.append(f"peak memory {_peak(DOIT, root):.0f} MB")
    return row


def nothing(folder: Path) -> Row:
    """A thousand functions of the standard library, with nothing built; and five thousand."""
    row = _from_nothing(folder, 1000)
    seconds = statistics.median(row.ours)
    more = statistics.median(_from_nothing(folder, 5000).ours) / seconds
    row.notes.append(f"5,000 take {more:.1f} times as long")
    if seconds > 3:
        row.failures.append("over 3 s")
    if more > 5.5:
        row.failures.append("not linear")
    return row


def plan(folder: Path) -> Row:
    """The hashes for a plan of a thousand functions, from the record, in a clean checkout."""
    root = _many(folder, 1000)
    run([*LAMBDAS, "record"], root)
    query = f'echo \'{{"plan": "true"}}\' | {shlex.join([*LAMBDAS, "external"])}'

    def ours() -> float:
        remove(root / "build", root / "dist")
        return timed(["sh", "-c", query], root)

    row = Row("plan of 1,000 from the record", "zip for each", 0.5)
    alternate(row, 5, ours, lambda: _zip_each(root))
    if (root / "dist").exists():
        row.failures.append("something was built")
    if statistics.median(row.ours) > 1:
        row.failures.append("over 1 s")
    return row


_FETCH = """
import concurrent.futures, os, sys
from obstore import get
from obstore.store import from_url
store = from_url(os.environ["LAMBDA_ZIP_REMOTE"] + "/cas", client_options={"allow_http": True})
def fetch(name):
    with open("copies/" + name, "wb") as file:
        for chunk in get(store, name).stream(): file.write(chunk)
with concurrent.futures.ThreadPoolExecutor(8) as pool: list(pool.map(fetch, sys.argv[1:]))
"""


def remote(folder: Path) -> Row:
    """A hundred functions in a clean checkout, from a warm remote cache on this machine."""
    sys.path.insert(0, str(ROOT))
    from tests.remote.servers import s3, s3_server  # the servers of the tests

    sets = ["requests", "pyjwt[crypto]", "pyyaml\njinja2", "numpy", "pydantic"]
    root = repository(folder / "remote", {f"fn{n:03}": sets[n % 5] + "\n" for n in range(100)})
    for number in range(100):
        write(root, {f"lambdas/fn{number:03}/app.py": f"{PLAIN}# {number}\n"})
    run([*DOIT, "lock"], root)
    (folder / "server").mkdir()
    with s3_server("localbucket", folder / "server") as port:
        variables = s3(port, "benchmark").environment
        run(DOIT, root, **variables)
        hashes = [path.read_text().split()[0] for path in root.glob("dist/*.sha256")]

        def ours() -> float:
            remove(root / "build", root / "dist")
            return timed(DOIT, root, **variables)

        def copies() -> float:
            remove(root / "copies")
            (root / "copies").mkdir()
            return timed([sys.executable, "-c", _FETCH, *hashes], root, **variables)

        row = Row("100 functions from a remote cache", "the same files by obstore", 2.0)
        alternate(row, 5, ours, copies)
        if (root / "build/env").exists():
            row.failures.append("something was installed")

        # With the ZIPs in the record, nothing is downloaded for a plan.
        run([*LAMBDAS, "record"], root)
        remove(root / "build", root / "dist")
        query = f'echo \'{{"plan": "true"}}\' | {shlex.join([*LAMBDAS, "external"])}'
        seconds = timed(["sh", "-c", query], root, **variables)
        row.notes.append(f"{sum(p.stat().st_size for p in root.glob('copies/*')):,} bytes")
        row.notes.append(f"a plan with the record takes {seconds:.2f} s")
        if (root / "dist").exists():
            row.failures.append("a plan with the record moved ZIPs")
    return row


def upgrade(folder: Path) -> Row:
    """A thousand functions after an upgrade of this package that moves no byte."""
    root = _many(folder, 1000)
    program = "import sys, buildlib; buildlib.__version__ = sys.argv.pop(1); import doit.__main__"
    program += "; raise SystemExit(doit.__main__.main())"
    count = 0

    def ours() -> float:
        nonlocal count
        count += 1
        command = [sys.executable, "-c", program, f"99.{count}"]
        start = time.perf_counter()
        output = run(command, root)
        if ".  " in output:
            row.failures.append("a task ran")
        return time.perf_counter() - start

    row = Row("1,000 functions after an upgrade", "ours, unchanged", 5.0)
    alternate(row, 3, ours, lambda: timed(DOIT, root))
    if statistics.median(row.ours) > 1.5:
        row.failures.append("over 1.5 s")
    return row


def sam(folder: Path) -> Iterator[Row]:
    """`sam build` of the same function, without and with its cache, for the Python of the host."""
    tools = folder / "sam-tools"
    run([sys.executable, "-m", "venv", str(tools)], folder)
    run([str(tools / "bin/pip"), "install", "-q", "aws-sam-cli"], folder)
    pandas = Pandas(folder)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    template = (
        "AWSTemplateFormatVersion: '2010-09-09'\nTransform: AWS::Serverless-2016-10-31\n"
        "Resources:\n  Fn:\n    Type: AWS::Serverless::Function\n    Properties:\n"
        f"      CodeUri: sam/\n      Handler: app.handler\n      Runtime: python{version}\n"
    )
    requirements = "pandas\nsix==1.17.0\n"
    write(pandas.root, {"template.yaml": template, "sam/requirements.txt": requirements,
                        "sam/app.py": HANDLER})  # fmt: skip
    build = [str(tools / "bin/sam"), "build"]
    pack = ["zip", "-X", "-r", "-q", "-6", "../../../sam.zip", "."]

    def full() -> float:
        (pandas.root / "sam.zip").unlink(missing_ok=True)
        seconds = timed(build, pandas.root)
        return seconds + timed(pack, pandas.root / ".aws-sam/build/Fn")

    def cached() -> float:
        write(pandas.root, {"sam/app.py": f"{HANDLER}# edit {time.time_ns()}\n"})
        return timed([*build, "--cached", "--parallel"], pandas.root)

    full()
    yield alternate(Row("pandas, cold outputs", "sam build + zip", 0.30), 3, pandas.cold, full)
    cached()
    name = "sam build --cached, no ZIP"
    yield alternate(Row("pandas, one edited line", name, 0.10), 3, pandas.edit, cached)


def watch(folder: Path) -> Row:
    """One edited line while `doit watch` runs: from the save to the line that reports it."""
    pandas = Pandas(folder)
    process = subprocess.Popen(
        [*DOIT, "watch"], cwd=pandas.root, env=environment(), stdout=subprocess.PIPE, text=True
    )

    def until(text: str) -> None:
        for line in process.stdout or ():
            if text in line:
                return
        message = f"doit watch ended before it said '{text}'"
        raise SystemExit(message)

    def edit() -> float:
        time.sleep(1)
        pandas.count += 1
        start = time.perf_counter()
        write(pandas.root, {"lambdas/fn/app.py": f"{HANDLER}# watched {pandas.count}\n"})
        until("fn: built")
        return time.perf_counter() - start

    until("watching")
    row = alternate(Row("pandas, one edit, watched", "uv + zip", 0.05), 9, edit, pandas.recipe)
    process.terminate()
    process.wait()
    if statistics.median(row.ours) > 0.3:
        row.failures.append("over 300 ms")
    return row


def complete(folder: Path) -> Row:
    """The command that shell completion runs, in a large repository."""
    large, small = _many(folder, 1000), _many(folder, 10)
    names = [*DOIT, "list", "--quiet", "--all", "zip"]
    row = Row("names of 1,000 for the shell", "of 10", 4.0)
    alternate(row, 9, lambda: timed(names, large), lambda: timed(names, small))
    if statistics.median(row.ours) > 0.3:
        row.failures.append("over 300 ms")
    return row


# Variants that a farm builds, each with an environment of its own, and the workers of the target.
_VARIANTS, _WORKERS = 64, 4


def farm(folder: Path) -> Row:
    """Build 64 variants on a farm of workers with one processor each, and on one of them.

    With fewer processors than workers, fewer workers are measured, and the target is their part.
    """
    processors = sorted(os.sched_getaffinity(0))
    count = min(_WORKERS, len(processors))
    # 3.2 times as fast with 4 workers: 0.8 of their processors.
    target = round(1 / max(1, 0.8 * count), 3)
    row = Row(f"{_VARIANTS} environments, a farm of {count}", "a farm of 1", target)
    if count < _WORKERS:
        row.notes.append(f"{len(processors)} processors, so {count} workers instead of {_WORKERS}")
    names = [f"heavy{number:02}" for number in range(_VARIANTS)]
    with _index(folder / "index", names) as url:
        root = repository(folder / "repository", {name: f"{name}\n" for name in names})
        variables = {"UV_INDEX_URL": url, "UV_CACHE_DIR": str(folder / "uv")}
        run([sys.executable, "-m", "buildlib", "lock"], root, **variables)

        def built(chosen: list[int]) -> float:
            remove(root / "build", root / "dist")
            with _farm(folder / f"farm of {len(chosen)}", chosen, variables) as address:
                build = [sys.executable, "-m", "buildlib", "build", "-j", "2", "--farm", address]
                seconds = timed(build, root)
            remove(folder / f"farm of {len(chosen)}")
            return seconds

        built(processors[:1])  # uv's cache has every wheel
        index = (root / "dist/lambdas.json").read_bytes()
        alternate(row, 1, lambda: built(processors[:count]), lambda: built(processors[:1]))
        if (root / "dist/lambdas.json").read_bytes() != index:
            row.failures.append("the indexes differ")
    row.notes.append(f"{1 / row.ratio:.2f} times as fast; efficiency {1 / row.ratio / count:.2f}")
    return row


@contextlib.contextmanager
def _index(folder: Path, names: list[str]) -> Iterator[str]:
    """Serve wheels of 32 MB each, as large as numpy; yield the address of the index."""
    chance = random.Random(64)  # noqa: S311 - the same in every run
    words = [f"{number:x} " * (number % 7 + 1) for number in range(5000)]
    text = "".join(chance.choices(words, k=100_000))
    for name in names:
        place = folder / name / f"{name}-1.0-py3-none-any.whl"
        place.parent.mkdir(parents=True)
        info, rows = f"{name}-1.0.dist-info", []
        files = {f"{name}/{n}.txt": f"{name} {n} {text}" for n in range(16)}
        files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: b\nTag: py3-none-any\n"
        for path, content in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest())
            rows.append(f"{path},sha256={digest.decode().rstrip('=')},{len(content)}\n")
        files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"])
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for path, content in files.items():
                archive.writestr(path, content)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    with subprocess.Popen(server, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.kill()


@contextlib.contextmanager
def _farm(folder: Path, processors: list[int], variables: dict[str, str]) -> Iterator[str]:
    """Start a scheduler, and a worker on each of these processors; yield the address."""
    folder.mkdir()
    place = folder / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    local = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(place)]
    worker = ["worker", *local, "--no-nanny", "--nthreads", "1", "--local-directory", str(folder)]
    commands = [[*dask, "scheduler", *local, "--port", "0"]]
    commands += [["taskset", "-c", str(one), *dask, *worker] for one in processors]
    with contextlib.ExitStack() as stack:
        for command in commands:
            log = stack.enter_context((folder / f"{len(commands)}.log").open("ab"))
            process = subprocess.Popen(
                command, env=environment() | variables, cwd=folder, stdout=log, stderr=log
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            while not place.exists():
                time.sleep(0.1)
        address = json.loads(place.read_text())["address"]
        code = (
            "import sys, distributed\n"
            "distributed.Client(sys.argv[1]).wait_for_workers(int(sys.argv[2]), timeout=60)"
        )
        run([sys.executable, "-c", code, address, str(len(processors))], folder)
        yield address


def _imports(folder: Path, package: str, target: float) -> Row:
    """The import of a package from a ZIP with bytecode, and from one without, in new processes."""
    python = "{}.{}".format(*sys.version_info[:2])
    root = repository(folder / package, {"coded": package, "plain": package})
    manifest = f"version: 1\ndefaults: {{handler: app.handler, python: '{python}'}}\nlambdas:\n"
    write(root, {"lambdas.yaml": f"{manifest}  coded: {{bytecode: true}}\n  plain: {{}}\n"})
    run(DOIT, root)

    def imported(name: str) -> float:
        unpacked = root / name
        if not unpacked.exists():
            shutil.unpack_archive(root / f"dist/{name}.zip", unpacked)
        # As in Lambda, no bytecode is written.
        program = f"import sys; sys.path.insert(0, {str(unpacked)!r}); import {package}"
        return timed([sys.executable, "-I", "-S", "-B", "-c", program], root)

    imported("coded"), imported("plain")  # from the disk once
    row = Row(f"import {package}, with bytecode", "without", target)
    alternate(row, 9, lambda: imported("coded"), lambda: imported("plain"))
    sizes = {name: (root / f"dist/{name}.zip").stat().st_size for name in ("coded", "plain")}
    row.notes.append(f"ZIP {sizes['coded']:,} bytes, without {sizes['plain']:,}")
    return row


def _inits(folder: Path, package: str, target: float) -> Row:
    """The init phase under AWS's emulator of a ZIP with bytecode, and of it without, in turn."""
    python = "{}.{}".format(*sys.version_info[:2])
    code = f"import {package}\n{PLAIN}"
    root = repository(folder / package, {"coded": package}, code)
    manifest = f"version: 1\ndefaults: {{handler: app.handler, python: '{python}'}}\nlambdas:\n"
    write(root, {"lambdas.yaml": f"{manifest}  coded: {{bytecode: true}}\n"})
    measure = [
        "coldstart",
        "--compare=bytecode",
        "--starts=9",
        "--json",
        f"--python={sys.executable}",
    ]
    (found,) = json.loads(run([sys.executable, "-m", "buildlib", *measure], root))["functions"]
    row = Row(f"init phase of {package}, with bytecode", "without", target)
    row.ours += [ms / 1000 for ms in found["starts_ms"]]
    row.others += [ms / 1000 for ms in found["compared"]["starts_ms"]]
    empty = statistics.median(found["empty_starts_ms"])
    row.notes.append(
        f"Python and AWS's client alone {empty:.0f} ms; page cache {found['page_cache']}"
    )
    return row


ROWS: dict[str, Callable[[Path], Row]] = {
    "cold": cold,
    "edit": edit,
    "pin": pin,
    "ten": ten,
    "thousand": thousand,
    "one": one_of_thousand,
    "restore": restore,
    "store": store,
    "clone": clone,
    "packs": packs,
    "twenty": twenty,
    "nothing": nothing,
    "upgrade": upgrade,
    "plan": plan,
    "remote": remote,
    "fifty": fifty,
    "revert": revert,
    "watch": watch,
    "complete": complete,
    "farm": farm,
    "import_pandas": functools.partial(_imports, package="pandas", target=0.6),
    "import_boto3": functools.partial(_imports, package="boto3", target=0.6),
    "import_sqlalchemy": functools.partial(_imports, package="sqlalchemy", target=0.6),
    "init_pandas": functools.partial(_inits, package="pandas", target=0.6),
    "init_boto3": functools.partial(_inits, package="boto3", target=0.6),
    "init_sqlalchemy": functools.partial(_inits, package="sqlalchemy", target=0.6),
}


def shown(row: Row) -> str:
    """Return a row as a line of a Markdown table."""
    ours, others = statistics.median(row.ours), statistics.median(row.others)
    spread = f"{min(row.ours):.2f}-{max(row.ours):.2f}"
    verdict = "missed" if row.missed else "met"
    notes = "; ".join(row.notes + row.failures)
    return (
        f"| {row.name} | {ours:.3f} s ({spread}) | {row.other}: {others:.3f} s "
        f"| {row.ratio:.3f} | <= {row.target} | {verdict} | {notes} |"
    )


def main() -> int:
    """Run the requested rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(ROWS)}; default: all")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    parser.add_argument("--sam", action="store_true", help="compare with sam build, too")
    options = parser.parse_args()
    if unknown := set(options.rows) - ROWS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    run([sys.executable, "-m", "compileall", "-q", str(ROOT / "buildlib")], ROOT)
    out = sys.stdout
    out.write("| work | ours | other | ratio | target | | notes |\n|---|---|---|---|---|---|---|\n")
    missed = False
    for name in options.rows or ROWS:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            row = ROWS[name](Path(folder))
            out.write(shown(row) + "\n")
            out.flush()
            missed = missed or row.missed
    if options.sam:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            for row in sam(Path(folder)):
                out.write(shown(row) + "\n")
                out.flush()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    out.write(f"\nLargest process of all: {peak} MB.\n")
    return int(missed and options.check)


if __name__ == "__main__":
    sys.exit(main())
