"""Read `lambdas.yaml`: every key is a row of one table, every problem is reported at once.

The YAML is composed into nodes, never constructed: positions stay known, `python: 3.10` can be
told from `"3.10"`, tags build nothing, and an alias is looked at once for each place that uses it.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from buildlib import files, layout, variants
from buildlib.errors import BuildError, ManifestError
from buildlib.model import Docker, Function, Manifest
from buildlib.runtimes import ARCHITECTURES, RUNTIMES, UNZIPPED_LIMIT

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

NAME = r"[a-z0-9][a-z0-9_-]*"
NAME_RULE = "small letters, digits, '_' and '-', with a letter or a digit first"
HANDLER = r"[A-Za-z_][\w-]*([./][A-Za-z_][\w-]*)*\.[A-Za-z_]\w*"
IMAGE = r"[a-z0-9][A-Za-z0-9._:/-]*(@sha256:[0-9a-f]{64})?"
ENGINE = r"(unix|tcp|ssh|npipe|http|https)://\S+"
DISTRIBUTION = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
SIZE = r"[0-9]+([.][0-9]+)? ?(B|[kK]i?B|Mi?B)"
# As AWS counts: its 250 MB are 262,144,000 bytes.
_UNITS = {"B": 1, "K": 1 << 10, "M": 1 << 20}


class Key(NamedTuple):
    """A key of the manifest: how it is read, checked, documented and put into the JSON Schema.

    `many` allows a list; with `one` false only a list is allowed. `keys` makes it a mapping with
    these keys, `named` a mapping of names that match it to texts.
    """

    doc: str
    choices: tuple[str, ...] = ()
    pattern: str = ""
    many: bool = False
    one: bool = True
    boolean: bool = False
    size: bool = False  # bytes, or text such as "80 MB"
    rule: str = ""  # what `pattern` or `named` asks for, in words
    default: Any = None
    usual: str = ""  # what holds if there is none, in words; otherwise `default` says it
    shared: bool = False  # also allowed in `defaults`
    keys: "dict[str, Key] | None" = None
    named: str = ""


DOCKER_KEYS = {
    "image": Key(
        "The image; the runtime's Python must be on its PATH. 'doit lock' pins its digest in the "
        "lock, unless it is written here.",
        pattern=IMAGE,
        rule="an image's name, such as 'public.ecr.aws/lambda/python:3.13', also with '@sha256:'",
        usual="'public.ecr.aws/lambda/python:<version>', which is AWS's",
    ),
    "setup": Key(
        "Shell commands to run by '/bin/sh -ec' before the installation, as root, in the container "
        "only. What the compiler and the headers need is installed here.",
        many=True,
        default=(),
    ),
    "libraries": Key(
        "Files of the image, such as shared objects, to carry along in 'lib/' of the ZIP, by their "
        "own name and with the content that a link leads to. Lambda looks for libraries there.",
        pattern=r"/\S+[^/\s]",
        rule="the absolute path of a file in the image, such as /usr/lib64/libpq.so.5",
        many=True,
        one=False,
        default=(),
    ),
    "env": Key(
        "Names of environment variables that 'setup' and pip get as they are here; one that is not "
        "set here is not set there. Their values are in no key and no log.",
        pattern=r"[A-Za-z_][A-Za-z0-9_]*",
        rule="the name of an environment variable",
        many=True,
        one=False,
        default=(),
    ),
    "secrets": Key(
        "Files of this machine that the installation may read, by their name in the container; "
        "'netrc' and 'pip.conf' are what pip reads.",
        named=r"[A-Za-z0-9][A-Za-z0-9._-]*",
        rule="a file name of letters, digits, '.', '_' and '-'",
        default=(),
    ),
    "engine": Key(
        "The engine's address for an architecture, such as a builder of that architecture.",
        pattern=ENGINE,
        named="|".join(ARCHITECTURES),
        rule="an architecture and an address, such as 'arm64: ssh://user@host' or 'x86_64: tcp://...'",
        default=(),
        usual="'DOCKER_HOST', or docker's present context",
    ),
}
LAMBDA_KEYS = {
    "source": Key(
        "The function's folder, relative to the repository's root. All that is in it goes to the "
        "top of the ZIP, but for requirements, the lock, and what 'exclude' names.",
        usual="'lambdas/<name>'",
    ),
    "handler": Key(
        "What Lambda calls, as 'module.function'. That the module is in the ZIP and defines the "
        "function is checked, without running it.",
        usual="none: it must be given",
        pattern=HANDLER,
        rule="module.function, such as 'app.handler'",
        shared=True,
    ),
    "requirements": Key(
        "The requirements file, relative to 'source'. The lock is 'requirements.lock' in 'source'.",
        usual="'requirements.txt', if it is there",
    ),
    "python": Key(
        "The Python version of the runtime, in quotes; a list makes variants.",
        choices=tuple(RUNTIMES),
        many=True,
        default=("3.13",),
        shared=True,
    ),
    "architecture": Key(
        "The architecture of the runtime; a list makes variants.",
        choices=ARCHITECTURES,
        many=True,
        default=("x86_64",),
        shared=True,
    ),
    "install": Key(
        "How dependencies are installed: from wheels, without Docker, or by pip inside an image of "
        "the runtime, which can compile.",
        choices=("wheels", "docker"),
        default="wheels",
        shared=True,
    ),
    "allow_sdist": Key(
        "Distributions without a wheel that may be built from source on this machine. What comes "
        "out must be pure Python.",
        pattern=DISTRIBUTION,
        rule="the name of a distribution, such as 'docopt'",
        many=True,
        one=False,
        default=(),
        shared=True,
    ),
    "docker": Key(
        "Options of 'install: docker'. A key of a lambda replaces the same key of the defaults.",
        keys=DOCKER_KEYS,
        shared=True,
    ),
    "include": Key(
        "Files and folders from elsewhere in the repository, by their paths from its root; each "
        "lands at the top of the ZIP under its own name.",
        many=True,
        one=False,
        default=(),
    ),
    "exclude": Key(
        "Patterns as in a .gitignore, over the names in the ZIP: of the function, of what it "
        "includes and of its dependencies.",
        many=True,
        one=False,
        default=(),
        shared=True,
    ),
    "compression": Key(
        "How members are kept in the ZIP. One that deflate does not shrink is stored anyway.",
        choices=("deflate", "stored"),
        default="deflate",
        shared=True,
    ),
    "size_limit": Key(
        "What all files of the ZIP may have together: bytes, or text such as '80 MB', of 1,048,576 "
        "bytes each. More is an error.",
        usual="262,144,000 bytes, the most that Lambda takes",
        size=True,
        shared=True,
    ),
    "evidence": Key(
        "Also write 'dist/<id>.cdx.json', a bill of materials, and 'dist/<id>.intoto.json', what "
        "the ZIP was built from.",
        boolean=True,
        default=False,
        shared=True,
    ),
    "allow_secrets": Key(
        "Patterns as in a .gitignore, of files that may be in the ZIP though they look like "
        "credentials.",
        many=True,
        one=False,
        default=(),
        shared=True,
    ),
}
DEFAULT_KEYS = {name: key for name, key in LAMBDA_KEYS.items() if key.shared} | {
    "frozen": Key(
        "A missing or stale lock is an error on every machine, as it is with CI set.",
        boolean=True,
        default=False,
    ),
}
TOP_KEYS = ("version", "defaults", "lambdas")
_FROM_ROOT = "write its path from the folder of lambdas.yaml"
_VERSION = ("tag:yaml.org,2002:int", "1")

# Of lists in lists and the like; a valid manifest has four.
_DEPTH = 100
# Fewer levels than this cannot overflow the stack.
_DEEP = 2000


class _Entry(NamedTuple):
    """A key and its value in a mapping of the manifest."""

    key: yaml.Node
    value: yaml.Node


class _Reader:
    """One reading of a manifest; collects the problems that it meets."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[tuple[int, int, str]] = []

    def problem(self, node: yaml.Node, text: str) -> None:
        mark = node.start_mark
        self.problems.append((mark.line + 1, mark.column + 1, text))

    # -- YAML ------------------------------------------------------------------------------------

    def mapping(self, node: yaml.Node, what: str, known: Iterable[str] = ()) -> dict[str, _Entry]:
        """Return the entries of a mapping; with `known`, unknown keys are problems."""
        prefix = f"{what}: " if what else ""
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, f"{prefix}expected keys and values, found {_kind(node)}")
            return {}
        entries: dict[str, _Entry] = {}
        known = tuple(known)
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                self.problem(
                    key, f"{prefix}a key must be plain text (YAML's '<<' is not used here)"
                )
            elif key.value in entries:
                first = entries[key.value].key.start_mark.line + 1
                self.problem(
                    key, f"{prefix}key '{key.value}' is there twice, first in line {first}"
                )
            elif known and key.value not in known:
                self.problem(
                    key, f"{prefix}unknown key '{key.value}'; {_suggest(key.value, known)}"
                )
            else:
                entries[key.value] = _Entry(key, value)
        return entries

    def values(self, node: yaml.Node, key: Key, what: str) -> tuple[str, ...]:
        """Return the texts of a key that takes one or a list; problems give fewer of them."""
        nodes = [node]
        if isinstance(node, yaml.SequenceNode) and key.many:
            nodes = node.value
            if not nodes and key.one:
                self.problem(node, f"{what}: the list is empty")
        elif not key.one:
            self.problem(node, f"{what}: expected a list, found {_kind(node)}")
            return ()
        found: list[str] = []
        for item in nodes:
            text = self.text(item, key, what)
            if text is not None and text in found:
                self.problem(item, f"{what}: '{text}' is there twice")
            elif text is not None:
                found.append(text)
        return tuple(found)

    def text(self, node: yaml.Node, key: Key, what: str) -> str | None:
        """Return a scalar's text if it is what the key takes."""
        expected = f"expected {' or '.join(key.choices)}" if key.choices else "expected text"
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            if key.choices == tuple(RUNTIMES):
                expected = _quoted(node) or f"{expected}, in quotes"
            self.problem(node, f"{what}: {expected}, found {_kind(node)}")
            return None
        value = str(node.value)
        if key.choices and value not in key.choices:
            hint = "" if key.choices != tuple(RUNTIMES) else "; Lambda has no such Python runtime"
            self.problem(node, f"{what}: {expected}, found '{value}'{hint}")
            return None
        if not value.strip():
            self.problem(node, f"{what}: the text is empty")
            return None
        if key.pattern and not re.fullmatch(key.pattern, value):
            self.problem(node, f"{what}: '{value}' is not allowed; expected {key.rule}")
            return None
        return value

    # -- the manifest's parts --------------------------------------------------------------------

    def manifest(self, node: yaml.Node) -> Manifest:
        top = self.mapping(node, "", TOP_KEYS)
        if not isinstance(node, yaml.MappingNode):
            return Manifest((), frozen=False)
        if "version" not in top:
            self.problem(node, "missing key 'version'; write 'version: 1'")
        elif (top["version"].value.tag, top["version"].value.value) != _VERSION:
            self.problem(
                top["version"].value,
                "version: write 'version: 1', the only one there is so far",
            )
        defaults: dict[str, Any] = {}
        frozen = False
        if "defaults" in top:
            entries = self.mapping(top["defaults"].value, "defaults", DEFAULT_KEYS)
            if "frozen" in entries:
                frozen = self.boolean(entries.pop("frozen").value, "defaults: frozen")
            defaults = self.options(entries, "defaults")
        if "lambdas" not in top:
            self.problem(node, "missing key 'lambdas'; the functions are declared below it")
            return Manifest((), frozen)
        lambdas = self.mapping(top["lambdas"].value, "lambdas")
        if not lambdas and isinstance(top["lambdas"].value, yaml.MappingNode):
            self.problem(
                top["lambdas"].value,
                "lambdas: declare at least one, as 'api: {handler: app.handler}'",
            )
        functions = [self.function(name, entry, defaults) for name, entry in lambdas.items()]
        return Manifest(tuple(function for function in functions if function), frozen)

    def boolean(self, node: yaml.Node, what: str) -> bool:
        if node.tag != "tag:yaml.org,2002:bool":
            self.problem(node, f"{what}: expected true or false, found {_kind(node)}")
            return False
        return str(node.value).lower() in {"true", "yes", "on"}

    def size(self, node: yaml.Node, what: str) -> int | None:
        """Return a number of bytes, from 1 to what Lambda takes."""
        text = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        if node.tag == "tag:yaml.org,2002:int" and re.fullmatch("[0-9]+", text):
            size = int(text)
        elif node.tag == "tag:yaml.org,2002:str" and re.fullmatch(SIZE, text):
            number, unit = re.fullmatch(r"([0-9.]+) ?(.).*", text).groups()  # type: ignore[union-attr]
            size = int(float(number) * _UNITS[unit.upper()])
        else:
            self.problem(
                node, f"{what}: expected bytes, or text such as '80 MB', found {_kind(node)}"
            )
            return None
        if not 0 < size <= UNZIPPED_LIMIT:
            self.problem(
                node,
                f"{what}: expected from 1 to {UNZIPPED_LIMIT} bytes, which is what Lambda "
                f"takes, found {size}",
            )
            return None
        return size

    def options(
        self, entries: dict[str, _Entry], where: str, table: dict[str, Key] | None = None
    ) -> dict[str, Any]:
        """Return the values of the keys that are there, as the fields of a Function have them."""
        found: dict[str, Any] = {}
        for name, entry in entries.items():
            key = (table or LAMBDA_KEYS)[name]
            what = f"{where}: {name}"
            if key.keys:
                inner = self.mapping(entry.value, what, key.keys)
                found[name] = self.options(inner, what, key.keys)
            elif key.boolean:
                found[name] = self.boolean(entry.value, what)
            elif key.size:
                found[name] = self.size(entry.value, what)
            elif key.named:
                found[name] = self.names(entry.value, key, what)
            elif key.many:
                found[name] = self.values(entry.value, key, what)
            else:
                found[name] = self.text(entry.value, key, what)
        return found

    def names(self, node: yaml.Node, key: Key, what: str) -> tuple[tuple[str, str], ...]:
        """Return a mapping of free names to texts, sorted."""
        found = []
        for name, entry in self.mapping(node, what).items():
            if not re.fullmatch(key.named, name):
                self.problem(entry.key, f"{what}: '{name}' is not allowed; expected {key.rule}")
            elif (text := self.text(entry.value, key, f"{what}: {name}")) is not None:
                found.append((name, text))
        return tuple(sorted(found))

    def function(self, name: str, entry: _Entry, defaults: dict[str, Any]) -> Function | None:
        where = f"lambda '{name}'"
        if not re.fullmatch(NAME, name):
            self.problem(entry.key, f"{where}: the name is not allowed; expected {NAME_RULE}")
            return None
        entries = self.mapping(entry.value, where, LAMBDA_KEYS)
        if not isinstance(entry.value, yaml.MappingNode):
            return None
        problems = len(self.problems)
        options = {key: row.default for key, row in LAMBDA_KEYS.items()}
        own = self.options(entries, where)
        options |= defaults | own
        if options["handler"] is None and "handler" not in entries.keys() | defaults.keys():
            self.problem(
                entry.key, f"{where}: missing key 'handler', such as 'handler: app.handler'"
            )
        if options["install"] == "docker":
            options["docker"] = Docker(
                **((defaults.get("docker") or {}) | (own.get("docker") or {}))
            )
        elif "docker" in entries:
            self.problem(
                entries["docker"].key,
                f"{where}: 'docker' is only used with 'install: docker'; say that, or remove it",
            )
        else:
            options["docker"] = None
        if len(self.problems) > problems:
            return None
        return self.located(name, entries, entry.key, options)

    def located(
        self, name: str, entries: dict[str, _Entry], key: yaml.Node, options: dict[str, Any]
    ) -> Function | None:
        """Check the paths of a function, and make it."""
        where = f"lambda '{name}'"
        problems = len(self.problems)
        node = entries["source"].value if "source" in entries else key
        source = self.path(node, options["source"] or f"lambdas/{name}", f"{where}: source")
        if source is None:
            return None
        if not os.path.isdir(f"{self.root}/{source}"):
            hint = _FROM_ROOT if "source" in entries else "create it or say 'source:'"
            self.problem(node, f"{where}: the source folder '{source}' does not exist; {hint}")
        requirements = None
        if options["requirements"] is not None:
            node = entries["requirements"].value
            written = f"{source}/{options['requirements']}"
            requirements = self.path(node, written, f"{where}: requirements")
            if requirements and not (self.root / requirements).is_file():
                self.problem(
                    node,
                    f"{where}: the requirements file '{requirements}' does not exist; "
                    "write its path from the source folder",
                )
            elif requirements == f"{source}/requirements.lock":
                self.problem(
                    node, f"{where}: requirements '{requirements}' is where the lock is written"
                )
        elif os.path.isfile(f"{self.root}/{source}/requirements.txt"):
            requirements = f"{source}/requirements.txt"
        include = []
        nodes = getattr(entries["include"].value, "value", []) if "include" in entries else []
        for node, text in zip(nodes, options["include"], strict=False):
            path = self.path(node, text, f"{where}: include")
            if path and not (self.root / path).exists():
                self.problem(node, f"{where}: include '{path}' does not exist; {_FROM_ROOT}")
            include.append(path or "")
        if len(self.problems) > problems:
            return None
        return Function(
            name=name,
            handler=options["handler"],
            source=source,
            requirements=requirements,
            pythons=options["python"],
            architectures=options["architecture"],
            install=options["install"],
            include=tuple(include),
            exclude=options["exclude"],
            compression=options["compression"],
            allow_sdist=tuple(
                re.sub(r"[-_.]+", "-", name).lower() for name in options["allow_sdist"]
            ),
            docker=options["docker"],
            size_limit=options["size_limit"],
            evidence=options["evidence"],
            allow_secrets=options["allow_secrets"],
        )

    def path(self, node: yaml.Node, text: str, what: str) -> str | None:
        try:
            path = files.inside(self.root, text, what)
        except BuildError as error:
            self.problem(node, str(error))
            return None
        if problem := _holds_outputs(path):
            self.problem(node, f"{what} '{text}' {problem}")
            return None
        return path


