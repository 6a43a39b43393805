"""The functions that a manifest declares: their options, their paths and their unique names."""

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from buildlib.errors import BuildError
from buildlib.files import names
from buildlib.files.links import VERSION_CONTROL
from buildlib.manifest import cache, locations, variants
from buildlib.manifest.keys import (
    DEFAULT_KEYS,
    DEPLOYED_KEYS,
    DOCKER_KEYS,
    LAMBDA_KEYS,
    LAYER_KEYS,
    MOST_LAYERS,
    NAME,
    NAME_RULE,
    TOP_KEYS,
    Key,
)
from buildlib.manifest.nodes import Entry, Reader
from buildlib.model import LAYER_PREFIX, Cache, Docker, Function, Include, Pinned, Requires
from buildlib.runtimes import RUNTIMES
from buildlib.text import canonical_name, closest

_FROM_ROOT = "the path is relative to the folder of lambdas.yaml"
_VERSION = ("tag:yaml.org,2002:int", "1")


class Deployed(NamedTuple):
    """A layer that is not built here: the ARN of its version, and its modules."""

    arn: str
    provides: tuple[str, ...]


class Contents(NamedTuple):
    """The content of one manifest.

    `functions` are those without problems, each with the node of its name. `defaults` are the
    options of all functions, `manifests` the patterns of other manifests, with their nodes, and
    `deployed` the layers that are not built here, by name.
    """

    functions: tuple[tuple[Function, yaml.Node], ...] = ()
    frozen: bool = False
    defaults: Mapping[str, Any] = MappingProxyType({})
    manifests: tuple[tuple[str, yaml.Node], ...] = ()
    deployed: Mapping[str, Deployed] = MappingProxyType({})
    cache: Cache | None = None


def read_functions(
    reader: Reader, node: yaml.Node, inherited: Mapping[str, Any] | None = None
) -> Contents:
    """Return the content of the manifest in the node `node`.

    `inherited` are the defaults of the manifest that names this one; None for the root's.
    """
    known = tuple(key for key in TOP_KEYS if inherited is None or key not in _OF_THE_ROOT)
    top = reader.mapping(node, "", known)
    if not isinstance(node, yaml.MappingNode):
        return Contents()
    if "version" not in top:
        reader.problem(node, "missing key 'version'; write 'version: 1'")
    elif (top["version"].value.tag, top["version"].value.value) != _VERSION:
        reader.problem(
            top["version"].value,
            "version: unsupported; write 'version: 1', the only version so far",
        )
    defaults, frozen = _defaults(reader, top, inherited or {})
    manifests = tuple(_manifests(reader, top[_MANIFESTS])) if _MANIFESTS in top else ()
    layers, deployed = _layers(reader, top, defaults)
    remote = cache.read(reader, top["cache"]) if "cache" in top else None
    if "lambdas" not in top:
        if not manifests and "layers" not in top:
            reader.problem(node, "missing key 'lambdas'; declare the functions below it")
        return Contents(tuple(layers), frozen, defaults, manifests, deployed, remote)
    lambdas = _named(reader, top["lambdas"].value, "lambdas", "api: {handler: app.handler}")
    if not lambdas and isinstance(top["lambdas"].value, yaml.MappingNode):
        reader.problem(
            top["lambdas"].value,
            "lambdas: declare at least one function, such as 'api: {handler: app.handler}'",
        )
    functions = [
        (function, entry.key)
        for name, entry in lambdas.items()
        if (function := _function(reader, name, entry, defaults))
    ]
    return Contents((*layers, *functions), frozen, defaults, manifests, deployed, remote)


def _named(reader: Reader, node: yaml.Node, label: str, example: str) -> dict[str, Entry]:
    """Return the entries of `lambdas:` or `layers:` by name; a list is a problem."""
    if isinstance(node, yaml.SequenceNode):
        text = f"{label}: expected names as keys, such as '{example}', found a list; remove the '-'"
        reader.problem(node, text)
        return {}
    return reader.mapping(node, label)


