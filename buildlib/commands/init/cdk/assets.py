"""The code, runtime and layers in the properties of a construct."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from buildlib.commands.init.cdk.values import Here, Instance, Made, Name, Record, Unknown, Value

# Members of the library's classes; the name before may be of an import that is not read.
_RUNTIME = re.compile(r"([\w.]+\.)?Runtime\.PYTHON_(\d)_(\d+)")
_OTHER_RUNTIME = re.compile(r"([\w.]+\.)?Runtime\.([A-Z][A-Z0-9_]+)")
_ARCHITECTURE = re.compile(r"([\w.]+\.)?Architecture\.(ARM_64|X86_64)")


# Commands of a bundling that a build here replaces.
_USUAL = re.compile(
    r"(set -\w+|pip3? install [^&;|]*|(python3? -m )pip install [^&;|]*|"
    r"(cp|rsync) -\w+ \S+ \S+|mkdir -p \S+|bash|sh|/bin/\w+|-c|\s|&&|;)*"
)


class Properties:
    """The properties of a construct, by their names in lower case without underscores."""

    def __init__(self, made: Made) -> None:
        records = [one for one in made.arguments[2:] if isinstance(one, Record | Unknown | Made)]
        record = Record(made.keywords)
        record.is_open = made.keywords.is_open
        for one in records:
            record = record.merged(one.keywords if isinstance(one, Made) else one)
        self.is_open = record.is_open
        self._values = {key.replace("_", "").lower(): value for key, value in record.items()}

    def __getitem__(self, key: str) -> Value:
        """Return a property; None without it, `Unknown` if nothing says whether it is there."""
        missing = Unknown("computed properties") if self.is_open else None
        return self._values.get(key, missing)

    def get(self, key: str) -> Value:
        """Return a property; None if it is not in the text."""
        return self._values.get(key)

    def __iter__(self) -> Iterator[str]:
        """Yield the keys."""
        return iter(self._values)


class Asset(NamedTuple):
    """The code of a construct: a path of the program, or a `problem` with it.

    `is_image` tells whether it is a container image.
    """

    path: str = ""
    is_from_file: bool = False
    problem: str = ""
    is_image: bool = False
    options: Properties | None = None


_PROBLEMS = {
    "frominline": "its code is inside the program; move it into a folder",
    "frombucket": "its code is an object in S3, not in this repository",
    "frombucketv2": "its code is an object in S3, not in this repository",
    "fromcfnparameters": "its code is a parameter of the stack",
    "fromdockerbuild": "its code comes from a Dockerfile, which is not run; see 'install: docker'",
    "fromcustomcommand": "its code comes from a command, which is not run",
}
_NAMES = {"inlinecode": "frominline", "s3code": "frombucket", "inline": "frominline",
          "bucket": "frombucket", "assetcode": "fromasset", "asset": "fromasset"}  # fmt: skip
_IMAGES = {"fromassetimage", "fromecrimage", "assetimagecode", "ecrimagecode", "fromecr"}


def code(value: Value, key: str = "code") -> Asset:
    """Return the asset of a `code` or `entry`."""
    if isinstance(value, str):
        return Asset(value, isinstance(value, Here))
    if isinstance(value, Made):
        name = value.name.rpartition(".")[2].replace("_", "").lower()
        name = _NAMES.get(name, name)
        if name in _IMAGES:
            return Asset(problem="a container image, not a ZIP", is_image=True)
        if problem := _PROBLEMS.get(name):
            return Asset(problem=problem)
        if name == "fromasset":
            return _asset(value)
        return Asset(problem=f"its {key} comes from {value.name}, which is not read")
    return Asset(problem=unknown(key, value))


def _asset(made: Made) -> Asset:
    path = made.arguments[0] if made.arguments else made.keywords.get("path")
    if not isinstance(path, str):
        return Asset(problem=unknown("code", path))
    # The options are the second argument: `Properties` looks at those after the second.
    shifted = Made(made.name, (None, *made.arguments), made.keywords, made.file, made.line)
    return Asset(path, isinstance(path, Here), options=Properties(shifted))


def unknown(key: str, value: Value) -> str:
    """Return the note about a property that is not literal."""
    if value is None:
        return f"its {key} is not given"
    return f"its {key} ({described(value)}) is known only when CDK runs"


def described(value: Value) -> str:
    """Return a value for a message."""
    match value:
        case Unknown(text=text):
            return text
        case Name(dotted=dotted) | Made(name=dotted):
            return dotted.removeprefix("aws_cdk.aws_lambda.")
        case str():
            return value
    return "a value"


class Runtime(NamedTuple):
    """`python3.13`, or a name of another language; empty if it is unknown, with a `problem`."""

    name: str = ""
    problem: str = ""


def runtime(value: Value) -> Runtime:
    """Return the runtime of a function."""
    if isinstance(value, Made) and value.name.endswith(".Runtime"):
        name = next(iter(value.arguments), value.keywords.get("name"))
        return Runtime(name) if isinstance(name, str) else Runtime("", unknown("runtime", name))
    text = described(value)
    if match := _RUNTIME.fullmatch(text):
        return Runtime(f"python{match[2]}.{match[3]}")
    if isinstance(value, Made) and "latest" in text.lower() and "python" in text.lower():
        return Runtime("", "its runtime is the latest Python of CDK; choose one as 'python'")
    if match := _OTHER_RUNTIME.fullmatch(text):
        return Runtime(match[2])
    return Runtime("", unknown("runtime", value))


def architecture(value: Value) -> str | None:
    """Return an architecture; None if it is unknown."""
    match = _ARCHITECTURE.fullmatch(described(value))
    return {"ARM_64": "arm64", "X86_64": "x86_64"}[match[2]] if match else None


def made(value: Value) -> Made | None:
    """Return the construct that a value is."""
    found = value.made if isinstance(value, Instance) else value
    return found if isinstance(found, Made) else None


def notes(options: Properties | None) -> Iterator[str]:
    """Yield notes about options of an asset, or of the bundling of a PythonFunction."""
    if options is None:
        return
    excluded = [key for key in ("exclude", "assetexcludes") if options.get(key)]
    if excluded:
        value = options[excluded[0]]
        shown = ", ".join(map(described, value)) if isinstance(value, list) else described(value)
        yield f"its asset leaves out {shown}; translate that to 'exclude'"
    bundling = _nested(options.get("bundling"))
    if isinstance(bundling, Unknown):
        yield unknown("bundling", bundling)
    elif bundling is not None and not _USUAL.fullmatch(" ".join(command(options))):
        yield (
            "its bundling runs commands, which are not run here; its dependencies come from the "
            "requirements in its source, and 'install: docker' has 'setup' for other commands"
        )


def bundling(value: Value) -> Iterator[str]:
    """Yield notes about the bundling of a PythonFunction or PythonLayerVersion."""
    options = _nested(value)
    if isinstance(options, Unknown):
        yield unknown("bundling", options)
    elif options is not None:
        yield from notes(options)
        known = {"assetexcludes", "bundling", "assethash", "assethashtype", "platform"}
        if others := sorted(set(options) - known):
            yield f"its bundling has {', '.join(others)}, which are not read; see 'install: docker'"


def command(options: Properties | None) -> list[str]:
    """Return the literal texts of a bundling's command."""
    inner = _nested(options.get("bundling")) if options else None
    value = inner.get("command") if isinstance(inner, Properties) else None
    if not isinstance(value, list):
        return [] if value is None else ["?"]
    return [one if isinstance(one, str) else "?" for one in value]


def _nested(value: Value) -> "Properties | Unknown | None":
    if isinstance(value, Record):
        value = Made("", (None, None, value), Record(), "", 0)
    if value is None or isinstance(value, Unknown):
        return value
    return Properties(value) if isinstance(value, Made) else Unknown(described(value))
