"""Propose a lambdas.yaml that doit can build, and list its open questions."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from buildlib.commands.init import (
    candidates,
    connect,
    folders,
    frameworks,
    needs,
    templates,
    unread,
)
from buildlib.commands.init.candidates import Candidate
from buildlib.commands.init.cdk import constructs
from buildlib.commands.init.terraform import search as terraform
from buildlib.manifest import keys, locations, reader, schema

_PYTHON, _ARCHITECTURE = "3.13", "x86_64"


_PLAIN = re.compile(r"[A-Za-z_./][\w./-]*")


_WORDS = {"true", "false", "yes", "no", "on", "off", "null"}


_HEAD = f"""\
# yaml-language-server: $schema={schema.ID}
# The Lambda functions of this repository. Run `lambdas build` to build them.
version: 1
"""


_NO_SOURCE = "its source is unknown"


@dataclass
class Proposal:
    """A manifest, the functions in it, and its open questions, one sentence each."""

    text: str
    functions: list[Candidate]
    notes: list[str] = field(default_factory=list)


def propose(root: Path) -> Proposal:
    """Search a repository and propose a manifest; its text is empty if no function was found.

    Declarations come first; folders that look like functions fill the gaps.
    """
    notes: list[str] = []
    layers: list[str] = []
    declared = templates.find_candidates(root, notes, layers)
    declared += terraform.find_candidates(root, notes, layers)
    declared += constructs.find_candidates(root, notes, layers)
    declared += frameworks.find_candidates(root, notes)
    guessed = [
        function
        for function in folders.find_candidates(root)
        if not any(f"{function.source}/".startswith(f"{layer}/") for layer in layers)
    ]
    own_layers = [candidate for candidate in declared if candidate.is_layer]
    declared = [candidate for candidate in declared if not candidate.is_layer]
    unplaced = [function for function in declared if function.is_open]
    declared = [function for function in declared if not function.is_open]
    for function in declared:
        _complete(root, function, guessed)
    functions: list[Candidate] = []
    for function in [*declared, *guessed]:
        problem = _problem(root, function, functions)
        if problem is None:
            functions.append(function)
        elif problem == _NO_SOURCE and (function.runtime or function.architecture):
            unplaced.append(function)
        elif problem:
            notes.append(f"{function.origin}: {problem}; skipped")
            notes += [f"{function.origin}: {note}" for note in function.notes]
    _rename([*functions, *own_layers])
    notes += connect.connect(unplaced, [one for one in functions if one.is_guess])
    _name_layers(functions, own_layers)
    for function in functions:
        function.check()
        _check_code(root, function)
        notes += [f"lambda '{function.name}': {note}" for note in function.notes]
    notes += unread.notes(root, functions)
    functions.sort(key=lambda function: function.name)
    text = _manifest(functions, own_layers) if functions else ""
    if text:
        reader.parse(root, text)
    return Proposal(text, functions, notes)


def _complete(root: Path, function: Candidate, guessed: Iterable[Candidate]) -> None:
    """Fill in the unknown fields of a declared function from code that is near it."""
    if function.source and (root / function.source).is_file():
        function.source = os.path.dirname(function.source) or "."
    # Code of the same name in another part of the repository may be another team's.
    near = os.path.dirname(os.path.dirname(function.origin.partition(",")[0]))
    around = [other for other in guessed if f"{other.source}/".startswith(near)]
    namesakes = [other for other in around if other.name == function.name]
    same = [other for other in around if _module(other) == _module(function)]
    if function.source is None and len(same) == 1 and _module(function) not in candidates.USUAL:
        function.source = same[0].source
        why = f"it has the only module {_module(function)}"
        function.notes.append(f"{function.source} is a guess for its source: {why}")
    elif function.source is None and len(namesakes) == 1:
        function.source = _import_root(namesakes[0], function)
        function.notes.append(f"{function.source} is a guess for its source, by its name")
    if function.handler is None:
        same_source = [other for other in guessed if other.source == function.source]
        function.handler = same_source[0].handler if same_source else None
        if same_source:
            function.notes.append(f"its handler is a guess: its code defines {function.handler}")


def _import_root(guess: Candidate, function: Candidate) -> str | None:
    """Return the folder in which a function's handler is the module of a guess, if there is one."""
    stem, path = _module(function).replace(".", "/"), _path(guess)
    return path.removesuffix(stem).rstrip("/") or "." if path.endswith(stem) else guess.source


def _problem(root: Path, function: Candidate, functions: Iterable[Candidate]) -> str | None:
    """Return why a function cannot be proposed; None if it can, empty for a silent skip."""
    runtime, source = function.runtime or "python", function.source
    if not runtime.startswith("python"):
        return f"it is for {runtime}, not Python"
    if source is None:
        return _NO_SOURCE
    if not (root / source).is_dir() or source.partition("/")[0] in {"build", "dist"}:
        return f"its source {source} is not a folder, or is a folder for build output"
    if function.handler is None or not re.fullmatch(keys.HANDLER, function.handler):
        return "its handler is unknown"
    return _duplicate(function, functions)


