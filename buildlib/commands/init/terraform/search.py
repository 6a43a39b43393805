"""Read the Terraform files of a repository, and find the functions of its root modules."""

import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from buildlib.commands.init import candidates
from buildlib.commands.init.candidates import Candidate
from buildlib.commands.init.hcl import files
from buildlib.commands.init.hcl.files import Block, HclError
from buildlib.commands.init.hcl.modules import Module, World
from buildlib.commands.init.terraform import functions, terragrunt

_LOCAL = re.compile(rb'\bsource\s*=\s*"(\.{1,2}/[^"$]*|\.{1,2})"')


# Files with values of variables that Terraform reads by itself.
_VALUES = re.compile(r"(.*\.auto|terraform)\.tfvars")


def find_candidates(root: Path, notes: list[str], layers: list[str]) -> list[Candidate]:
    """Return the functions of all Terraform files, as far as their values are known.

    A module that another one calls is read with the arguments of its calls. The folders of layers
    are added to `layers`, and unreadable files to `notes`.
    """
    sources = _sources(root, notes)
    try:
        parsed = {
            folder: _parsed(folder, some, notes) for folder, some in _relevant(sources).items()
        }
    except ImportError:
        notes.append(
            "Terraform files were not read; to read them, pip install 'doit-lambda-zip[init]'"
        )
        return []
    called = {target for folder in sources for target in _targets(folder, sources[folder])}
    found: list[Candidate] = []
    for folder, tops in parsed.items():
        module = Module(World(root, parsed, folder), folder)
        module.arguments = _values(module, tops)
        call = terragrunt.call(module, tops)
        if call is not None:
            found += functions.of_call(module, call, notes)
        if folder not in called:
            found += functions.find(module, notes)
        if module.world.budget.steps <= 0:
            notes.append(f"{folder}: its Terraform files are too large to be evaluated completely")
    layers += [str(one.source) for one in found if one.is_layer and one.source]
    return _merged(found, notes)


def _values(module: Module, tops: Iterable[Block]) -> dict[str, Any]:
    """Return the values of variables in the files that Terraform reads by itself."""
    found: dict[str, Any] = {}
    for top in sorted(tops, key=lambda top: (top.place.endswith(".auto.tfvars"), top.place)):
        if top.place.endswith(".tfvars"):
            found |= {name: module.evaluate(value) for name, value in top.attributes.items()}
    return found


def _merged(found: Iterable[Candidate], notes: list[str]) -> list[Candidate]:
    """Return the functions without those that another folder, such as an environment's, has too."""
    kept: dict[object, Candidate] = {}
    again: Counter[tuple[str, str]] = Counter()
    result = []
    for one in sorted(found, key=lambda one: one.is_off):
        key = (one.source, one.handler, *(() if one.is_off else (one.runtime, one.architecture)))
        first = kept.get(key)
        here = _folder(one)
        is_known = bool(one.source and one.handler and not one.is_layer)
        if is_known and one.is_off and key in kept:
            continue
        if is_known and first is not None and _folder(first) != here:
            again[here, _folder(first)] += 1
            continue
        if is_known:
            kept[key] = kept[one.source, one.handler] = one
        result.append(one)
    for (here, there), number in again.items():
        plural = "s" if number > 1 else ""
        notes.append(f"{here}: declares {number} function{plural} that {there} declares, too")
    return result


def _folder(one: Candidate) -> str:
    return os.path.dirname(one.origin.partition(",")[0]) or "."


def _sources(root: Path, notes: list[str]) -> dict[str, dict[str, bytes]]:
    """Return the Terraform files by folder and name."""
    found: dict[str, dict[str, bytes]] = {}
    for folder, names in candidates.source_folders(root):
        for name in names:
            if name.endswith(".tf") or name == terragrunt.NAME or _VALUES.fullmatch(name):
                try:
                    found.setdefault(folder, {})[name] = (root / folder / name).read_bytes()
                except OSError as error:
                    notes.append(f"{posixpath.normpath(f'{folder}/{name}')}: {error.strerror}")
    return found


def _relevant(sources: Mapping[str, dict[str, bytes]]) -> dict[str, dict[str, bytes]]:
    """Return the folders that say something about functions, or call modules that do."""
    found = {
        folder
        for folder, some in sources.items()
        if any(b"lambda" in content or b"handler" in content for content in some.values())
    }
    callers: dict[str, list[str]] = {}
    for folder, some in sources.items():
        for target in _targets(folder, some):
            callers.setdefault(target, []).append(folder)
    todo = list(found)
    while todo:
        for caller in callers.get(todo.pop(), []):
            if caller not in found:
                found.add(caller)
                todo.append(caller)
    return {folder: some for folder, some in sources.items() if folder in found}


def _targets(folder: str, some: Mapping[str, bytes]) -> set[str]:
    """Return the folders of the local modules that the files of a folder name."""
    found = set()
    for content in some.values():
        for match in _LOCAL.finditer(content):
            path = match[1].decode("utf-8", "replace").replace("//", "/")
            target = posixpath.normpath(posixpath.join(folder, path))
            if target != folder:
                found.add(target)
    return found


def _parsed(folder: str, some: Mapping[str, bytes], notes: list[str]) -> list[Block]:
    found = []
    for name, content in some.items():
        file = name if folder == "." else f"{folder}/{name}"
        try:
            found.append(files.read(file, content))
        except HclError as error:
            notes.append(f"{file}: cannot be read: {error}")
    return found
