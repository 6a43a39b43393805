"""Find functions in SAM and CloudFormation templates, and in serverless.yml."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from buildlib.commands.init import candidates
from buildlib.commands.init.candidates import Candidate

_SAM, _PLAIN = "AWS::Serverless::Function", "AWS::Lambda::Function"


_LAYERS = ("AWS::Serverless::LayerVersion", "AWS::Lambda::LayerVersion")


class _Reference(str):
    """The source text of a value that only AWS or the Serverless Framework can resolve."""

    __slots__ = ()


class _Loader(yaml.SafeLoader):
    """The safe loader, with CloudFormation's tags read as references."""


def _reference(_: yaml.SafeLoader, suffix: str, node: yaml.Node) -> _Reference:
    value = node.value if isinstance(node, yaml.ScalarNode) else "..."
    return _Reference(f"!{suffix} {value}")


_Loader.add_multi_constructor("!", _reference)


def find_candidates(root: Path, notes: list[str], layers: list[str]) -> list[Candidate]:
    """Return the functions of all templates; add unreadable files and layers to `notes`.

    The folders of layers are added to `layers`.
    """
    functions: list[Candidate] = []
    for folder, names in candidates.source_folders(root):
        for name in names:
            stem, _, suffix = name.rpartition(".")
            file = name if folder == "." else f"{folder}/{name}"
            is_service = stem.startswith("serverless") and suffix in {"yaml", "yml"}
            is_named = stem == "template" and suffix in {"yaml", "yml"}
            is_template = is_named or (suffix in _SUFFIXES and _declares(root / file))
            if not is_service and not is_template:
                continue
            content = _load(root, file, notes)
            if is_service and isinstance(content.get("functions"), dict):
                functions += _serverless(root, folder, file, content, notes)
            elif isinstance(content.get("Resources"), dict):
                own = list(_own_layers(root, folder, file, content, notes))
                layers += [str(layer.source) for layer in own]
                functions += [*own, *_template(root, folder, file, content, notes)]
    return functions


_SUFFIXES = frozenset({"yaml", "yml", "json", "template"})


# Bytes of the largest template that CloudFormation takes.
_LARGEST = 1_000_000


def _declares(path: Path) -> bool:
    """Tell whether a file declares functions, by its content."""
    try:
        content = path.read_bytes() if path.stat().st_size <= _LARGEST else b""
    except OSError:
        return False
    return b"AWS::Serverless::Function" in content or b"AWS::Lambda::Function" in content


# Values of the largest template that is read, with the values behind each alias.
_MANY = 200_000


def _values(value: object, known: dict[int, int]) -> int:
    """Return the number of values in a document; `known` has those of its parts, by id."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = _MANY + 1  # a part that contains itself
        items = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_values(item, known) for item in items)
    return known[id(value)]


def _load(root: Path, file: str, notes: list[str]) -> dict[str, Any]:
    try:
        content = (root / file).read_bytes()
        if file.endswith(".json"):  # tabs are no YAML
            content = json.loads(content)
        else:
            content = yaml.load(content, Loader=_Loader)  # noqa: S506 - a safe one
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        position = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        notes.append(f"{file}{position}: cannot be read: {reason}")
        return {}
    if _values(content, {}) > _MANY:
        notes.append(f"{file}: not read: with its aliases expanded it has more than {_MANY} values")
        return {}
    return content if isinstance(content, dict) else {}


def decoded(text: str) -> object:
    """Return the content of a YAML document, for Terraform's `yamldecode`.

    Raises:
        ValueError: it is no YAML, or has more values than are read.

    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if _values(content, {}) > _MANY:
        msg = f"with its aliases expanded it has more than {_MANY} values"
        raise ValueError(msg)
    return content