def _defaults(
    reader: Reader, top: Mapping[str, Entry], inherited: Mapping[str, Any]
) -> tuple[dict[str, Any], bool]:
    """Return the options of all functions, and whether locks are frozen."""
    defaults = dict(inherited)
    if "defaults" not in top:
        return defaults, False
    entries = reader.mapping(top["defaults"].value, "defaults", DEFAULT_KEYS)
    frozen = False
    if "frozen" in entries:
        frozen = reader.boolean(entries.pop("frozen").value, "defaults: frozen")
    own = reader.options(entries, "defaults")
    if "docker" in own:
        own["docker"] = {**(defaults.get("docker") or {}), **own["docker"]}
    return defaults | own, frozen


def _layers(
    reader: Reader, top: Mapping[str, Entry], defaults: Mapping[str, Any]
) -> tuple[list[tuple[Function, yaml.Node]], dict[str, Deployed]]:
    """Return the layers to build, each with the node of its name, and those that are deployed."""
    layers: list[tuple[Function, yaml.Node]] = []
    deployed: dict[str, Deployed] = {}
    example = "shared: {requirements: shared.txt}"
    declared = _named(reader, top["layers"].value, "layers", example) if "layers" in top else {}
    for name, entry in declared.items():
        if _is_deployed(entry.value):
            label = f"layer '{name}'"
            entries = reader.mapping(entry.value, label, DEPLOYED_KEYS)
            values = reader.options(entries, label, DEPLOYED_KEYS)
            deployed[name] = Deployed(values.get("arn") or "", values.get("provides", ()))
        elif layer := _function(reader, name, entry, defaults, is_layer=True):
            layers.append((layer, entry.key))
    return layers, deployed


