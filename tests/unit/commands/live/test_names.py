"""The names of deployed functions."""

import json
from pathlib import Path

import pytest

from buildlib.aws.account import Account
from buildlib.commands.live import names
from buildlib.commands.live.names import Where
from buildlib.errors import BuildError
from buildlib.model import Variant
from tests.unit.conftest import function


def variant(name: str, template: str, python: str = "3.13") -> Variant:
    """Return one of several variants of a function."""
    one = function(name=name, deployed_as=template)
    return Variant(f"{name}-py{python}-arm64", one, python, "arm64")


def no_account() -> Account:
    """Fail: names that the manifest has need no AWS."""
    pytest.fail("AWS was asked")


def found(*variants: Variant, env: str = "") -> dict[str, str]:
    """Return the names of functions by variant."""
    targets = names.find(no_account, variants, Where(env), {})
    return {one.variant.id: one.function for one in targets.known}


def test_placeholders() -> None:
    """Each placeholder becomes its value, with a '-' for the '.' that Lambda does not allow."""
    template = "x_{lambda}-{id}-{python}-{architecture}-{env}"
    assert found(variant("api", template), env="dev.eu") == {
        "api-py3.13-arm64": "x_api-api-py3-13-arm64-3-13-arm64-dev-eu"
    }


def test_all_problems_at_once() -> None:
    """A missing environment, a long name and a name of two variants are said together."""
    variants = [
        variant("api", "{lambda}-{env}"),
        variant("jobs", "same"),
        variant("mail", "same"),
        variant("long", "x" * 65),
    ]
    with pytest.raises(BuildError) as error:
        found(*variants)
    assert str(error.value) == (
        "lambda 'api': name '{lambda}-{env}' needs an environment; set '--env NAME' or "
        "LAMBDA_ZIP_ENV\n"
        "lambda 'mail': 'same' is the name of both 'jobs-py3.13-arm64' and 'mail-py3.13-arm64'; "
        "add '{id}' to 'name' in lambdas.yaml\n"
        f"lambda 'long': name '{'x' * 65}' is longer than 64 characters"
    )


@pytest.mark.parametrize(
    "content",
    ['{"values": {}}', "[]", '{"values": 3}', '{"values": {"root_module": {"resources": [1]}}}'],
)
def test_other_json(tmp_path: Path, content: str) -> None:
    """A file of Terraform without functions names none; it is no traceback."""
    state = tmp_path / "state.json"
    state.write_text(content)
    targets = names.find(no_account, [variant("api", "x")], Where("", state), {})
    assert (targets.known, targets.unknown) == ([], ["api-py3.13-arm64"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"version": 4, "serial": 7, "lineage": "x", "resources": []}', "is a state file"),
        ("{}", "has neither resources nor outputs"),
        ('{"format_version": "1.0"}', "has neither resources nor outputs"),
    ],
)
def test_a_file_of_another_command(tmp_path: Path, content: str, problem: str) -> None:
    """A state file, and an empty answer, are refused with the command that writes the right one."""
    state = tmp_path / "terraform.tfstate"
    state.write_text(content)
    with pytest.raises(BuildError) as error:
        names.find(no_account, [variant("api", "x")], Where("", state), {})
    assert str(error.value).startswith(f"{state}: {problem}")
    remedy = "write it with 'terraform show -json > FILE' or 'terraform output -json > FILE'"
    assert str(error.value).endswith(remedy)


def from_state(tmp_path: Path, state: object) -> dict[str, list[str]]:
    """Return the functions that a file of Terraform has for `api`, by variant."""
    path = tmp_path / "state.json"
    path.write_text(json.dumps(state))
    api = Variant("api", function(name="api"), "3.13", "arm64")
    targets = names.find(no_account, [api], Where("", path), {})
    found: dict[str, list[str]] = {}
    for one in targets.known:
        found.setdefault(one.variant.id, []).append(one.function)
    return found


ARN = "arn:aws:lambda:eu-west-1:123456789012:function:api-prod"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("api-prod", ["api-prod"]),
        (ARN, ["api-prod"]),
        ("https://api.example.com", []),
        ("arn:aws:iam::123456789012:role/api", []),
        ("/aws/lambda/api-prod", []),
        (f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{ARN}/invocations", []),
        (3, []),
    ],
)
def test_an_output_that_is_a_function(tmp_path: Path, value: object, expected: list[str]) -> None:
    """Of outputs by id only names and ARNs of functions count, of all outputs or of one."""
    assert from_state(tmp_path, {"some": {"value": {"api": value}}}).get("api", []) == expected
    assert from_state(tmp_path, {"api": value}).get("api", []) == expected


@pytest.mark.parametrize(
    ("filename", "expected"),
    [("../dist/api.zip", ["mine"]), ("/vendor/zips/api.zip", []), ("api.zip", [])],
)
def test_a_file_that_is_ours(tmp_path: Path, filename: str, expected: list[str]) -> None:
    """A ZIP of the same name in another folder than dist/ is somebody else's."""
    values = {"function_name": "mine", "filename": filename}
    resource = {"type": "aws_lambda_function", "values": values}
    state = {"values": {"root_module": {"resources": [resource]}}}
    assert from_state(tmp_path, state).get("api", []) == expected