def _template(
    root: Path, folder: str, file: str, content: dict[str, Any], notes: list[str]
) -> Iterator[Candidate]:
    shared = _mapping(_mapping(content, "Globals"), "Function")
    parameters = _mapping(content, "Parameters")
    for label, resource in content["Resources"].items():
        kind = resource.get("Type") if isinstance(resource, dict) else None
        origin = f"{file}, {label}"
        if kind not in {_SAM, _PLAIN}:
            continue
        own = shared if kind == _SAM else {}
        merged = own | _mapping(resource, "Properties")
        merged |= _lists(own, resource)
        properties = {key: _resolve(value, parameters) for key, value in merged.items()}
        if properties.get("PackageType") == "Image":
            notes.append(f"{origin}: a container image, not a ZIP; skipped")
            continue
        function = _function(root, folder, origin, label, properties)
        function.notes += _unread(resource)
        names, others = _sorted_layers(merged.get("Layers"), content["Resources"])
        function.layers = [candidates.layer_label(file, name) for name in names]
        if others:
            function.notes.append(candidates.layers_note(map(_layer, others)))
        yield function


def _own_layers(
    root: Path, folder: str, file: str, content: dict[str, Any], notes: list[str]
) -> Iterator[Candidate]:
    """Yield the layers whose content is a folder of the repository."""
    for label, resource in content["Resources"].items():
        if not (isinstance(resource, dict) and resource.get("Type") in _LAYERS):
            continue
        properties = _mapping(resource, "Properties")
        place = properties.get("ContentUri", properties.get("Content"))
        path = candidates.existing_path(root, folder, place) if isinstance(place, str) else None
        if path in {None, "."} or not (root / str(path)).is_dir():
            notes.append(f"{file}, {label}: a layer whose content is not in this repository")
            continue
        name = candidates.valid_name(label.removesuffix("Layer") or label)
        layer = Candidate(name, f"{file}, {label}", source=path, is_layer=True)
        layer.layers = [candidates.layer_label(file, label)]
        if _mapping(resource, "Metadata").get("BuildMethod"):  # SAM moves it below python/
            layer.include = [(str(path), ".")]
            if (root / str(path) / "requirements.txt").is_file():
                layer.requirements = f"{path}/requirements.txt"
        yield layer


def _sorted_layers(value: object, resources: Mapping[str, Any]) -> tuple[list[str], list[object]]:
    """Return the labels of the layers in the same template, and the other layers."""
    names: list[str] = []
    others: list[object] = []
    for layer in value if isinstance(value, list) else [value] if value else []:
        label = _layer(layer)
        is_own = _mapping(dict(resources), label).get("Type") in _LAYERS
        if is_own:
            names.append(label)
        else:
            others.append(layer)
    return names, others


def _unread(resource: dict[str, Any]) -> Iterator[str]:
    """Yield a note about a program that makes a function's package."""
    method = _mapping(resource, "Metadata").get("BuildMethod")
    if isinstance(method, str) and not method.startswith("python"):
        yield (
            f"its BuildMethod is {method}, which is not run; its package has only the files of its "
            "source and its requirements"
        )


def _layer(value: object) -> str:
    """Return the name of a layer: of an ARN, or of the resource that a reference names."""
    text = str(value)
    if isinstance(value, dict) and len(value) == 1:
        text = str(*value.values())
    text = text.removeprefix("!Ref ").removeprefix("!Sub ")
    parts = text.split(":layer:")
    return parts[1].partition(":")[0] if len(parts) > 1 else text


def _lists(shared: dict[str, Any], resource: dict[str, Any]) -> dict[str, Any]:
    """Return the layers of a function, which SAM adds to those of `Globals`."""
    layers = [shared.get("Layers"), _mapping(resource, "Properties").get("Layers")]
    found = [layer for some in layers if isinstance(some, list) for layer in some]
    return {"Layers": found} if found else {}


