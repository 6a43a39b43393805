"""The source of a function or layer in Terraform: the folder that its package is made from."""

import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from buildlib.commands.init import candidates
from buildlib.commands.init.candidates import Candidate
from buildlib.commands.init.hcl import paths
from buildlib.commands.init.hcl.elements import ANY
from buildlib.commands.init.hcl.modules import Module
from buildlib.commands.init.hcl.values import Index, Unknown
from buildlib.commands.init.terraform.blocks import Declared
from buildlib.manifest import locations

# Arguments of the module's `source_path` that install dependencies.
_INSTALLS = {"poetry_install", "pip_requirements", "uv_install", "npm_requirements"}


_OBJECTS = ("aws_s3_object", "aws_s3_bucket_object")


def place(module: Module, path: object) -> str | None:
    """Return a path that exists, relative to the repository's root; else None.

    A relative path is one of the working directory, which is that of the root module, or of the
    repository. A path with an unknown key is returned if some folder fits it.
    """
    if not isinstance(path, str):
        return None
    for folder in dict.fromkeys((module.start, ".", module.folder)):
        found = paths.relative(path, folder)
        if found is None:
            continue
        if ANY in found:
            if fitting(module.world.root, found):
                return found
        elif candidates.existing_path(module.world.root, ".", found):
            return found
    return None


def fitting(root: Path, pattern: str) -> dict[str, str]:
    """Return the folders and files that fit a path with an unknown key, by the key's value."""
    found: dict[str, str] = {}
    head, _, rest = pattern.partition(ANY)
    folder, prefix = head.rpartition("/")[0], head.rpartition("/")[2]
    suffix, slash, tail = rest.partition("/")
    expression = re.escape(f"{prefix}{ANY}{suffix}").replace(ANY, "(.+)", 1)
    try:
        names = sorted(os.listdir(root / folder))
    except OSError:
        return {}
    for name in names[:_MOST]:
        match = re.fullmatch(expression.replace(ANY, r"\1"), name)
        if match is None or name.startswith((".", "_")):
            continue
        path = posixpath.join(folder, name + slash + tail.replace(ANY, match[1]))
        if candidates.existing_path(root, ".", path):
            found[match[1]] = path
    return found


# Folders that are taken for elements of a block.
_MOST = 1_000


def set_source_of_resource(function: Candidate, declared: Declared) -> None:
    """Set the source from the archive or folder that a function or layer deploys."""
    archive = _archive(declared)
    problem = ""
    if archive is not None:
        name = "source_dir" if archive.block.attributes.get("source_dir") else "source_file"
        path = archive.text(name)
        function.source = place(archive.module, path)
        if name == "source_file" and function.source:
            function.source = posixpath.dirname(function.source) or "."
        if function.source is None:
            where = archive.block.place
            problem = archive.unknown(name) or f"its archive, {where}, packs no folder"
            if path is not None:
                problem = f"its archive, {where}, packs {path}, which does not exist"
        elif archive.value("excludes"):
            function.notes.append("its archive has 'excludes'; see 'exclude'")
    if function.source is None:
        shown = _deployed(declared)
        function.notes.append(problem or f"its source is unknown: it deploys {shown}")


def _deployed(declared: Declared) -> str:
    """Return the expression of a package, with its place and the cause if it is unknown."""
    for name in ("filename", "local_existing_package", "s3_key", "image_uri"):
        expression, value = declared.block.attributes.get(name), declared.value(name)
        if expression is None or value is None:
            continue
        is_told = isinstance(value, Unknown) and value.cause not in expression.text
        cause = f", where {value.cause}" if is_told else ""
        return f"{expression.text} ({expression.place}{cause})"
    return f"no package that its block names ({declared.block.place})"


# Arguments that name a package, or the hash of one.
_PACKAGES = ("filename", "local_existing_package", "s3_key", "source_code_hash")


# Arguments that name a package, or the hash of one.
_PACKAGES = ("filename", "local_existing_package", "s3_key", "source_code_hash")


def _archive(declared: Declared) -> Declared | None:
    """Return the `archive_file` that a function deploys, also by way of an object in a bucket."""
    for name in _PACKAGES:
        found = _archive_of(declared.module, declared.value(name), _text(declared, name))
        if found is not None:
            return found
    return None


def _text(declared: Declared, name: str) -> str:
    expression = declared.block.attributes.get(name)
    return expression.text if expression else ""