def _is_deployed(node: yaml.Node) -> bool:
    """Tell whether an entry of `layers:` is one that is not built here."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return any(key.value == "arn" for key, _ in pairs)


def with_deployed(function: Function, deployed: Mapping[str, Deployed]) -> Function:
    """Return a function with the ARNs of deployed layers in the place of their names.

    Imports of their modules are allowed.
    """
    named = [deployed[name] for name in function.layers if name in deployed]
    if not named:
        return function
    key = "allow_missing_imports"
    options = dict(function.options)
    modules = (*options.get(key, ()), *(module for one in named for module in one.provides))
    if modules:
        options[key] = tuple(dict.fromkeys(modules))
    return function._replace(
        layers=tuple(name for name in function.layers if name not in deployed),
        arns=tuple(one.arn for one in named),
        options=tuple(sorted(options.items())),
    )


# The key of the root's manifest that names others, and all that only the root's may have.
_MANIFESTS = "manifests"
_OF_THE_ROOT = (_MANIFESTS, "cache")


def _manifests(reader: Reader, entry: Entry) -> Iterator[tuple[str, yaml.Node]]:
    patterns = reader.values(entry.value, Key("", many=True, only_list=True), _MANIFESTS)
    nodes = getattr(entry.value, "value", [])
    for text, node in zip(patterns, nodes, strict=False):
        if _based(reader, node, text, _MANIFESTS) is not None:
            yield text, node


def _function(
    reader: Reader, name: str, entry: Entry, defaults: Mapping[str, Any], *, is_layer: bool = False
) -> Function | None:
    where = f"layer '{name}'" if is_layer else f"lambda '{name}'"
    if not re.fullmatch(NAME, name):
        reader.problem(entry.key, f"{where}: the name is not allowed; expected {NAME_RULE}")
        return None
    table = LAYER_KEYS if is_layer else LAMBDA_KEYS
    if name in table and not isinstance(entry.value, yaml.MappingNode):
        kind = "layer" if is_layer else "lambda"
        reader.problem(
            entry.key, f"'{name}' is a key of a {kind}; indent it below the {kind}'s name"
        )
        return None
    entries = reader.mapping(entry.value, where, table)
    if not isinstance(entry.value, yaml.MappingNode):
        return None
    problems = len(reader.problems)
    options = {key: row.default for key, row in LAMBDA_KEYS.items()}
    own = reader.options(entries, where)
    options |= {key: value for key, value in defaults.items() if key in table} | own
    if is_layer:
        options["handler"] = ""
    elif options["handler"] is None and "handler" not in entries.keys() | defaults.keys():
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
    _check_bytecode(reader, where, entries, entry.key, options)
    if len(reader.problems) > problems:
        return None
    return _located(reader, name, entries, entry.key, options | {"is_layer": is_layer})


def _check_bytecode(
    reader: Reader,
    where: str,
    entries: dict[str, Entry],
    key: yaml.Node,
    options: Mapping[str, Any],
) -> None:
    """Report keys about bytecode that contradict each other."""

    def at(name: str) -> yaml.Node:
        return entries[name].value if name in entries else key

    if options["sources"] is False and not options["bytecode"]:
        text = "'sources: false' requires 'bytecode: true'; add that, or remove 'sources'"
        reader.problem(at("sources"), f"{where}: {text}")
    versions = options["compiler"] or ()
    minors = [version.rpartition(".")[0] for version in versions]
    if twice := sorted({minor for minor in minors if minors.count(minor) > 1}):
        text = f"compiler: several versions of Python {', '.join(twice)}; name one of each"
        reader.problem(at("compiler"), f"{where}: {text}")
    for python in options["python"] or () if options["bytecode"] else ():
        if python in RUNTIMES and RUNTIMES[python].is_preview:
            text = f"no bytecode for Python {python}, whose format may change until its release"
            reader.problem(at("bytecode"), f"{where}: {text}")


def _located(
    reader: Reader, name: str, entries: dict[str, Entry], key: yaml.Node, options: dict[str, Any]
) -> Function | None:
    """Return a function with its paths; None if a path has a problem."""
    is_layer = options["is_layer"]
    where = f"layer '{name}'" if is_layer else f"lambda '{name}'"
    problems = len(reader.problems)
    node = entries["source"].value if "source" in entries else key
    usual = f"{'layers' if is_layer else 'lambdas'}/{name}"
    source = _based(reader, node, options["source"] or usual, f"{where}: source")
    if source is None:
        return None
    has_source = True
    if is_layer and "source" not in entries and not os.path.isdir(f"{reader.root}/{source}"):
        source, has_source = reader.base or ".", False
    module = ""
    if source.endswith(".py") and not os.path.isdir(f"{reader.root}/{source}"):
        source, module = os.path.dirname(source) or ".", os.path.basename(source)
    path = source if not module else os.path.join(source, module).removeprefix("./")
    if not reader.generated and not os.path.exists(f"{reader.root}/{path}"):
        hint = _FROM_ROOT if "source" in entries else "create it, or set 'source'"
        what = "file" if module else "folder"
        reader.problem(node, f"{where}: the source {what} '{path}' does not exist; {hint}")
    elif not module and os.path.isfile(f"{reader.root}/{source}"):
        reader.problem(node, f"{where}: the source '{source}' is neither a folder nor a .py file")
    requires = (
        _requires(reader, where, entries, options, source)
        if has_source or "requirements" in entries
        else None
    )
    located = {
        "source": source,
        "requirements": requires,
        "include": tuple(
            one._replace(to=f"{LAYER_PREFIX}{one.to}".rstrip("/")) if is_layer else one
            for one in _include(reader, where, entries, options["include"])
        ),
        "files": tuple(_files(reader, where, entries, options["files"], is_layer=is_layer)),
        "gitignore": (
            source == "." and has_source and not module
            if options["gitignore"] is None
            else options["gitignore"]
        ),
    }
    if is_layer and options["docker"] and options["docker"].libraries:
        node = entries["docker"].value if "docker" in entries else key
        text = "'docker.libraries' is for lambdas; put the files into lib/ of the layer's source"
        reader.problem(node, f"{where}: {text}")
    if len(reader.problems) > problems:
        return None
    sdists = tuple(map(canonical_name, options["allow_sdist"]))
    function = _make_function(name, options | located | {"allow_sdist": sdists})
    lockfile = locations.lockfile(reader.root, requires, source) if requires else None
    return function._replace(
        module=module, lockfile=lockfile, is_layer=is_layer, has_source=has_source
    )


def _requires(
    reader: Reader,
    where: str,
    entries: dict[str, Entry],
    options: Mapping[str, Any],
    source: str,
) -> Requires | None:
    """Return the files with the dependencies of a function; None without one."""
    given = options["requirements"]
    if given is None:
        found = locations.default(reader.root, source, options["allow_unread"])
        return Requires((found[0],)) if len(found) == 1 else None
    node = entries["requirements"].value
    label = f"{where}: requirements"
    paths = []
    for text in given.get("path") or ():
        near = f"{source}/{text}"
        far = posixpath.join(reader.base, text)
        is_far = not os.path.exists(f"{reader.root}/{near}") and (reader.root / far).is_file()
        path = _path(reader, node, far if is_far else near, label)
        if path is None:
            continue
        if problem := _no_requirements(reader, path):
            reader.problem(node, f"{where}: {problem}")
        paths.append(path)
    if not paths:
        if "path" not in given:
            reader.problem(node, f"{label}: missing key 'path', such as 'path: uv.lock'")
        return None
    locks = [path for path in paths if locations.is_lock(path)]
    if locks and len(paths) > 1:
        reader.problem(
            node, f"{label}: {locks[0]} is a lockfile; it must be the only file in 'requirements'"
        )
    package = canonical_name(given.get("package") or "")
    return Requires(
        tuple(paths), package, tuple(given.get("groups", ())), tuple(given.get("extras", ()))
    )


def _no_requirements(reader: Reader, path: str) -> str:
    """Return why a file cannot have the dependencies of a function; empty if it can."""
    if os.path.basename(path) == "requirements.lock":
        return (
            f"requirements '{path}' is the lockfile; name the requirements file that it comes from"
        )
    if not reader.generated and not (reader.root / path).is_file():
        return (
            f"the requirements file '{path}' does not exist; the path is relative to the source "
            "folder or to the folder of lambdas.yaml"
        )
    return ""


def _include(
    reader: Reader, where: str, entries: dict[str, Entry], given: Sequence[Mapping[str, Any]]
) -> Iterator[Include]:
    """Yield the included files and folders."""
    nodes = getattr(entries["include"].value, "value", []) if "include" in entries else []
    for node, values in zip(nodes, given, strict=False):
        label = f"{where}: include"
        if not (text := values.get("path")):
            if "path" not in values:
                reader.problem(node, f"{label}: missing key 'path', such as 'path: shared/common'")
            continue
        path = _based(reader, node, text, label)
        if path is None:
            continue
        if not reader.generated and not (reader.root / path).exists():
            reader.problem(node, f"{label} '{path}' does not exist; {_FROM_ROOT}")
        if path == ".":
            reader.problem(node, f"{label} '.': name the files and folders of the root to include")
        to = os.path.normpath(values.get("as") or os.path.basename(path)).replace(os.sep, "/")
        if to != "." and not names.is_below(to):
            reader.problem(node, f"{label}: as '{to}' leaves the ZIP; expected a path such as ecom")
        if to == "." and (reader.root / path).is_file():
            reader.problem(node, f"{label}: as '.' is for folders; a file needs a name in the ZIP")
        yield Include(path, "" if to == "." else to, tuple(values.get("only", ())))


def _files(
    reader: Reader,
    where: str,
    entries: dict[str, Entry],
    given: Sequence[Mapping[str, Any]],
    *,
    is_layer: bool,
) -> Iterator[Pinned]:
    """Yield the files of the web."""
    nodes = getattr(entries["files"].value, "value", []) if "files" in entries else []
    for node, values in zip(nodes, given, strict=False):
        label = f"{where}: files"
        if lacking := [key for key in ("url", "sha256") if key not in values]:
            reader.problem(node, f"{label}: missing key '{lacking[0]}'")
            continue
        if not values["url"] or not values["sha256"]:
            continue  # which is a problem already
        name = values["url"].partition("?")[0].rstrip("/").rpartition("/")[2]
        to = posixpath.normpath(values.get("as") or name)
        if not names.is_below(to):
            reader.problem(
                node, f"{label}: as '{to}' leaves the ZIP; expected a path such as bin/tool"
            )
        start = LAYER_PREFIX if is_layer and "as" not in values else ""
        yield Pinned(values["url"], values["sha256"], start + to, values.get("architecture", ""))


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
    for key, row in (LAYER_KEYS if function.is_layer else LAMBDA_KEYS).items():
        field = row.field or key
        value = getattr(function, field) if field in Function._fields else others.get(key)
        if value is not None and value != row.default:
            entry[key] = value
    if not function.has_source:
        entry.pop("source", None)
    if function.module:
        entry["source"] = function.within(function.module)
    if function.requires:
        paths = [os.path.relpath(path, function.source) for path in function.requires.paths]
        rest = {k: v for k, v in function.requires._asdict().items() if v and k != "paths"}
        entry["requirements"] = {"path": paths, **rest}
    if function.files:
        entry["files"] = [
            {"url": one.url, "sha256": one.sha256, "as": one.to}
            | ({"architecture": one.architecture} if one.architecture else {})
            for one in function.files
        ]
    if function.include:
        entry["include"] = [
            {"path": one.path, "as": one.to.removeprefix(function.prefix) or "."}
            | ({"only": one.only} if one.only else {})
            for one in function.include
        ]
    if function.docker:
        values = function.docker._asdict()
        entry["docker"] = {
            key: dict(values[key]) if row.named else values[key]
            for key, row in DOCKER_KEYS.items()
            if values[key]
        }
    return entry


def _based(reader: Reader, node: yaml.Node, text: str, label: str) -> str | None:
    """Return a path that is written relative to the manifest's folder, relative to the root."""
    absolute = text.startswith("/") or "\\" in text or text[1:2] == ":"  # which is a problem
    return _path(reader, node, text if absolute else posixpath.join(reader.base, text), label)


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
        return f"is in {min(hidden)}/, the folder of version control; move it elsewhere"
    return (
        f"is in {top}/, the folder for build output; move it elsewhere"
        if top in {"build", "dist"}
        else None
    )


