"""Find functions in Terraform: `aws_lambda_function`, and terraform-aws-modules/lambda."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from buildlib.commands.init import candidates
from buildlib.commands.init.candidates import Candidate
from buildlib.manifest import locations

_MODULE = re.compile(r"terraform-aws-modules/(terraform-aws-)?lambda\b")


_ARCHIVE = re.compile(r"data\.archive_file\.(\w+)")


# Arguments of the module's `source_path` that install dependencies.
_INSTALLS = {"poetry_install", "pip_requirements", "uv_install", "npm_requirements"}


Block = dict[str, Any]


def find_candidates(root: Path, notes: list[str], layers: list[str]) -> list[Candidate]:
    """Return the functions of all Terraform files, by their literal values.

    The folders of layers are added to `layers`, and unreadable files to `notes`.
    """
    functions: list[Candidate] = []
    for folder, names in candidates.source_folders(root):
        files = [name for name in names if name.endswith(".tf")]
        sources = {name: (root / folder / name).read_bytes() for name in files}
        if not any(b"lambda" in source for source in sources.values()):
            continue
        try:
            import hcl2  # an extra
        except ImportError:
            notes.append(
                "Terraform files were not read; to read them, pip install 'doit-lambda-zip[init]'"
            )
            break
        contents: dict[str, Block] = {}
        for name, source in sources.items():
            file = name if folder == "." else f"{folder}/{name}"
            try:
                contents[file] = hcl2.loads(source.decode("utf-8-sig"))
            except Exception as error:  # noqa: BLE001 - the parser documents no exceptions
                notes.append(f"{file}: cannot be read: {str(error).strip().splitlines()[0]}")
        known = _known(contents.values())
        contents = {file: _resolved(content, known) for file, content in contents.items()}
        archives = dict(_archives(contents))
        for file, content in contents.items():
            for label, block in _layer_blocks(content):
                place = _existing_path(root, folder, _path(block.get("source_path")))
                if place is None or place == "." or not (root / place).is_dir():
                    notes.append(f"{file}, module.{label}: a layer without a folder; skipped")
                    continue
                layers.append(place)
                name = candidates.valid_name(_literal(block.get("layer_name")) or label)
                layer = Candidate(name, f"{file}, module.{label}", source=place, is_layer=True)
                layer.layers = [candidates.layer_label(folder, label)]
                functions.append(layer)
            functions += _functions(root, folder, file, content, archives)
    return functions


_VALUE = re.compile(r"\$\{(var|local)\.(\w+)\}")


# Values that name values, and so on.
_DEPTH = 5


def _known(contents: Iterable[Block]) -> dict[str, str]:
    """Return the literal texts of a folder's locals, and of the defaults of its variables."""
    known: dict[str, str] = {}
    for content in contents:
        for outer in content.get("locals") or []:
            known |= {f"local.{n}": v for n, v in outer.items() if isinstance(v, str)}
        for outer in content.get("variable") or []:
            for name, block in outer.items():
                if isinstance(block, dict) and isinstance(block.get("default"), str):
                    known[f"var.{name.strip(chr(34))}"] = block["default"]
    return {name: value for name, value in known.items() if value.startswith('"')}


def _resolved(value: Any, known: dict[str, str]) -> Any:  # noqa: ANN401 - HCL's
    """Return a value with the known variables and locals in their places."""
    if isinstance(value, dict):
        return {key: _resolved(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, known) for inner in value]
    if isinstance(value, str):
        for _ in range(_DEPTH):
            if whole := _VALUE.fullmatch(value):
                value = known.get(f"{whole[1]}.{whole[2]}", value)
            elif value.startswith('"'):
                value = _VALUE.sub(lambda m: known.get(f"{m[1]}.{m[2]}", m[0]).strip('"'), value)
    return value


def _layer_blocks(content: Block) -> Iterator[tuple[str, Block]]:
    for _, label, block in _blocks(content, "module"):
        if _MODULE.search(str(block.get("source"))) and block.get("create_layer") is True:
            yield label, block


def _archives(contents: dict[str, Block]) -> Iterator[tuple[str, Block]]:
    for content in contents.values():
        for kind, name, block in _blocks(content, "data"):
            if kind == "archive_file":
                yield name, block


def _functions(
    root: Path, folder: str, file: str, content: Block, archives: dict[str, Block]
) -> Iterator[Candidate]:
    for kind, label, block in _blocks(content, "resource"):
        if kind == "aws_lambda_function" and block.get("package_type") != '"Image"':
            function = _candidate(f"{file}, {kind}.{label}", label, block)
            _set_source_from_archive(function, root, folder, block, archives)
            yield function
    for _, label, block in _blocks(content, "module"):
        is_layer = block.get("create_layer") is True or block.get("create_function") is False
        if _MODULE.search(str(block.get("source"))) and not is_layer:
            function = _candidate(f"{file}, module.{label}", label, block)
            _set_source_from_module(function, root, folder, block)
            yield function


