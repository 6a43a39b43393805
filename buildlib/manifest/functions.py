"""The functions that a manifest declares: their options, their paths and their unique names."""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from buildlib.errors import BuildError
from buildlib.files import names
from buildlib.files.links import VERSION_CONTROL
from buildlib.manifest import variants
from buildlib.manifest.keys import DEFAULT_KEYS, DOCKER_KEYS, LAMBDA_KEYS, NAME, NAME_RULE, TOP_KEYS
from buildlib.manifest.nodes import Entry, Reader
from buildlib.model import Docker, Function, Manifest
from buildlib.text import canonical_name

_FROM_ROOT = "the path is relative to the folder of lambdas.yaml"
_VERSION = ("tag:yaml.org,2002:int", "1")


def read_functions(reader: Reader, node: yaml.Node) -> Manifest:
    """Return the manifest in the node `node`, without the functions that have problems."""
    top = reader.mapping(node, "", TOP_KEYS)
    if not isinstance(node, yaml.MappingNode):
        return Manifest((), frozen=False)
    if "version" not in top:
        reader.problem(node, "missing key 'version'; write 'version: 1'")
    elif (top["version"].value.tag, top["version"].value.value) != _VERSION:
        reader.problem(
            top["version"].value,
            "version: unsupported; write 'version: 1', the only version so far",
        )
    defaults: dict[str, Any] = {}
    frozen = False
    if "defaults" in top:
        entries = reader.mapping(top["defaults"].value, "defaults", DEFAULT_KEYS)
        if "frozen" in entries:
            frozen = reader.boolean(entries.pop("frozen").value, "defaults: frozen")
        defaults = reader.options(entries, "defaults")
    if "lambdas" not in top:
        reader.problem(node, "missing key 'lambdas'; declare the functions below it")
        return Manifest((), frozen)
    lambdas = reader.mapping(top["lambdas"].value, "lambdas")
    if not lambdas and isinstance(top["lambdas"].value, yaml.MappingNode):
        reader.problem(
            top["lambdas"].value,
            "lambdas: declare at least one function, such as 'api: {handler: app.handler}'",
        )
    functions = [_function(reader, name, entry, defaults) for name, entry in lambdas.items()]
    return Manifest(tuple(function for function in functions if function), frozen)


def _function(reader: Reader, name: str, entry: Entry, defaults: dict[str, Any]) -> Function | None:
    where = f"lambda '{name}'"
    if not re.fullmatch(NAME, name):
        reader.problem(entry.key, f"{where}: the name is not allowed; expected {NAME_RULE}")
        return None
    entries = reader.mapping(entry.value, where, LAMBDA_KEYS)
    if not isinstance(entry.value, yaml.MappingNode):
        return None
    problems = len(reader.problems)
    options = {key: row.default for key, row in LAMBDA_KEYS.items()}
    own = reader.options(entries, where)
    options |= defaults | own
    if options["handler"] is None and "handler" not in entries.keys() | defaults.keys():
        reader.problem(entry.key, f"{where}: missing key 'handler', such as 'handler: app.handler'")
    if options["install"] == "docker":
        options["docker"] = Docker(**((defaults.get("docker") or {}) | (own.get("docker") or {})))
    elif "docker" in entries:
        reader.problem(
            entries["docker"].key,
            f"{where}: 'docker' requires 'install: docker'; add that, or remove 'docker'",
        )
    else:
        options["docker"] = None
    if len(reader.problems) > problems:
        return None
    return _located(reader, name, entries, entry.key, options)


def _located(
    reader: Reader, name: str, entries: dict[str, Entry], key: yaml.Node, options: dict[str, Any]
) -> Function | None:
    """Return a function with its paths; None if a path has a problem."""
    where = f"lambda '{name}'"
    problems = len(reader.problems)
    node = entries["source"].value if "source" in entries else key
    source = _path(reader, node, options["source"] or f"lambdas/{name}", f"{where}: source")
    if source is None:
        return None
    if not reader.generated and not os.path.isdir(f"{reader.root}/{source}"):
        hint = _FROM_ROOT if "source" in entries else "create it, or set 'source'"
        reader.problem(node, f"{where}: the source folder '{source}' does not exist; {hint}")
    located = {
        "source": source,
        "requirements": _requirements(reader, where, entries, options["requirements"], source),
        "include": tuple(_include(reader, where, entries, options["include"])),
    }
    if len(reader.problems) > problems:
        return None
    sdists = tuple(map(canonical_name, options["allow_sdist"]))
    return _make_function(name, options | located | {"allow_sdist": sdists})


