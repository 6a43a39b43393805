"""The key has numbers of rules, not the version of this package: they change with the code."""

import json

import pytest

from buildlib import contract, recipe
from buildlib.model import Variant
from tests import byte_rules
from tests.unit.conftest import function


@pytest.mark.parametrize("number", byte_rules.MODULES)
def test_code_that_reaches_bytes(number: str) -> None:
    """Code that can reach the bytes of a ZIP does not change without someone's word for it."""
    noted = json.loads(byte_rules.NOTED.read_text(encoding="utf-8"))
    if noted["numbers"] == byte_rules.numbers() and noted["code"] == byte_rules.code():
        return
    changed = [
        f"buildlib/{name}.py"
        for name, digest in byte_rules.code()[number].items()
        if noted["code"].get(number, {}).get(name) != digest
    ]
    if changed or noted["numbers"][number] != byte_rules.numbers()[number]:
        pytest.fail(
            f"{', '.join(changed) or 'a number'} changed. If the same inputs may now give other "
            f"bytes, raise contract.{number.upper()}, so that users rebuild. Then, or if no byte "
            "moves (the golden tests pass), run 'python -m tests.byte_rules' and commit "
            "tests/byte_rules.json"
        )


@pytest.mark.parametrize("number", ["CONTRACT", "INSTALLER", "BYTECODE"])
def test_numbers_are_in_the_key(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another number gives another key, and the version of this package does not."""
    variant = Variant("api", function(), "3.13", "x86_64")

    def key() -> str:
        compiler = "3.13.2" if number == "BYTECODE" else ""
        return recipe.key(recipe.environment_recipe(variant, [], compiler=compiler))

    before, constants = key(), recipe.constants()
    monkeypatch.setattr(recipe, "__version__", "99")
    assert key() == before
    assert recipe.constants() != constants  # its checks may be new
    monkeypatch.setattr(contract, number, 99)
    assert key() != before