def _blocks(content: Block, kind: str) -> Iterator[tuple[str, str, Block]]:
    """Yield the type, name and content of each block; a module's type is empty."""
    for outer in content.get(kind) or []:
        for first, inner in outer.items():
            if not isinstance(inner, dict):
                continue
            if kind == "module":
                yield "", first.strip('"'), inner
                continue
            for second, block in inner.items():
                if isinstance(block, dict):
                    yield first.strip('"'), second.strip('"'), block


def _candidate(origin: str, label: str, block: Block) -> Candidate:
    function_name = _literal(block.get("function_name"))
    function = Candidate(candidates.valid_name(function_name or label), origin)
    for key, field in (("handler", "handler"), ("runtime", "runtime")):
        value = _literal(block.get(key))
        setattr(function, field, value)
        if value is None and key in block:
            function.notes.append(f"its {key} {block[key]} is known only to Terraform")
    architectures = block.get("architectures")
    if isinstance(architectures, list) and architectures:
        function.architecture = _literal(architectures[0])
    if (function.architecture is None) and architectures:
        function.notes.append(f"its architectures {architectures} are known only to Terraform")
    if layers := block.get("layers"):
        every = layers if isinstance(layers, list) else [layers]
        own = [one for one in every if str(one).strip('"').startswith("${module.")]
        folder = os.path.dirname(origin.partition(",")[0]) or "."
        function.layers = [candidates.layer_label(folder, _layer(one)) for one in own]
        if others := [_layer(one) for one in every if one not in own]:
            function.notes.append(candidates.layers_note(others))
    return function


def _layer(value: object) -> str:
    """Return the name of a layer: that of an ARN, or of the resource or module it comes from."""
    text = str(value).strip('"').removeprefix("${").removesuffix("}")
    if ":layer:" in text:
        return text.split(":layer:")[1].partition(":")[0]
    parts = text.split(".")
    return parts[1] if len(parts) > 1 else text


def _set_source_from_archive(
    function: Candidate, root: Path, folder: str, block: Block, archives: dict[str, Block]
) -> None:
    """Set the source from the `archive_file` that the function deploys."""
    match = _ARCHIVE.search(str(block.get("filename")))
    same = (one for one in archives.values() if one.get("output_path") == block.get("filename"))
    archive = archives.get(match[1]) if match else next(same, None)
    if archive is not None:
        source_dir = _path(archive.get("source_dir"))
        if source_dir is None and (file := _path(archive.get("source_file"))):
            source_dir = file.rpartition("/")[0] or "."
        function.source = _existing_path(root, folder, source_dir)
    if function.source is None:
        package = block.get("filename") or block.get("s3_key") or block.get("image_uri")
        function.notes.append(f"its source is unknown: it deploys {package}")


def _set_source_from_module(function: Candidate, root: Path, folder: str, block: Block) -> None:
    """Set source and include from the module's `source_path`."""
    value = block.get("source_path")
    entries = value if isinstance(value, list) else [value]
    known = True
    for number, entry in enumerate(entries):
        details = entry if isinstance(entry, dict) else {"path": entry}
        path = _existing_path(root, folder, _path(details.get("path")))
        known &= path is not None
        if number == 0:
            function.source = path
        elif path:
            prefix = (_literal(details.get("prefix_in_zip")) or "").strip("/")
            # The module packs the contents of a folder.
            to = prefix or "."
            if (root / path).is_file():
                name = path.rpartition("/")[2]
                to = f"{prefix}/{name}" if prefix else ""
            function.include.append((path, to))
        asks = {"patterns", "commands", *(["prefix_in_zip"] if number == 0 else [])}
        if details.keys() & asks:
            function.notes.append("its source_path has patterns or commands; see 'exclude'")
        tools = sorted(details.keys() & _INSTALLS)
        if tools and path and not locations.default(root, path):
            function.notes.append(
                f"the module installs its dependencies by {', '.join(tools)}; here they come from "
                "the requirements or the lock in its source"
            )
    if not known:
        function.notes.append(f"its source is unknown: source_path = {value}")


def _existing_path(root: Path, folder: str, path: str | None) -> str | None:
    """Return a Terraform path relative to the root; it may be relative to its file or the root."""
    if path is None:
        return None
    return candidates.existing_path(root, folder, path) or candidates.existing_path(root, ".", path)


def _path(value: object) -> str | None:
    """Return a literal path, which may start with `${path.module}`, `.root` or `.cwd`."""
    if not isinstance(value, str):
        return None
    return _literal(re.sub(r"\$\{path\.(module|root|cwd)\}/?", "./", value))


def _literal(value: object) -> str | None:
    """Return the content of a string literal, which the reader leaves in quotes; else None."""
    if isinstance(value, str) and value.startswith('"') and "${" not in value:
        return value.strip('"')
    return None
