"""Which function in Lambda is which variant: the one place that decides.

1. The output of Terraform, if a file of it is given.
2. The key `name` of lambdas.yaml.
3. The tag `lambda-zip:id` of functions in AWS, for variants without a `name`.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from buildlib.aws import functions
from buildlib.aws.account import Account
from buildlib.errors import BuildError
from buildlib.layout import DIST
from buildlib.model import Variant

TAG, ENV_TAG = "lambda-zip:id", "lambda-zip:env"

# Lambda's limit for the name of a function.
_LONGEST = 64


class Target(NamedTuple):
    """A variant, and the name of a function in Lambda that runs it."""

    variant: Variant
    function: str


class Where(NamedTuple):
    """The environment, and the file with the output of Terraform, of a command's options."""

    env: str = ""
    state: Path | None = None


class Targets(NamedTuple):
    """The deployed functions, and the ids of variants without one."""

    known: Sequence[Target]
    unknown: Sequence[str]
    why_not: str  # the reason of the unknown ones


def find(
    connect: Callable[[], Account],
    variants: Iterable[Variant],
    where: Where,
    hashes: Mapping[str, str],
) -> Targets:
    """Return the functions of variants; layers are left out.

    `connect` gives the account, if the tags are needed. `hashes` are the base64 hashes of ZIPs by
    id: they tell the variant of a function without the tag in a Terraform state.

    Raises:
        BuildError: a name needs `env`, is too long or is that of two variants, or the file of
            Terraform is another one. The message has every problem.

    """
    wanted = [one for one in variants if not one.function.is_layer]
    env, state = where
    if state is not None:
        found = _from_terraform(_json(state), wanted, hashes)
        return _targets(wanted, found, f"no function is known: {state} has none for it")
    found = _from_manifest(wanted, env)
    if len(found) < len(wanted):
        tags = {ENV_TAG: env} if env else {}
        ids = {one.id for one in wanted} - found.keys()
        for name, value in functions.tagged(connect(), TAG, tags):
            if value in ids:
                found.setdefault(value, []).append(name)
    more = f" and '{ENV_TAG}={env}'" if env else ""
    why_not = f"no function is known: set 'name' in lambdas.yaml, or tag one with '{TAG}'{more}"
    return _targets(wanted, found, why_not)


def _targets(
    wanted: Sequence[Variant], found: Mapping[str, Sequence[str]], why_not: str
) -> Targets:
    known = [Target(one, name) for one in wanted for name in dict.fromkeys(found.get(one.id, ()))]
    return Targets(known, [one.id for one in wanted if not found.get(one.id)], why_not)


def _from_manifest(wanted: Iterable[Variant], env: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    problems: list[str] = []
    owners: dict[str, str] = {}
    for variant in wanted:
        template = variant.function.deployed_as
        if not template:
            continue
        if "{env}" in template and not env:
            problems.append(
                f"{variant.function.title}: name '{template}' needs an environment; "
                "set '--env NAME' or LAMBDA_ZIP_ENV"
            )
            continue
        name = expand(template, variant, env)
        if len(name) > _LONGEST:
            problems.append(
                f"{variant.function.title}: name '{name}' is longer than {_LONGEST} characters"
            )
        if (other := owners.setdefault(name, variant.id)) != variant.id:
            problems.append(
                f"{variant.function.title}: '{name}' is the name of both '{other}' and "
                f"'{variant.id}'; add '{{id}}' to 'name' in lambdas.yaml"
            )
        found[variant.id] = [name]
    if problems:
        raise BuildError("\n".join(problems), "function-name")
    return found


def expand(template: str, variant: Variant, env: str) -> str:
    """Return the name of a function: each placeholder with its value, and '-' for '.'."""
    values = {
        "lambda": variant.function.name,
        "id": variant.id,
        "python": variant.python,
        "architecture": variant.architecture,
        "env": env,
    }
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]].replace(".", "-"), template)


def _json(path: Path) -> Any:  # noqa: ANN401 - any JSON value
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        problem = f"cannot be read: {(error.strerror or str(error)).lower()}"
    except (ValueError, RecursionError):
        problem = "is not JSON"
    else:
        problem = _mistaken(found) if isinstance(found, dict) else ""
    if problem:
        raise _no_state(path, problem)
    return found


def _mistaken(found: Mapping[str, Any]) -> str:
    """Return the problem of an object that is no output of Terraform, or of an empty state."""
    if isinstance(found.get("serial"), int) and isinstance(found.get("version"), int):
        return "is a state file, whose format is Terraform's own"
    if not found.keys() - {"format_version", "terraform_version"}:
        return "has neither resources nor outputs: Terraform found no state, or one without outputs"
    return ""


def _no_state(path: Path, problem: str) -> BuildError:
    msg = (
        f"{path}: {problem}; write it with 'terraform show -json > FILE' or 'terraform output "
        "-json > FILE'"
    )
    return BuildError(msg, "function-name")


def _from_terraform(
    state: Any,  # noqa: ANN401 - any JSON value
    wanted: Sequence[Variant],
    hashes: Mapping[str, str],
) -> dict[str, list[str]]:
    """Return the names of functions by variant; nothing else of the state is kept."""
    found: dict[str, list[str]] = {}
    ids = {one.id for one in wanted}
    for values in _resources(state):
        if (name := _text(values, "function_name")) and (owner := _owner(values, ids, hashes)):
            found.setdefault(owner, []).append(name)
    outputs = [one.get("value") for one in _mappings(state)]
    for names in [*outputs, state]:  # of all outputs, or of one
        for key, name in names.items() if isinstance(names, dict) else ():
            match = _FUNCTION.fullmatch(name) if isinstance(name, str) else None
            if key in ids and match:
                found.setdefault(key, []).append(match["name"])
    return found


# The name of a function, or its ARN; other outputs by id are not functions.
_FUNCTION = re.compile(r"(arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]+:function:)?(?P<name>[\w-]{1,64})")


def _mappings(state: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - any JSON value
    return (
        [one for one in state.values() if isinstance(one, dict)] if isinstance(state, dict) else []
    )


def _resources(state: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - any JSON value
    """Yield the values of each `aws_lambda_function` in `terraform show -json`."""
    modules = [_mapping(_mapping(state, "values"), "root_module")]
    while modules:
        module = modules.pop()
        modules.extend(one for one in module.get("child_modules") or () if isinstance(one, dict))
        for one in module.get("resources") or ():
            if isinstance(one, dict) and one.get("type") == "aws_lambda_function":
                yield _mapping(one, "values")


def _owner(values: Mapping[str, Any], ids: set[str], hashes: Mapping[str, str]) -> str:
    """Return the variant of a function in a state: by its tag, its ZIP, or the hash of its ZIP."""
    tags = _mapping(values, "tags") | _mapping(values, "tags_all")
    parts = re.split(r"[/\\]", _text(values, "filename"))
    is_ours = parts[-2:-1] == [DIST] and parts[-1].endswith(".zip")
    for one in (tags.get(TAG), parts[-1].removesuffix(".zip") if is_ours else None):
        if one in ids:
            return str(one)
    same = [name for name, code in hashes.items() if code == values.get("source_code_hash")]
    same += [
        name
        for name, code in hashes.items()
        if code and _text(values, "s3_key").endswith(f"{_hex(code)}.zip")
    ]
    return same[0] if len(set(same)) == 1 and same[0] in ids else ""


def _hex(code: str) -> str:
    import base64

    return base64.b64decode(code).hex()


def _mapping(value: Any, key: str) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _text(values: Mapping[str, Any], key: str) -> str:
    found = values.get(key)
    return found if isinstance(found, str) else ""
