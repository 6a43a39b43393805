"""Make candidates of the constructs of a CDK app: functions and layers in Python."""

import posixpath
import re
from pathlib import Path

from buildlib.commands.init import candidates
from buildlib.commands.init.candidates import Candidate
from buildlib.commands.init.cdk import assets
from buildlib.commands.init.cdk.assets import Asset, Properties
from buildlib.commands.init.cdk.evaluate import Evaluator, ExhaustedError
from buildlib.commands.init.cdk.sources import Sources
from buildlib.commands.init.cdk.values import Made, Unknown, Value
from buildlib.manifest import locations

_FUNCTION = re.compile(
    r"aws_cdk\.(aws_lambda\.(Function|SingletonFunction|FunctionProps)"
    r"|triggers\.TriggerFunction|aws_cloudfront\.experimental\.EdgeFunction)"
)
_PYTHON_FUNCTION = re.compile(r"aws_cdk\.aws_lambda_python(_alpha)?\.PythonFunction")
_LAYER = re.compile(r"aws_cdk\.aws_lambda(_python(_alpha)?\.Python|\.)LayerVersion")
_IMAGE = re.compile(r"aws_cdk\.aws_lambda\.DockerImageFunction")
_OTHER = re.compile(r"aws_cdk\.[\w.]+\.(NodejsFunction|GoFunction)")
_UNREAD = re.compile(r"aws_cdk\.aws_lambda\.CfnFunction|(?!aws_cdk\.).*\.PythonFunction")


def find_candidates(root: Path, notes: list[str], layers: list[str]) -> list[Candidate]:
    """Return the functions and layers of the CDK apps, by their literal values.

    The folders of layers are added to `layers`, and unreadable parts to `notes`.
    """
    sources = Sources(root, notes)
    evaluator = Evaluator(sources.load, sources.find)
    try:
        evaluator.run(sources.apps)
    except ExhaustedError:
        notes.append("the CDK app has too many statements; functions after them may be missing")
    if evaluator.is_cut:
        notes.append("the CDK app has calls that are nested too deep; functions may be missing")
    reading = _Reading(sources, notes)
    found = reading.candidates(evaluator.made)
    layers += [str(one.source) for one in found if one.is_layer]
    return found