def read(root: Path) -> Manifest:
    """Read and check the manifest in the folder `root`.

    Raises:
        ManifestError: with a line `lambdas.yaml:<line>:<column>: <problem>` for each problem.

    """
    name = layout.MANIFEST
    try:
        text = (root / name).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        msg = f"{name}: there is none in {root}; go to the folder that has it, or let "
        msg += "'python -m buildlib init' propose one"
        raise ManifestError(msg, "manifest-missing") from None
    except UnicodeDecodeError as error:
        msg = f"{name}: not UTF-8 at byte {error.start}; save it as UTF-8"
        raise ManifestError(msg, "manifest-syntax") from None
    return parse(root, text)


def parse(root: Path, text: str) -> Manifest:
    """Check a manifest with this text, for the folder `root`; raise as `read` does."""
    name = layout.MANIFEST
    reader = _Reader(root)
    manifest = Manifest((), frozen=False)
    try:
        _check_depth(text)
        node = yaml.compose(text, Loader=_LOADER)
        if node is None:
            msg = f"{name}: the file is empty; it needs 'version: 1' and 'lambdas:'"
            raise ManifestError(msg, "manifest-syntax")
        manifest = reader.manifest(node)
        _check_unique(reader, node, manifest)
    except yaml.MarkedYAMLError as error:
        raise ManifestError(_syntax(name, error, text), "manifest-syntax") from None
    except yaml.YAMLError as error:
        msg = f"{name}: not valid YAML: {error}"
        raise ManifestError(msg, "manifest-syntax") from None
    if reader.problems:
        lines = [
            f"{name}:{line}:{column}: {text}" for line, column, text in sorted(reader.problems)
        ]
        raise ManifestError("\n".join(lines), "manifest")
    return manifest