def _requirements(
    reader: Reader, where: str, entries: dict[str, Entry], text: str | None, source: str
) -> str | None:
    """Return the path of the requirements file; None without one."""
    if text is None:
        default = f"{source}/requirements.txt"
        return default if os.path.isfile(f"{reader.root}/{default}") else None
    node = entries["requirements"].value
    path = _path(reader, node, f"{source}/{text}", f"{where}: requirements")
    if path and not reader.generated and not (reader.root / path).is_file():
        reader.problem(
            node,
            f"{where}: the requirements file '{path}' does not exist; "
            "the path is relative to the source folder",
        )
    elif path == f"{source}/requirements.lock":
        reader.problem(
            node,
            f"{where}: requirements '{path}' is the path of the lockfile; "
            "name the requirements file",
        )
    return path


def _include(
    reader: Reader, where: str, entries: dict[str, Entry], texts: tuple[str, ...]
) -> Iterator[str]:
    """Yield the paths of the included files and folders."""
    nodes = getattr(entries["include"].value, "value", []) if "include" in entries else []
    for node, text in zip(nodes, texts, strict=False):
        path = _path(reader, node, text, f"{where}: include")
        if path and not reader.generated and not (reader.root / path).exists():
            reader.problem(node, f"{where}: include '{path}' does not exist; {_FROM_ROOT}")
        yield path or ""


def _make_function(name: str, options: Mapping[str, Any]) -> Function:
    """Return a function with the values of its keys.

    A key without a field in `Function` goes to `options`, unless it has its default value. Thus a
    new key changes only the recipes that use it.
    """
    fields, others = {}, []
    for key, row in LAMBDA_KEYS.items():
        value = options[key]
        if (field := row.field or key) in Function._fields:
            fields[field] = value
        elif value != row.default:
            others.append((key, value))
    return Function(name=name, options=tuple(sorted(others)), **fields)


def declaration(function: Function) -> dict[str, Any]:
    """Return the keys and values that declare a function, as the manifest would."""
    others = dict(function.options)
    entry: dict[str, Any] = {}
    for key, row in LAMBDA_KEYS.items():
        field = row.field or key
        value = getattr(function, field) if field in Function._fields else others.get(key)
        if value is not None and value != row.default:
            entry[key] = value
    if function.requirements:
        entry["requirements"] = os.path.relpath(function.requirements, function.source)
    if function.docker:
        values = function.docker._asdict()
        entry["docker"] = {
            key: dict(values[key]) if row.named else values[key]
            for key, row in DOCKER_KEYS.items()
            if values[key]
        }
    return entry


def _path(reader: Reader, node: yaml.Node, text: str, label: str) -> str | None:
    try:
        path = names.relative_inside(reader.root, text, label)
    except BuildError as error:
        reader.problem(node, str(error))
        return None
    if problem := _holds_outputs(path):
        reader.problem(node, f"{label} '{text}' {problem}")
        return None
    return path


def _holds_outputs(path: str) -> str | None:
    """Return the problem of a source that contains outputs: no build may be its own input."""
    top = path.partition("/")[0]
    if hidden := VERSION_CONTROL.intersection(path.split("/")):
        return f"is in {min(hidden)}/, which belongs to version control; move it elsewhere"
    if top == ".":
        return "is the whole repository, with build/ and dist/ in it; use a folder below it"
    return (
        f"is in {top}/, which is for outputs; move it elsewhere"
        if top in {"build", "dist"}
        else None
    )


def check_unique(reader: Reader, node: yaml.Node, manifest: Manifest) -> None:
    """Refuse two functions that would write the same artifact or the same lockfile."""
    keys = _lambda_nodes(node)
    ids: dict[str, str] = {}
    locks: dict[str, Function] = {}
    for function in manifest.functions:
        for name in {function.name, *(variant.id for variant in variants.expand(function))}:
            other = ids.setdefault(name, function.name)
            if other != function.name:
                reader.problem(
                    keys[function.name],
                    f"lambda '{function.name}': the name '{name}' is also used by lambda "
                    f"'{other}'; rename one",
                )
        if function.lockfile:
            first = locks.setdefault(function.lockfile, function)
            if first.requirements != function.requirements:
                reader.problem(
                    keys[function.name],
                    f"lambda '{function.name}': its lockfile {function.lockfile} is also the one "
                    f"of lambda '{first.name}', which has other requirements; give each its own "
                    "source folder",
                )


def _lambda_nodes(node: yaml.Node) -> dict[str, yaml.Node]:
    """Return the key node of each lambda; empty if the manifest has another shape."""
    entries = node.value if isinstance(node, yaml.MappingNode) else []
    lambdas = next((value for key, value in entries if key.value == "lambdas"), None)
    if not isinstance(lambdas, yaml.MappingNode):
        return {}
    return {key.value: key for key, _ in lambdas.value}
