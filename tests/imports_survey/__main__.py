"""Measure the check of imports: `python -m tests.imports_survey [packages] [tools] [whole]`.

Functions with real packages are built by the real doit in a temporary folder, which downloads some
hundred megabytes once; the ZIPs' handlers are then imported by this Python alone. For each set, the
output has the errors and warnings that are wrong (false alarms), and those that are right. The
packages are built twice: with their requirement, and without, where each must be found and named.
"""

import functools
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.imports_survey.packages import PACKAGES
from tests.imports_survey.tools import END, EXAMPLES, Example

_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


# Packages of this project's own environment, with many ways to import.
_WHOLE = (
    *(
        "botocore",
        "cryptography",
        "docutils",
        "flask",
        "jinja2",
        "packaging",
        "pygments",
        "requests",
    ),
    *("rich", "s3transfer", "sphinx", "urllib3", "werkzeug", "yaml"),
)


# Modules of the runtime, which are not there where the handlers are imported.
_RUNTIME = "boto3 botocore dateutil jmespath s3transfer six urllib3"


class Told(NamedTuple):
    """The missing names that a build finds, by function, and the distributions that it advises."""

    errors: dict[str, set[str]]
    warnings: dict[str, set[str]]
    advice: dict[str, str]


def build(examples: Mapping[str, Example], root: Path) -> Told:
    """Stage the functions in a new repository; return what the checks say."""
    lines = [f"version: 1\ndefaults:\n  python: '{_PYTHON}'\nlambdas:\n"]
    for name, example in examples.items():
        lines.append(f"  {name}:\n    handler: {example.handler}\n{example.more}")
        folder = root / "lambdas" / name
        files = dict(example.files)
        if example.requirements:
            files["requirements.txt"] = "".join(f"{line}\n" for line in example.requirements)
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
    (root / "lambdas.yaml").write_text("".join(lines))
    (root / "dodo.py").write_text("from buildlib.tasks import *\n")
    arguments = ["-m", "doit", "--continue", "stage"]
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    (root / "output.txt").write_text(output)
    return _told(output)


def _told(output: str) -> Told:
    told = Told({}, {}, {})
    for line in output.splitlines():
        found = re.match(r"lambdas/([\w-]+)/\S+:\d+: import of '([\w.]+)'(.*)", line)
        if found:
            told.errors.setdefault(found[1], set()).add(found[2])
            advice = re.search(r"; add (\S+) to ", found[3])
            told.advice.setdefault(found[1], advice[1] if advice else "")
        elif line.startswith("warning: ") and (found := re.search(r"import of '([\w.]+)'", line)):
            for name in re.findall(r"lambdas/([\w-]+)/", line):
                told.warnings.setdefault(name, set()).add(found[1])
    return told


def failed(examples: Mapping[str, Example], root: Path) -> Iterator[str]:
    """Yield the functions that a Python cannot import from their staged trees."""
    program = (
        "import importlib, sys, types\n"
        f"for name in '{_RUNTIME}'.split():\n"
        "    try: importlib.import_module(name)\n"
        "    except ImportError: pass\n"
        "sys.modules['snapshot_restore_py'] = stub = types.ModuleType('snapshot_restore_py')\n"
        "stub.__getattr__ = lambda name: name\n"
        "sys.path[:0] = [sys.argv[1]]\n"
        "importlib.import_module(sys.argv[2])\n"
    )
    for name, example in examples.items():
        module = example.handler.rpartition(".")[0].replace("/", ".")
        command = [sys.executable, "-c", program, str(root / "build/stage" / name), module]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
        if done.returncode:
            yield f"{name}: {done.stderr.strip().splitlines()[-1]}"


def packages() -> Iterator[str]:
    """Yield the figures of the packages."""
    examples = {
        f"uses-{name}": Example("app.lambda_handler", {"app.py": head + END}, (name,))
        for name, head in PACKAGES.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        told = build(examples, root)
        yield f"{len(examples)} packages with their requirement"
        yield f"  errors: {len(told.errors)} {told.errors or ''}"
        yield f"  warnings: {len(told.warnings)} {told.warnings or ''}"
        yield f"  handlers that do not import: {list(failed(examples, root))}"
    with tempfile.TemporaryDirectory() as folder:
        without = {name: one._replace(requirements=()) for name, one in examples.items()}
        told = build(without, Path(folder))
        provided = sorted(examples.keys() - told.errors.keys())
        named = {n for n, advice in told.advice.items() if f"uses-{_name(advice)}" == n}
        others = {n: told.advice[n] for n in sorted(told.errors.keys() - named)}
        yield f"{len(without)} packages without it"
        yield f"  found: {len(told.errors)}; the runtime has: {', '.join(provided)}"
        yield f"  the right distribution is named: {len(named)}; others: {others or 'none'}"


def _name(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def tools() -> Iterator[str]:
    """Yield the figures of the examples of tools."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        told = build(EXAMPLES, root)
        yield f"{len(EXAMPLES)} examples of tools"
        wrong, missed, right, warned = [], [], 0, 0
        for name, example in EXAMPLES.items():
            errors = {one.partition(".")[0] for one in told.errors.get(name, ())}
            warnings = {one.partition(".")[0] for one in told.warnings.get(name, ())}
            right += len(errors & example.missing)
            warned += len(warnings & example.missing)
            wrong += [f"{name}: {one}" for one in (errors | warnings) - example.missing]
            missed += [f"{name}: {one}" for one in example.missing - errors - warnings]
        yield f"  true finds: {right} errors, {warned} warnings"
        yield f"  false alarms: {len(wrong)} {wrong or ''}"
        yield f"  missed: {len(missed)} {missed or ''}"
        clean = {name: one for name, one in EXAMPLES.items() if not one.missing}
        yield f"  handlers that do not import: {list(failed(clean, root))}"


def whole() -> Iterator[str]:
    """Yield the figures of installed packages, each of whose modules is taken for a handler.

    A module that this Python imports must not be said to fail.
    """
    from buildlib.code import check, reader, resolve

    site = Path(sysconfig.get_path("purelib"))
    files = [path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()]
    read = functools.cache(lambda path: reader.read((site / path).read_bytes(), _PYTHON))
    wrong, right, modules = [], 0, 0
    for package in _WHOLE:
        own = [path for path in files if path.startswith(f"{package}/") and path.endswith(".py")]
        tree = resolve.tree(files, own, read, _PYTHON)
        for path in own:
            stem = path.removesuffix(".py")
            if stem.endswith("__main__") or not stem.replace("/", "_").isidentifier():
                continue
            modules += 1
            if any(one.is_certain for one in check.missing(tree, path, ()).missing):
                name = stem.replace("/", ".").removesuffix(".__init__")
                command = [sys.executable, "-c", f"import {name}"]
                done = subprocess.run(command, capture_output=True, check=False)
                right += done.returncode != 0
                wrong += [name] if done.returncode == 0 else []
    yield f"{modules} modules of {len(_WHOLE)} packages: {right} true finds"
    yield f"  false alarms: {len(wrong)} {wrong or ''}"


def main() -> None:
    """Print the figures of the sets that are named, by default of all."""
    sets = {"packages": packages, "tools": tools, "whole": whole}
    for name in sys.argv[1:] or sets:
        for line in sets[name]():
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