def _check_depth(text: str) -> None:
    """Refuse what is nested so deeply that composing it would overflow the stack (of C)."""
    # Each level costs a bracket, or a column of indentation at least for every two.
    if text.count("[") + text.count("{") + 2 * max(map(len, text.splitlines()), default=0) < _DEEP:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=event.start_mark)  # type: ignore[arg-type] # libyaml's


def _check_unique(reader: _Reader, node: yaml.Node, manifest: Manifest) -> None:
    """Two functions must not write one file: an artifact's name, or a lock."""
    keys = _lambda_nodes(node)
    ids: dict[str, str] = {}
    locks: dict[str, Function] = {}
    for function in manifest.functions:
        for name in {function.name, *(variant.id for variant in variants.of(function))}:
            other = ids.setdefault(name, function.name)
            if other != function.name:
                reader.problem(
                    keys[function.name],
                    f"lambda '{function.name}': '{name}' is also what lambda '{other}' makes; "
                    "rename one",
                )
        if function.lock:
            first = locks.setdefault(function.lock, function)
            if first.requirements != function.requirements:
                reader.problem(
                    keys[function.name],
                    f"lambda '{function.name}': its lock {function.lock} is also that of lambda "
                    f"'{first.name}', with other requirements; give it a source folder of its own",
                )