def _function(
    root: Path, folder: str, origin: str, label: str, properties: dict[str, Any]
) -> Candidate:
    function = Candidate(candidates.valid_name(label), origin)
    function.handler = _literal(function, "Handler", properties.get("Handler"))
    function.runtime = _literal(function, "Runtime", properties.get("Runtime"))
    architectures = properties.get("Architectures") or []
    first = architectures[0] if isinstance(architectures, list) and architectures else None
    function.architecture = _literal(function, "Architectures", first)
    code = properties.get("CodeUri", properties.get("Code", "."))
    if "InlineCode" in properties or (isinstance(code, dict) and "ZipFile" in code):
        function.notes.append("its code is inside the template; move it into a folder")
    elif isinstance(code, str) and not isinstance(code, _Reference) and "://" not in code:
        function.source = candidates.existing_path(root, folder, code)
        if function.source is None:
            function.notes.append(f"its CodeUri '{code}' is not in this repository")
    else:
        function.notes.append("its CodeUri does not name a folder in this repository")
    return function


def _resolve(value: Any, parameters: dict[str, Any]) -> Any:  # noqa: ANN401 - YAML's
    """Return a property's value; replace a reference to a parameter by the parameter's default."""
    if isinstance(value, list):
        return [_resolve(element, parameters) for element in value]
    name = value.removeprefix("!Ref ") if isinstance(value, _Reference) else None
    if isinstance(value, dict) and set(value) == {"Ref"}:
        name = value["Ref"]
    parameter = parameters.get(name) if isinstance(name, str) else None
    default = parameter.get("Default") if isinstance(parameter, dict) else None
    if default is not None:
        return default
    return value if name is None else _Reference(str(value))


def _serverless(
    root: Path, folder: str, file: str, content: dict[str, Any], notes: list[str]
) -> Iterator[Candidate]:
    provider = _mapping(content, "provider")
    for label, declared in content["functions"].items():
        origin = f"{file}, {label}"
        if not isinstance(declared, dict) or "image" in declared:
            notes.append(f"{origin}: a container image, or declared in another file; skipped")
            continue
        runtime = declared.get("runtime", provider.get("runtime"))
        function = Candidate(candidates.valid_name(str(label)), origin)
        function.runtime = _literal(function, "runtime", runtime)
        architecture = declared.get("architecture", provider.get("architecture"))
        function.architecture = _literal(function, "architecture", architecture)
        handler = _literal(function, "handler", declared.get("handler"))
        module = declared.get("module")
        if isinstance(module, str) and "$" not in module:  # serverless-python-requirements' key
            function.source = candidates.existing_path(root, folder, module)
            function.handler = handler and handler.removeprefix(f"{module.strip('./')}/")
        elif handler:
            _set_source(function, root, folder, handler)
        service_requirements = candidates.existing_path(root, folder, "requirements.txt")
        if function.source and not (root / function.source / "requirements.txt").exists():
            function.requirements = service_requirements
        if layers := declared.get("layers", provider.get("layers")):
            names = map(_layer, layers if isinstance(layers, list) else [layers])
            function.notes.append(candidates.layers_note(names))
        packages = _mapping(declared, "package") | _mapping(content, "package")
        if packages.keys() & {"patterns", "include", "exclude"}:
            function.notes.append("its 'package' has patterns; translate them to 'exclude'")
        yield function


def _set_source(function: Candidate, root: Path, folder: str, handler: str) -> None:
    """Set source and handler from a handler that is a path relative to the service's folder."""
    path = handler.rpartition("/")[0]
    function.handler = handler
    # The Serverless Framework packs the whole service, and imports from its folder.
    function.source = folder if candidates.existing_path(root, folder, path or ".") else None


def _literal(function: Candidate, key: str, value: object) -> str | None:
    """Return a literal string; note any other value, and return None."""
    if value is None:
        return None
    if isinstance(value, str) and not isinstance(value, _Reference) and "${" not in value:
        return value
    function.notes.append(f"its {key} '{value}' is known only at deployment")
    return None


def _mapping(content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key)
    return value if isinstance(value, dict) else {}