def _archive_of(module: Module, value: Any, text: str) -> Declared | None:  # noqa: ANN401 - HCL's
    if isinstance(value, Unknown):
        match value.path:
            case ("data", "archive_file", str(name), *rest) | ("archive_file", str(name), *rest):
                owner = value.owner if isinstance(value.owner, Module) else module
                return _element(owner, "archive_file", name, rest)
            case (kind, str(name), *rest) if kind in _OBJECTS:
                owner = value.owner if isinstance(value.owner, Module) else module
                stored = _element(owner, str(kind), name, rest)
                if stored is not None:
                    return _archive_of(owner, stored.value("source"), _text(stored, "source"))
        if value.path and value.path[0] != "var":
            return None
    elif not isinstance(value, str):
        return None
    return _same_path(module, value, text)


def _same_path(module: Module, value: Any, text: str) -> Declared | None:  # noqa: ANN401 - HCL's
    """Return the archive whose output has this path, or is written with the same text."""
    above: Module | None = module
    while above is not None:
        for archive, output in _outputs(above):
            if isinstance(value, str):
                is_same = output == _normal(module, value)
            else:
                is_same = above is module and _text(archive, "output_path") == text
            if is_same:
                return archive
        above = above.parent
    return None


def _outputs(module: Module) -> list[tuple[Declared, str | None]]:
    """Return the archives of a module, with the paths of their outputs as far as known."""
    if "outputs" not in module.memory:
        found = []
        for archive in _elements(module, "archive_file"):
            output = archive.text("output_path")
            found.append((archive, None if output is None else _normal(module, output)))
        module.memory["outputs"] = found
    outputs: list[tuple[Declared, str | None]] = module.memory["outputs"]
    return outputs


def _normal(module: Module, path: str) -> str:
    return paths.relative(path, module.start) or path


def _elements(module: Module, kind: str, name: str | None = None) -> Iterator[Declared]:
    for outer in ("data", "resource"):
        for block in module.of(outer, kind, *([name] if name else [])):
            for element in module.elements(block):
                yield Declared(module, block, element)


def _element(module: Module, kind: str, name: str, rest: list[Any]) -> Declared | None:
    """Return the element of a block that a reference names."""
    key = rest[0].key if rest and isinstance(rest[0], Index) else None
    name_of_all = f"{kind}.{name}"
    if name_of_all not in module.memory:
        every = _elements(module, kind, name)
        module.memory[name_of_all] = {one.element.key: one for one in every}
    found: dict[str | int | None, Declared] = module.memory[name_of_all]
    if key in found:
        return found[key]
    return next(iter(found.values())) if len(found) == 1 and key in {None, 0} else None


def set_source_of_module(function: Candidate, declared: Declared) -> None:
    """Set source and include from the community module's `source_path`."""
    value = declared.value("source_path")
    entries = value if isinstance(value, list) else [value]
    is_known = True
    for number, entry in enumerate(entries):
        details = entry if isinstance(entry, dict) else {"path": entry}
        path = place(declared.module, details.get("path"))
        is_known &= path is not None
        if number == 0:
            function.source = path
        elif path:
            prefix = details.get("prefix_in_zip")
            function.include.append((path, _inside(declared, path, prefix)))
        asks = {"patterns", "commands", *(["prefix_in_zip"] if number == 0 else [])}
        if details.keys() & asks:
            function.notes.append("its source_path has patterns or commands; see 'exclude'")
        tools = sorted(name for name in details.keys() & _INSTALLS if details[name])
        if tools and path and not locations.default(declared.module.world.root, path):
            function.notes.append(
                f"the module installs its dependencies by {', '.join(tools)}; here they come from "
                "the requirements or the lock in its source"
            )
    if not is_known:
        expression = declared.block.attributes.get("source_path")
        shown = expression.text if expression else "none"
        function.notes.append(
            declared.unknown("source_path") or f"its source is unknown: source_path = {shown}"
        )


def _inside(declared: Declared, path: str, prefix: object) -> str:
    """Return the path in the ZIP: the module packs the contents of a folder, or a file."""
    start = prefix.strip("/") if isinstance(prefix, str) else ""
    if not (declared.module.world.root / path).is_file():
        return start or "."
    name = posixpath.basename(path)
    return f"{start}/{name}" if start else ""
