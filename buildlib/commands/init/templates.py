"""Functions in SAM and CloudFormation templates, and in serverless.yml."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from buildlib.commands.init import candidates
from buildlib.commands.init.candidates import Candidate

_SAM, _PLAIN = "AWS::Serverless::Function", "AWS::Lambda::Function"


_LAYERS = ("AWS::Serverless::LayerVersion", "AWS::Lambda::LayerVersion")


class _Reference(str):
    """A value that only AWS or the Serverless Framework can know: as it is written."""

    __slots__ = ()


class _Loader(yaml.SafeLoader):
    """The safe loader, which takes CloudFormation's tags for references."""


def _tagged(_: yaml.SafeLoader, suffix: str, node: yaml.Node) -> _Reference:
    shown = node.value if isinstance(node, yaml.ScalarNode) else "..."
    return _Reference(f"!{suffix} {shown}")


_Loader.add_multi_constructor("!", _tagged)


def find(root: Path, notes: list[str]) -> list[Candidate]:
    """Return the functions of all templates; what is no function and cannot be read is noted."""
    functions: list[Candidate] = []
    for folder, names in candidates.tree(root):
        for name in names:
            stem, _, end = name.rpartition(".")
            if end not in {"yaml", "yml"} or stem not in {"template", "serverless"}:
                continue
            shown = name if folder == "." else f"{folder}/{name}"
            content = _read(root / shown, shown, notes)
            if stem == "serverless" and isinstance(content.get("functions"), dict):
                functions += _serverless(root, folder, shown, content, notes)
            elif isinstance(content.get("Resources"), dict):
                functions += _template(root, folder, shown, content, notes)
    return functions


def _read(path: Path, shown: str, notes: list[str]) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506 - it is a safe one
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        notes.append(f"{shown}{line} cannot be read: {reason}")
        return {}
    return content if isinstance(content, dict) else {}


def _template(
    root: Path, folder: str, shown: str, content: dict[str, Any], notes: list[str]
) -> Iterator[Candidate]:
    shared = _mapping(_mapping(content, "Globals"), "Function")
    parameters = _mapping(content, "Parameters")
    for label, resource in content["Resources"].items():
        kind = resource.get("Type") if isinstance(resource, dict) else None
        origin = f"{shown}, {label}"
        if kind in _LAYERS:
            notes.append(f"{origin} is a layer; layers are not proposed")
        if kind not in {_SAM, _PLAIN}:
            continue
        own = shared if kind == _SAM else {}
        merged = own | _mapping(resource, "Properties")
        properties = {key: _value(value, parameters) for key, value in merged.items()}
        if properties.get("PackageType") == "Image":
            notes.append(f"{origin} is a container image, not a ZIP; it is left out")
            continue
        yield _function(root, folder, origin, label, properties)


def _function(
    root: Path, folder: str, origin: str, label: str, properties: dict[str, Any]
) -> Candidate:
    function = Candidate(candidates.name(label), origin)
    function.handler = _literal(function, "Handler", properties.get("Handler"))
    function.runtime = _literal(function, "Runtime", properties.get("Runtime"))
    architectures = properties.get("Architectures") or []
    first = architectures[0] if isinstance(architectures, list) and architectures else None
    function.architecture = _literal(function, "Architectures", first)
    code = properties.get("CodeUri", properties.get("Code", "."))
    if "InlineCode" in properties or (isinstance(code, dict) and "ZipFile" in code):
        function.notes.append("its code is written in the template; move it into a folder")
    elif isinstance(code, str) and not isinstance(code, _Reference) and "://" not in code:
        function.source = candidates.located(root, folder, code)
        if function.source is None:
            function.notes.append(f"its CodeUri '{code}' is not in this repository")
    else:
        function.notes.append("where its code is cannot be told from its CodeUri")
    return function


def _value(value: Any, parameters: dict[str, Any]) -> Any:  # noqa: ANN401 - YAML's
    """Return a property; a reference to a parameter becomes the parameter's default."""
    if isinstance(value, list):
        return [_value(one, parameters) for one in value]
    name = value.removeprefix("!Ref ") if isinstance(value, _Reference) else None
    if isinstance(value, dict) and set(value) == {"Ref"}:
        name = value["Ref"]
    parameter = parameters.get(name) if isinstance(name, str) else None
    default = parameter.get("Default") if isinstance(parameter, dict) else None
    if default is not None:
        return default
    return value if name is None else _Reference(str(value))


def _serverless(
    root: Path, folder: str, shown: str, content: dict[str, Any], notes: list[str]
) -> Iterator[Candidate]:
    provider = _mapping(content, "provider")
    for label, declared in content["functions"].items():
        origin = f"{shown}, {label}"
        if not isinstance(declared, dict) or "image" in declared:
            notes.append(f"{origin} is a container image, or in another file; it is left out")
            continue
        runtime = declared.get("runtime", provider.get("runtime"))
        function = Candidate(candidates.name(str(label)), origin)
        function.runtime = _literal(function, "runtime", runtime)
        architecture = declared.get("architecture", provider.get("architecture"))
        function.architecture = _literal(function, "architecture", architecture)
        handler = _literal(function, "handler", declared.get("handler"))
        module = declared.get("module")
        if isinstance(module, str) and "$" not in module:  # of serverless-python-requirements
            function.source = candidates.located(root, folder, module)
            function.handler = handler and handler.removeprefix(f"{module.strip('./')}/")
        elif handler:
            _place(function, root, folder, handler)
        common = candidates.located(root, folder, "requirements.txt")
        if function.source and not (root / function.source / "requirements.txt").exists():
            function.requirements = common
        packages = _mapping(declared, "package") | _mapping(content, "package")
        if packages.keys() & {"patterns", "include", "exclude"}:
            function.notes.append("its 'package' has patterns; write them as 'exclude'")
        yield function


def _place(function: Candidate, root: Path, folder: str, handler: str) -> None:
    """Set source and handler from a handler that is a path from the service's folder."""
    path, _, module = handler.rpartition("/")
    function.handler = module
    function.source = candidates.located(root, folder, path or ".")
    if folder != "." and function.source:
        function.source, function.handler = folder, handler.replace("/", ".")
    elif path:
        function.notes.append(
            "the Serverless Framework packs the whole service, here it is the handler's folder; "
            "name what else the function imports in 'include'"
        )


def _literal(function: Candidate, key: str, value: object) -> str | None:
    """Return a text that is written out; another is noted."""
    if value is None:
        return None
    if isinstance(value, str) and not isinstance(value, _Reference) and "${" not in value:
        return value
    function.notes.append(f"its {key} is '{value}', which is known at deployment only")
    return None


def _mapping(content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key)
    return value if isinstance(value, dict) else {}
