"""Functions in Terraform: `aws_lambda_function`, and the module terraform-aws-modules/lambda."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from buildlib.commands.init import candidates
from buildlib.commands.init.candidates import Candidate

_MODULE = re.compile(r"terraform-aws-modules/(terraform-aws-)?lambda\b")


_ARCHIVE = re.compile(r"data\.archive_file\.(\w+)")


Block = dict[str, Any]


def find(root: Path, notes: list[str]) -> list[Candidate]:
    """Return the functions of all Terraform files, for their literal values only."""
    functions: list[Candidate] = []
    for folder, names in candidates.tree(root):
        files = [name for name in names if name.endswith(".tf")]
        texts = {name: (root / folder / name).read_bytes() for name in files}
        if not any(b"lambda" in text for text in texts.values()):
            continue
        try:
            import hcl2  # an extra
        except ImportError:
            notes.append(
                "Terraform files were not read; pip install 'doit-lambda-zip[init]' to have them"
            )
            break
        contents = {}
        for name, text in texts.items():
            shown = name if folder == "." else f"{folder}/{name}"
            try:
                contents[shown] = hcl2.loads(text.decode("utf-8-sig"))
            except Exception as error:  # noqa: BLE001 - whatever the parser of another raises
                notes.append(f"{shown} cannot be read: {str(error).strip().splitlines()[0]}")
        archives = dict(_archives(contents))
        for shown, content in contents.items():
            functions += _functions(root, folder, shown, content, archives)
    return functions


def _archives(contents: dict[str, Block]) -> Iterator[tuple[str, Block]]:
    for content in contents.values():
        for kind, name, block in _blocks(content, "data"):
            if kind == "archive_file":
                yield name, block


def _functions(
    root: Path, folder: str, shown: str, content: Block, archives: dict[str, Block]
) -> Iterator[Candidate]:
    for kind, label, block in _blocks(content, "resource"):
        if kind == "aws_lambda_function" and block.get("package_type") != '"Image"':
            function = _common(f"{shown}, {kind}.{label}", label, block)
            _archive(function, root, folder, block, archives)
            yield function
    for _, label, block in _blocks(content, "module"):
        if _MODULE.search(str(block.get("source"))) and block.get("create_function") is not False:
            function = _common(f"{shown}, module.{label}", label, block)
            _source_path(function, root, folder, block)
            yield function


def _blocks(content: Block, kind: str) -> Iterator[tuple[str, str, Block]]:
    """Yield type, name and content of each block; a module has no type."""
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


def _common(origin: str, label: str, block: Block) -> Candidate:
    named = _literal(block.get("function_name"))
    function = Candidate(candidates.name(named or label), origin)
    for key, field in (("handler", "handler"), ("runtime", "runtime")):
        value = _literal(block.get(key))
        setattr(function, field, value)
        if value is None and key in block:
            function.notes.append(f"its {key} is {block[key]}, which only Terraform knows")
    architectures = block.get("architectures")
    if isinstance(architectures, list) and architectures:
        function.architecture = _literal(architectures[0])
    if (function.architecture is None) and architectures:
        function.notes.append(f"its architectures are {architectures}, which only Terraform knows")
    return function


def _archive(
    function: Candidate, root: Path, folder: str, block: Block, archives: dict[str, Block]
) -> None:
    """Set the source from the archive that the function is made of."""
    match = _ARCHIVE.search(str(block.get("filename")))
    archive = archives.get(match[1]) if match else None
    if archive is not None:
        text = _path(archive.get("source_dir"))
        if text is None and (file := _path(archive.get("source_file"))):
            text = file.rpartition("/")[0] or "."
        function.source = _place(root, folder, text)
    if function.source is None:
        what = block.get("filename") or block.get("s3_key") or block.get("image_uri")
        function.notes.append(f"where its code is cannot be told from {what}")


def _source_path(function: Candidate, root: Path, folder: str, block: Block) -> None:
    """Set source and include from the module's `source_path`."""
    value = block.get("source_path")
    entries = value if isinstance(value, list) else [value]
    paths: list[str | None] = []
    for entry in entries:
        text = entry.get("path") if isinstance(entry, dict) else entry
        path = _place(root, folder, _path(text))
        prefix = _literal(entry.get("prefix_in_zip")) if isinstance(entry, dict) else None
        if paths and path and (root / path).is_dir() and prefix != Path(path).name:
            function.notes.append(
                f"the module packs what is in {path}, 'include' takes {Path(path).name}/ as it is: "
                "name what is in it instead"
            )
        paths.append(path)
        if isinstance(entry, dict) and entry.keys() & {"patterns", "commands", "prefix_in_zip"}:
            function.notes.append("its source_path has patterns or commands; see 'exclude'")
    function.source, *others = paths
    function.include = [path for path in others if path]
    if function.source is None or len(function.include) < len(others):
        function.notes.append(f"where its code is cannot be told from source_path = {value}")


def _place(root: Path, folder: str, text: str | None) -> str | None:
    """Return a path of Terraform relative to the root; it may be from there, or from its file."""
    if text is None:
        return None
    return candidates.located(root, folder, text) or candidates.located(root, ".", text)


def _path(value: object) -> str | None:
    """Return a path that is written out but for the folder of the module."""
    if not isinstance(value, str):
        return None
    text = re.sub(r"\$\{path\.(module|root|cwd)\}/?", "./", value)
    return _literal(text)


def _literal(value: object) -> str | None:
    """Return the text of a literal, which the reader leaves in quotes; None if it is none."""
    if isinstance(value, str) and value.startswith('"') and "${" not in value:
        return value.strip('"')
    return None
