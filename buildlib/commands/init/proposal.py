"""The proposal: what was found, as a lambdas.yaml that can be built, and what it leaves open."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from buildlib.commands.init import candidates, folders, templates, terraform
from buildlib.commands.init.candidates import Candidate
from buildlib.manifest import keys, reader

_PYTHON, _ARCHITECTURE = "3.13", "x86_64"


_PLAIN = re.compile(r"[A-Za-z_./][\w./-]*")


_WORDS = {"true", "false", "yes", "no", "on", "off", "null"}


_HEAD = """\
# The Lambda functions of this repository; see what `doit list --all` makes of them.
version: 1
"""


# What other tools lock; a requirements file can be exported from each.
_OTHERS = ("Pipfile", "poetry.lock", "pdm.lock", "uv.lock")


@dataclass
class Proposal:
    """A manifest, the functions in it, and what could not be known, each in a sentence."""

    text: str
    functions: list[Candidate]
    notes: list[str] = field(default_factory=list)


def make(root: Path) -> Proposal:
    """Look through a repository and propose a manifest; its text is empty if nothing was found.

    What is declared somewhere comes first; folders are looked at for the rest.
    """
    notes: list[str] = []
    declared = templates.find(root, notes) + terraform.find(root, notes)
    seen = folders.find(root)
    for function in declared:
        _complete(root, function, seen)
    functions: list[Candidate] = []
    for function in [*declared, *seen]:
        problem = _problem(root, function, functions)
        if problem is None:
            functions.append(function)
        elif problem:
            notes.append(f"{function.origin}: {problem}; it is left out")
            notes += [f"{function.origin}: {note}" for note in function.notes]
    _rename(functions)
    for function in functions:
        function.check()
        _check_code(root, function)
        notes += [f"lambda '{function.name}': {note}" for note in function.notes]
    notes += _others(root)
    functions.sort(key=lambda function: function.name)
    text = _text(functions) if functions else ""
    if text:
        reader.parse(root, text)
    return Proposal(text, functions, notes)


def _complete(root: Path, function: Candidate, seen: Iterable[Candidate]) -> None:
    """Fill in what is not known of a declared function from a folder of its name."""
    if function.source and (root / function.source).is_file():
        function.source = os.path.dirname(function.source) or "."
    alike = [one for one in seen if one.source and one.name == function.name]
    if function.source is None and len(alike) == 1:
        function.source = alike[0].source
        function.notes.append(f"{function.source} is proposed as its source, for its name")
    if function.handler is None:
        known = [one for one in seen if one.source == function.source]
        function.handler = known[0].handler if known else None


def _problem(root: Path, function: Candidate, functions: Iterable[Candidate]) -> str | None:
    """Return why a function is not proposed; empty if there is no need to say it."""
    runtime, source = function.runtime or "python", function.source
    if not runtime.startswith("python"):
        return f"it is for {runtime}, not Python"
    if source is None:
        return "its source is not known"
    if source == ".":
        return "its code is at the repository's root, with everything else; move it into a folder"
    if not (root / source).is_dir() or source.partition("/")[0] in {"build", "dist"}:
        return f"its source {source} is not a folder, or one for what is built"
    if function.handler is None or not re.fullmatch(keys.HANDLER, function.handler):
        return "its handler is not known"
    return _repeated(function, functions)


def _repeated(function: Candidate, functions: Iterable[Candidate]) -> str | None:
    """Return which other function is the same, or holds a folder that only looks like one."""
    folder = function.origin.startswith("the folder ")
    for other in functions:
        same = (other.source, other.handler) == (function.source, function.handler)
        if same or (folder and f"{function.source}/".startswith(f"{other.source}/")):
            return "" if folder else f"it is the same as {other.origin}"
    return None


def _rename(functions: list[Candidate]) -> None:
    """Give each function a name of its own, that no variant of another has."""
    used: set[str] = set()
    for function in functions:
        parent = Path(function.source or "").parent.name
        for candidate in (function.name, candidates.name(f"{parent}_{function.name}")):
            if candidate not in used:
                function.name = candidate
                break
        number = 2
        while function.name in used:
            function.name = f"{re.sub(r'_[0-9]+$', '', function.name)}_{number}"
            number += 1
        used.add(function.name)


def _check_code(root: Path, function: Candidate) -> None:
    source, wanted = root / str(function.source), str(function.handler)
    module, _, name = wanted.rpartition(".")
    stem = module.replace(".", "/")
    paths = (source / f"{stem}.py", source / stem / "__init__.py")
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        function.notes.append(f"there is no {stem}.py in {function.source}; correct 'handler'")
    elif not re.search(rf"\b{name}\b", path.read_text(encoding="utf-8", errors="replace")):
        function.notes.append(f"{stem}.py does not seem to define {name}; correct 'handler'")
    if function.requirements is None and not (source / "requirements.txt").exists():
        above = _above(root, str(function.source))
        if above:
            function.notes.append(
                f"it has no requirements.txt; if it needs {above}, say "
                f"'requirements: {os.path.relpath(above, function.source)}'"
            )


def _above(root: Path, source: str) -> str | None:
    """Return the nearest requirements.txt above a folder."""
    folder = os.path.dirname(source)
    while True:
        path = os.path.join(folder, "requirements.txt").replace(os.sep, "/")
        if (root / path).is_file():
            return path
        if not folder:
            return None
        folder = os.path.dirname(folder)


def _others(root: Path) -> list[str]:
    return [
        f"{name} is not read; export a requirements.txt for each function that needs one"
        for name in _OTHERS
        if (root / name).exists()
    ]


def _text(functions: list[Candidate]) -> str:
    # A runtime has to be named somewhere; an architecture that is not is x86_64 (AWS's default).
    python = _usual([one.python for one in functions if one.python] or [_PYTHON])
    architecture = _usual([one.architecture or _ARCHITECTURE for one in functions])
    lines = [_HEAD, "defaults:", f'  python: "{python}"', f"  architecture: {architecture}", ""]
    lines.append("lambdas:")
    for function in functions:
        lines += [f"  # {function.origin}", f"  {_yaml(function.name)}:"]
        if function.source != f"lambdas/{function.name}":
            lines.append(f"    source: {_yaml(str(function.source))}")
        lines.append(f"    handler: {_yaml(str(function.handler))}")
        if function.requirements:
            relative = os.path.relpath(function.requirements, function.source)
            lines.append(f"    requirements: {_yaml(relative.replace(os.sep, '/'))}")
        if (function.python or python) != python:
            lines.append(f'    python: "{function.python}"')
        if (function.architecture or _ARCHITECTURE) != architecture:
            lines.append(f"    architecture: {function.architecture or _ARCHITECTURE}")
        if function.include:
            lines.append(f"    include: [{', '.join(map(_yaml, function.include))}]")
    return "\n".join(lines) + "\n"


def _usual(values: Iterable[str]) -> str:
    """Return the most common of some values; of several the last, which is the newest Python."""
    counted = Counter(values)
    return max(counted, key=lambda value: (counted[value], value))


def _yaml(text: str) -> str:
    """Return a text as YAML; in quotes if it could be read as anything else."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)
