"""Read `lambdas.yaml` and report all of its problems at once, each with its position."""

from pathlib import Path

import yaml

from buildlib import layout
from buildlib.errors import ManifestError
from buildlib.manifest.functions import check_unique, read_functions
from buildlib.manifest.nodes import LOADER, Reader
from buildlib.model import Manifest
from buildlib.text import megabytes

# Bytes; ten thousand functions of four lines have 1 MB. libyaml needs 6 s and 200 MB for the worst.
_LARGEST = 2 << 20


# Maximum nesting; a valid manifest needs four levels.
_DEPTH = 100


# Nesting below this depth cannot overflow the stack.
_DEEP = 2000


def read(root: Path, *, generated: bool = False) -> Manifest:
    """Read and check the manifest in the folder `root`.

    With `generated`, sources may be missing: other tasks may make them before they are read.

    Raises:
        ManifestError: with a line `lambdas.yaml:<line>:<column>: <problem>` for each problem.

    """
    name = layout.MANIFEST
    try:
        content = (root / name).read_bytes()
        if len(content) > _LARGEST:
            msg = (
                f"{name}: {megabytes(len(content))}, more than the limit of "
                f"{megabytes(_LARGEST)}; a manifest names folders and patterns, not each file"
            )
            raise ManifestError(msg, "manifest")
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        msg = (
            f"no {name} found in {root}; change to the folder that contains it, "
            "or run 'python -m buildlib init' to propose one"
        )
        raise ManifestError(msg, "manifest-missing") from None
    except UnicodeDecodeError as error:
        msg = f"{name}: not UTF-8 at byte {error.start}; save it as UTF-8"
        raise ManifestError(msg, "manifest-syntax") from None
    return parse(root, text, generated=generated)


def parse(root: Path, text: str, *, generated: bool = False) -> Manifest:
    """Read and check a manifest with the given text, for the folder `root`; raise like `read`."""
    name = layout.MANIFEST
    reader = Reader(root, generated=generated)
    manifest = Manifest((), frozen=False)
    try:
        _check_depth(text)
        node = yaml.compose(text, Loader=LOADER)
        if node is None:
            msg = f"{name}: the file is empty; it needs 'version: 1' and 'lambdas:'"
            raise ManifestError(msg, "manifest-syntax")
        manifest = read_functions(reader, node)
        check_unique(reader, node, manifest)
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
    begin = error.context_mark
    if begin and mark and begin.line < mark.line and "scanning" in str(error.context):
        # YAML reports an unclosed quote at the end of the file only.
        construct = str(error.context).removeprefix("while scanning ")
        problem = f"{problem}; {construct} begins at {begin.line + 1}:{begin.column + 1}"
    return f"{where}: not valid YAML: {problem}"