class _Reading:
    """Reads the calls of one repository."""

    def __init__(self, sources: Sources, notes: list[str]) -> None:
        self.sources = sources
        self.notes = notes
        self._labels: dict[Made, str] = {}
        self._others: dict[tuple[str, int, str], str] = {}

    def candidates(self, calls: list[Made]) -> list[Candidate]:
        """Return the functions and layers of calls, each once."""
        found: dict[tuple[object, ...], Candidate] = {}
        labels: dict[int, list[str]] = {}
        for made in calls:
            one = self._candidate(made)
            if one is None:
                continue
            # A stack that an app makes twice has the same functions.
            place, values = (made.file, made.line), (one.source, one.handler, one.runtime)
            label = one.origin if one.source is None else ""
            used = () if one.is_layer else tuple(one.layers)
            key = (*place, *values, one.architecture, used, label, *one.notes)
            first = found.setdefault(key, one)
            labels.setdefault(id(first), []).append(_label(made))
            if first.is_layer:
                self._labels[made] = first.layers[0]
        for one in found.values():
            if shared := _shared(labels[id(one)]):
                one.name = _name(shared, is_layer=one.is_layer)
        if self._others:
            names = ", ".join(sorted(set(self._others.values())))
            number = f"{len(self._others)} function{'s' if len(self._others) > 1 else ''}"
            self.notes.append(f"{number} of the CDK app not for Python ({names}); skipped")
        return list(found.values())

    def _other(self, made: Made, runtime: str) -> None:
        self._others[made.file, made.line, _label(made)] = runtime

    def _candidate(self, made: Made) -> Candidate | None:
        if _FUNCTION.fullmatch(made.name):
            return self._function(made)
        if _PYTHON_FUNCTION.fullmatch(made.name):
            return self._python_function(made)
        if _LAYER.fullmatch(made.name):
            return self._layer(made)
        if _OTHER.fullmatch(made.name):
            self._other(made, made.name.rpartition(".")[2])
        elif _IMAGE.fullmatch(made.name):
            self._note(made, "a container image, not a ZIP; skipped")
        elif _UNREAD.fullmatch(made.name):
            self._note(made, f"{made.name} is not read; skipped")
        elif made.name.startswith("?") and self._is_python(made):
            self._note(made, f"'{made.name[1:]}' is from an import that is not read; skipped")
        return None

    def _note(self, made: Made, text: str) -> None:
        note = f"{_origin(made, _label(made))}: {text}"
        if note not in self.notes:
            self.notes.append(note)

    def _function(self, made: Made) -> Candidate | None:
        properties = Properties(made)
        runtime = assets.runtime(properties["runtime"])
        code = assets.code(properties["code"])
        if code.is_image or runtime.name == "FROM_IMAGE":
            self._note(made, "a container image, not a ZIP; skipped")
            return None
        if runtime.name and not runtime.name.startswith("python"):
            self._other(made, runtime.name)
            return None
        function = self._new(made, properties, code)
        if not runtime.name and function.source and not self._has_python(function.source):
            self._other(made, "an unknown runtime")
            return None
        handler = properties["handler"]
        if isinstance(handler, str):
            function.handler = handler
        else:
            function.notes.append(assets.unknown("handler", handler))
        function.notes += assets.notes(code.options)
        return function

    def _python_function(self, made: Made) -> Candidate:
        properties = Properties(made)
        function = self._new(made, properties, assets.code(properties["entry"], "entry"))
        index, handler = properties["index"], properties["handler"]
        index = "index.py" if index is None else index
        handler = "handler" if handler is None else handler
        if isinstance(index, str) and isinstance(handler, str):
            module = posixpath.normpath(index).removesuffix(".py").replace("/", ".")
            function.handler = f"{module}.{handler}"
        else:
            unknown = ("handler", handler) if isinstance(index, str) else ("index", index)
            function.notes.append(assets.unknown(*unknown))
        function.notes += assets.bundling(properties.get("bundling"))
        return function

    def _new(self, made: Made, properties: Properties, code: Asset) -> Candidate:
        """Return a function with all but its handler."""
        source = self._source(made, code)
        label = _label(made) or posixpath.basename(source.path or "") or made.owner
        function = Candidate(_name(label, is_layer=False), _origin(made, label), source.path)
        function.notes += source.notes
        runtime = assets.runtime(properties["runtime"])
        function.runtime = runtime.name or None
        function.notes += [runtime.problem] if runtime.problem else []
        if (value := properties.get("architecture")) is not None:
            function.architecture = assets.architecture(value)
            if function.architecture is None:
                function.notes.append(assets.unknown("architecture", value))
        self._set_layers(function, properties.get("layers"))
        if properties.is_open:
            function.notes.append("some of its properties are known only when CDK runs")
        return function

    def _source(self, made: Made, code: Asset) -> "_Source":
        """Return the folder of a construct's code."""
        if code.problem:
            return _Source(None, code.problem)
        path = self.sources.path(made.file, code.path, is_from_file=code.is_from_file)
        if path is None:
            return _Source(None, f"its code '{code.path}' is not in this repository")
        if not (self.sources.root / path).is_dir():
            return _Source(None, f"its code '{path}' is a file that something else builds")
        return _Source(path)

    def _set_layers(self, function: Candidate, value: Value) -> None:
        others = []
        for layer in value if isinstance(value, list) else [] if value is None else [value]:
            made = assets.made(layer)
            if made in self._labels:
                function.layers.append(self._labels[made])
            else:
                others.append(_layer_name(layer if made is None else made))
        if others:
            function.notes.append(candidates.layers_note(others))

    def _layer(self, made: Made) -> Candidate | None:
        properties = Properties(made)
        is_python = "_python" in made.name
        code = assets.code(properties["entry" if is_python else "code"], "entry")
        source = self._source(made, code)
        label = _label(made) or posixpath.basename(source.path or "") or made.owner
        if source.path in {None, "."}:
            text = "".join(source.notes) or "its folder is that of the repository"
            self._note(made, f"a layer that is not built: {text}")
            return None
        path = str(source.path)
        name = _name(label, is_layer=True)
        layer = Candidate(name, _origin(made, label), source=path, is_layer=True)
        layer.layers = [candidates.layer_label(f"{made.file}:{made.line}", f"{label} {path}")]
        moves = "/asset-output/python" in " ".join(assets.command(code.options))
        if is_python or moves:  # its bundling moves it below python/
            layer.include = [(path, ".")]
            found = locations.default(self.sources.root, path)
            layer.requirements = found[0] if len(found) == 1 else None
        options = properties.get("bundling")
        notes = assets.bundling(options) if is_python else assets.notes(code.options)
        for note in notes:
            self._note(made, note)
        return layer

    def _is_python(self, made: Made) -> bool:
        """Tell whether a construct of an unknown origin is for Python, by its name or runtime."""
        runtime = assets.runtime(Properties(made)["runtime"]).name
        return made.name.endswith("PythonFunction") or runtime.startswith("python")

    def _has_python(self, folder: str) -> bool:
        return any((self.sources.root / folder).glob("*.py"))


class _Source:
    """The path of a source, relative to the root, or the reason why it has none."""

    def __init__(self, path: str | None, note: str = "") -> None:
        self.path = path
        self.notes = [note] if note else []


def _label(made: Made) -> str:
    """Return the id of a construct; of one that is computed, the literal part."""
    keywords = [made.keywords[key] for key in ("construct_id", "id") if key in made.keywords]
    for value in (*made.arguments[1:2], *keywords):
        if isinstance(value, str):
            return value
        if isinstance(value, Unknown) and (known := value.known.strip("-_ ")):
            return known
    return ""


def _name(label: str, *, is_layer: bool) -> str:
    return candidates.valid_name((label.removesuffix("Layer") if is_layer else "") or label)


def _shared(labels: list[str]) -> str:
    """Return the words that the ids of one function in several stacks have in common."""
    words = [re.split(r"[-_ ]", label) for label in dict.fromkeys(labels)]
    if len(words) == 1:
        return ""
    return "-".join(word for word in words[0] if all(word in other for other in words))


def _origin(made: Made, label: str) -> str:
    return f"{made.file}:{made.line}, {label or made.owner or 'a function'}"


def _layer_name(value: Value) -> str:
    """Return a layer for a message: the name in its ARN, or the source text."""
    if isinstance(value, Made):
        for text in (*value.arguments, *value.keywords.values()):
            if isinstance(text, str) and ":layer:" in text:
                return text.split(":layer:")[1].partition(":")[0]
        return _label(value) or assets.described(value)
    return assets.described(value)