def check_unique(found: Iterable[tuple[Reader, Function, yaml.Node]]) -> None:
    """Refuse two functions that would write the same artifact or the same lockfile."""
    found = list(found)
    ids: dict[str, str] = {}
    locks: dict[str, Function] = {}
    layers = tuple(function.name for _, function, _ in found if function.is_layer)
    for reader, function, node in found:
        where = function.title
        for layer in function.layers:
            if layer not in layers:
                close = closest(layer, layers)
                hint = f"did you mean '{close}'?" if close else "declare it below 'layers:'"
                reader.problem(node, f"{where}: layers: no layer '{layer}'; {hint}")
        count = len(function.layers) + len(function.arns)
        if count > MOST_LAYERS:
            text = f"{where}: layers: {count} layers; Lambda allows at most {MOST_LAYERS}"
            reader.problem(node, text)
        for name in {function.name, *(variant.id for variant in variants.expand(function))}:
            if name in ids:
                other = ids[name]
                text = f"{where}: the name '{name}' is also used by {other}; rename one"
                reader.problem(node, text)
        ids |= {variant.id: function.title for variant in variants.expand(function)}
        ids[function.name] = function.title
        if function.lockfile:
            first = locks.setdefault(function.lockfile, function)
            if first.requires != function.requires:
                reader.problem(
                    node,
                    f"{where}: it would share the lockfile {function.lockfile} with {first.title}, "
                    "which has other requirements; rename the requirements file of one of them",
                )
