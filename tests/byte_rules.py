"""The code that can reach the bytes of a ZIP, and the numbers in the key that must change with it.

    python -m tests.byte_rules

notes the present code in `byte_rules.json`. Do so only if the change moves no byte (golden tests
pass), or after raising the number in `contract`.
"""

import ast
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import buildlib
from buildlib import contract

PACKAGE = Path(buildlib.__file__).parent
NOTED = Path(__file__).with_name("byte_rules.json")

# The modules that decide about bytes, by the number that covers them.
MODULES = {
    "contract": [
        *("contract", "recipe", "model", "archive/compress", "archive/headers", "archive/hashing"),
        *("archive/members", "archive/previous", "archive/writer", "cache/packs"),
        *("files/names", "files/walk", "files/links", "files/left_out", "files/gitignore"),
        *("tree/merge", "tree/patterns", "tree/services", "tree/sources", "tree/sync"),
        *("steps/stage", "steps/touch", "steps/zip"),
    ],
    "installer": [
        *("runtimes", "lock/choice", "uv/target", "uv/run", "uv/settings"),
        *("environment/canonical", "environment/container", "environment/in_container"),
        *("environment/installer", "environment/namespaces", "environment/overlaps"),
        *("environment/pip_settings", "environment/record", "environment/wheels"),
        "steps/venv",
    ],
    "bytecode": [
        *("bytecode/compiled", "bytecode/compiler", "bytecode/in_compiler", "files/bytecode"),
        "steps/bytecode",
    ],
    "strip": ["environment/objects", "environment/stripping", "environment/symbols", "steps/strip"],
}


def numbers() -> dict[str, int]:
    """Return the numbers in the key."""
    return {
        "contract": contract.CONTRACT,
        "installer": contract.INSTALLER,
        "bytecode": contract.BYTECODE,
        "strip": contract.STRIP,
    }


def code() -> dict[str, dict[str, str]]:
    """Return the digest of each module's code, without comments and docstrings."""
    return {
        number: {name: _digest(PACKAGE / f"{name}.py") for name in sorted(names)}
        for number, names in MODULES.items()
    }


def _digest(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return hashlib.sha256("\n".join(_parts(tree)).encode()).hexdigest()[:16]


def _parts(node: Any) -> Iterator[str]:  # noqa: ANN401 - of a syntax tree
    """Yield what a syntax tree consists of, in the same way on all Pythons."""
    if isinstance(node, ast.AST):
        yield type(node).__name__
        for name, value in ast.iter_fields(node):
            is_docstring = name == "body" and isinstance(value, list) and ast_docstring(node)
            rest = value[1:] if is_docstring else value
            if rest not in (None, [], ""):  # newer Pythons have more fields
                yield name
                yield from _parts(rest)
    elif isinstance(node, list):
        for item in node:
            yield from _parts(item)
    else:
        yield repr(node)


def ast_docstring(node: ast.AST) -> bool:
    """Tell whether a node has a docstring."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None


if __name__ == "__main__":
    text = json.dumps({"numbers": numbers(), "code": code()}, indent=2) + "\n"
    NOTED.write_text(text, encoding="utf-8")
