"""Read `lambdas.yaml` and report all of its problems at once, each with its position."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from buildlib import layout
from buildlib.errors import ManifestError
from buildlib.files import checkout
from buildlib.manifest.functions import Contents, check_unique, read_functions, with_deployed
from buildlib.manifest.nodes import LOADER, Reader
from buildlib.model import Manifest
from buildlib.text import megabytes

# Bytes; ten thousand functions of four lines have 1 MB. libyaml needs 6 s and 200 MB for the worst.
_LARGEST = 2 << 20


# Maximum nesting; a valid manifest needs four levels.
_DEPTH = 100


# Nesting below this depth cannot overflow the stack.
_DEEP = 2000


_MISNAMED = "lambdas.yml"


def read(root: Path, *, generated: bool = False) -> Manifest:
    """Read and check the manifest in the folder `root`.

    With `generated`, sources may be missing: other tasks may make them before they are read.

    Raises:
        ManifestError: with a line `lambdas.yaml:<line>:<column>: <problem>` for each problem.

    """
    return parse(root, _text(root, layout.MANIFEST), generated=generated)


def _text(root: Path, name: str) -> str:
    """Return the text of a manifest by its path below the root."""
    try:
        content = (root / name).read_bytes()
        if len(content) > _LARGEST:
            msg = (
                f"{name}: {megabytes(len(content))}, larger than the limit of "
                f"{megabytes(_LARGEST)}; list folders and patterns, not every file"
            )
            raise ManifestError(msg, "manifest")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise missing(root, name) from None
    except UnicodeDecodeError as error:
        msg = f"{name}: not UTF-8 at byte {error.start}; save it as UTF-8"
        raise ManifestError(msg, "manifest-syntax") from None


def missing(folder: Path, name: str = layout.MANIFEST) -> ManifestError:
    """Return the error for a manifest that does not exist."""
    if name != layout.MANIFEST:
        msg = f"{name}: not found, but '{layout.MANIFEST}' includes it; restore it"
    elif (folder / _MISNAMED).exists():
        msg = f"found {_MISNAMED} in {folder}, but no {name}; rename it to {name}"
    else:
        msg = (
            f"could not find {name} in {folder} or any parent directory; "
            "run 'lambdas init' to create one"
        )
    return ManifestError(msg, "manifest-missing")


def parse(root: Path, text: str, *, generated: bool = False) -> Manifest:
    """Read and check a manifest with the given text, for the folder `root`; raise like `read`."""
    readers = {layout.MANIFEST: Reader(root, generated=generated)}
    top = read_functions(readers[layout.MANIFEST], _composed(layout.MANIFEST, text))
    contents = {layout.MANIFEST: top}
    for name in _others(root, readers[layout.MANIFEST], top):
        readers[name] = Reader(root, base=name.rpartition("/")[0], generated=generated)
        node = _composed(name, _text(root, name))
        contents[name] = read_functions(readers[name], node, top.defaults)
    deployed = {name: one for some in contents.values() for name, one in some.deployed.items()}
    found = [
        (readers[name], with_deployed(function, deployed), node)
        for name, some in contents.items()
        for function, node in some.functions
    ]
    check_unique(found)
    lines = [
        f"{name}:{line}:{column}: {text}"
        for name, reader in readers.items()
        for line, column, text in sorted(reader.problems)
    ]
    if any(hint in line for line in lines for hint in _ABSENT) and checkout.is_sparse(root):
        lines.append(
            "This is a sparse checkout: add the missing folders with 'git sparse-checkout add "
            "<folder>', also for a single task, because all of the manifest is checked"
        )
    if lines:
        raise ManifestError("\n".join(lines), "manifest")
    functions = tuple(function for _, function, _ in found)
    is_frozen = any(some.frozen for some in contents.values())
    return Manifest(functions, is_frozen, tuple(contents), top.cache)


# Of problems that a sparse checkout has, and a complete one has not.
_ABSENT = ("does not exist", "no file matches")


def _composed(name: str, text: str) -> yaml.Node:
    try:
        _check_depth(text)
        node = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        raise ManifestError(_syntax(name, error, text), "manifest-syntax") from None
    except yaml.YAMLError as error:
        msg = f"{name}: not valid YAML: {error}"
        raise ManifestError(msg, "manifest-syntax") from None
    if node is None:
        msg = f"{name}: the file is empty; it needs 'version: 1' and 'lambdas:'"
        raise ManifestError(msg, "manifest-syntax")
    return node


def _others(root: Path, reader: Reader, top: Contents) -> Iterator[str]:
    """Yield the paths of the other manifests that the root's names, each once, sorted."""
    found: dict[str, None] = {}
    for pattern, node in top.manifests:
        paths = sorted(path for path in root.glob(pattern) if path.is_file())
        names = [path.relative_to(root).as_posix() for path in paths]
        found |= dict.fromkeys(name for name in names if name != layout.MANIFEST)
        if not names and not reader.generated:
            reader.problem(node, f"manifests: no file matches '{pattern}'; correct the pattern")
    yield from found


def _check_depth(text: str) -> None:
    """Refuse nesting so deep that composing it would overflow the C stack."""
    # Each level takes a bracket, or every two levels a column of indentation at least.
    if text.count("[") + text.count("{") + 2 * max(map(len, text.splitlines()), default=0) < _DEEP:
        return
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=event.start_mark)  # type: ignore[arg-type] # libyaml's


def _syntax(name: str, error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
    problem = error.problem or error.context
    lines = text.splitlines()
    if mark and mark.line < len(lines) and "\t" in lines[mark.line]:
        problem = f"{problem}; YAML does not allow tabs here, indent with spaces"
    elif "block mapping" in str(error.context) or "mapping values" in str(problem):
        problem = f"{problem}; check the indentation of this line and of the lines above it"
    begin = error.context_mark
    if begin and mark and begin.line < mark.line and "scanning" in str(error.context):
        # YAML reports an unclosed quote at the end of the file only.
        construct = str(error.context).removeprefix("while scanning ")
        problem = f"{problem}; {construct} begins at {begin.line + 1}:{begin.column + 1}"
    return f"{where}: not valid YAML: {problem}"