def _lambda_nodes(node: yaml.Node) -> dict[str, yaml.Node]:
    """Return where each lambda is declared; empty if the manifest has another shape."""
    entries = node.value if isinstance(node, yaml.MappingNode) else []
    lambdas = next((value for key, value in entries if key.value == "lambdas"), None)
    if not isinstance(lambdas, yaml.MappingNode):
        return {}
    return {key.value: key for key, _ in lambdas.value}


def _holds_outputs(path: str) -> str | None:
    """Return why a source cannot be there: what is built must not be an input of it."""
    top = path.partition("/")[0]
    if top == ".":
        return "is the whole repository, with what is built; name a folder in it"
    return f"is in {top}/, which is for what is built" if top in {"build", "dist"} else None


def _quoted(node: yaml.Node) -> str | None:
    """Return how to write a Python version that YAML took for a number, or None."""
    number = node.tag == "tag:yaml.org,2002:float" and re.fullmatch(r"\d+\.\d+", node.value)
    if not number:
        return None
    value = float(node.value)
    return f'write the version in quotes: "{node.value}" (YAML reads the number {value!r})'


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "keys and values"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    names = {"int": "the number", "float": "the number", "bool": "the boolean", "null": "nothing"}
    name = names.get(node.tag.rpartition(":")[2], "")
    return name if name == "nothing" else f"{name} {node.value}".strip()


def closest(text: str, known: Iterable[str]) -> str | None:
    """Return the known word that a mistyped one may stand for."""
    import difflib  # noqa: PLC0415 - only where something is wrong

    return next(iter(difflib.get_close_matches(text, list(known), n=1)), None)


def _suggest(text: str, known: tuple[str, ...]) -> str:
    close = closest(text, known)
    return f"did you mean '{close}'?" if close else f"allowed: {', '.join(known)}"


def _syntax(name: str, error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
    problem = error.problem or error.context
    lines = text.splitlines()
    if mark and mark.line < len(lines) and "\t" in lines[mark.line]:
        problem = f"{problem}; YAML does not allow tabs here, indent with spaces"
    began = error.context_mark
    if began and mark and began.line < mark.line and "scanning" in str(error.context):
        # A quote that is not closed is noticed at the end of the file only.
        what = str(error.context).removeprefix("while scanning ")
        problem = f"{problem}; {what} begins at {began.line + 1}:{began.column + 1}"
    return f"{where}: not valid YAML: {problem}"