def _module(function: Candidate) -> str:
    return str(function.handler).rpartition(".")[0]


def _duplicate(function: Candidate, functions: Iterable[Candidate]) -> str | None:
    """Return an error if `functions` already has this one; empty if this one was only guessed.

    A guess is a duplicate, too, if its code is below the source of a function that is declared.
    """
    path = _path(function)
    for other in functions:
        same = path == _path(other) and (other.runtime, other.architecture, other.handler) == (
            function.runtime,
            function.architecture,
            function.handler,
        )
        if function.is_guess:
            is_below = other.source == "." or f"{path}/".startswith(f"{other.source}/")
            if path == _path(other) or (is_below and not other.is_guess):
                return ""
        elif same:
            return f"it duplicates {other.origin}"
    return None


def _path(function: Candidate) -> str:
    """Return the path of a handler's module, without its suffix."""
    stem = _module(function).replace(".", "/")
    return stem if function.source == "." else f"{function.source}/{stem}"


def _rename(functions: list[Candidate]) -> None:
    """Make the names of the functions unique."""
    used: set[str] = set()
    for function in functions:
        parent = Path(function.source or "").parent.name
        for name in (function.name, candidates.valid_name(f"{parent}_{function.name}")):
            if name not in used:
                function.name = name
                break
        number = 2
        while function.name in used:
            function.name = f"{re.sub(r'_[0-9]+$', '', function.name)}_{number}"
            number += 1
        used.add(function.name)


def _check_code(root: Path, function: Candidate) -> None:
    source = root / str(function.source)
    module, _, name = str(function.handler).rpartition(".")
    stem = module.replace(".", "/")
    paths = (source / f"{stem}.py", source / stem / "__init__.py")
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        function.notes.append(f"{function.source} has no {stem}.py; correct 'handler'")
    elif not re.search(rf"\b{name}\b", path.read_text(encoding="utf-8", errors="replace")):
        function.notes.append(f"{stem}.py does not seem to define {name}; correct 'handler'")
    if function.requirements is None and not locations.default(root, str(function.source)):
        needs.complete(root, function)


def _name_layers(functions: Iterable[Candidate], layers: Iterable[Candidate]) -> None:
    """Put the names of layers in the place of their labels; note those that are not there."""
    names = {layer.layers[0]: layer.name for layer in layers}
    for function in functions:
        if missing := [label for label in function.layers if label not in names]:
            shown = (label.rpartition(", ")[2] for label in missing)
            function.notes.append(candidates.layers_note(shown))
        function.layers = [names[label] for label in function.layers if label in names]


def _layers_section(
    layers: Iterable[Candidate], functions: Sequence[Candidate], python: str, architecture: str
) -> Iterator[str]:
    """Yield the lines of the layers that functions use, for the targets of these."""
    for layer in layers:
        users = [function for function in functions if layer.name in function.layers]
        if not users:
            continue
        yield from (f"  # {layer.origin}", f"  {_yaml(layer.name)}:")
        if layer.include:
            yield "    include:"
            yield from (f"      - {{path: {_yaml(p)}, as: {_yaml(to)}}}" for p, to in layer.include)
            if requirements := layer.requirements:
                yield f"    requirements: {_yaml(requirements)}"
        else:
            yield f"    source: {_yaml(str(layer.source))}"
        pythons = sorted({function.python or python for function in users})
        if pythons != [python]:
            yield f"    python: [{', '.join(json.dumps(one) for one in pythons)}]"
        architectures = sorted({function.architecture or _ARCHITECTURE for function in users})
        if architectures != [architecture]:
            yield f"    architecture: [{', '.join(architectures)}]"


def _manifest(functions: list[Candidate], layers: Sequence[Candidate] = ()) -> str:
    # An undeclared runtime says nothing; an undeclared architecture is x86_64 (AWS's default).
    pythons = [function.python for function in functions if function.python]
    python = _most_common(pythons or [_PYTHON])
    architecture = _most_common([f.architecture or _ARCHITECTURE for f in functions])
    lines = [_HEAD, "defaults:", f'  python: "{python}"', f"  architecture: {architecture}", ""]
    if section := list(_layers_section(layers, functions, python, architecture)):
        lines += ["layers:", *section, ""]
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
        if function.layers:
            lines.append(f"    layers: [{', '.join(map(_yaml, function.layers))}]")
        if function.include:
            lines.append("    include:")
            for path, to in function.include:
                text = f"{{path: {_yaml(path)}, as: {_yaml(to)}}}" if to else _yaml(path)
                lines.append(f"      - {text}")
    return "\n".join(lines) + "\n"


def _most_common(values: Iterable[str]) -> str:
    """Return the most common value; on a tie the greatest, which is the newest Python."""
    counts = Counter(values)
    return max(counts, key=lambda value: (counts[value], value))


def _yaml(text: str) -> str:
    """Return a string as YAML, quoted if YAML could read it as anything else."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)
