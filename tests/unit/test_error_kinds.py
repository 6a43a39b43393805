"""Every message is of a kind, and every kind is explained and used."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import buildlib
from buildlib import error_kinds, errors

PACKAGE = Path(buildlib.__file__).parent


def classes() -> dict[str, str]:
    """Return the classes of errors with the kind that each usually is."""
    found: dict[str, str] = {}
    for module in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_bytes())):
            if isinstance(node, ast.ClassDef) and is_shown(node):
                usual = getattr(getattr(errors, node.name, None), "default_kind", "")
                found[node.name] = usual
    return found


def is_shown(node: ast.ClassDef) -> bool:
    """Tell whether a class is an error for the user: others are caught where they are raised."""
    bases = [ast.unparse(base) for base in node.bases]
    return node.name == "BuildError" or (node.name.endswith("Error") and bases != ["Exception"])


def raised() -> Iterator[tuple[str, list[str]]]:
    """Yield the place of each error that is made, and the kinds that it may be of."""
    known = classes()
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in known:
                kinds = [
                    constant.value
                    for argument in node.args[1:]
                    for constant in ast.walk(argument)
                    if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
                ]
                yield f"{path.name}:{node.lineno}", kinds or [known[ast.unparse(node.func)]]


def test_every_error_has_a_kind() -> None:
    """Whoever raises an error says which kind it is of, and that kind is explained."""
    for place, kinds in raised():
        assert set(kinds) <= error_kinds.KINDS.keys(), place


def test_every_kind_is_raised() -> None:
    """What is explained can happen."""
    assert error_kinds.KINDS.keys() - {kind for _, kinds in raised() for kind in kinds} == {
        errors.SYSTEM
    }


@pytest.mark.parametrize("kind", error_kinds.KINDS)
def test_one_kind(kind: str) -> None:
    """Each kind says what happened and what to do, in whole sentences."""
    title, why, remedy = error_kinds.KINDS[kind]
    assert not title.endswith(".")
    assert why.endswith(".")
    assert remedy.endswith(".")


def test_an_unknown_kind() -> None:
    """An unknown kind is refused with a similar one."""
    command = [sys.executable, "-m", "buildlib", "errors", "manifst"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no kind of error 'manifst'; did you mean 'manifest'?" in done.stderr
