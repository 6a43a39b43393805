"""The descriptions of AWS services in botocore, of which a function needs a few.

botocore has a folder for each service, and boto3 one for those with resources. Files beside these
folders, such as endpoints.json, describe no single service, and stay.
"""

import re
from collections.abc import Callable, Collection, Iterable

from buildlib.errors import StageError
from buildlib.model import Function
from buildlib.text import closest

KEY = "aws_services"

# The folder of a service; its files may be compressed (`service-2.json.gz`).
_FOLDER = re.compile(r"(botocore|boto3)/data/([^/]+)/")

# botocore's credential providers call these: `botocore/credentials.py` and `botocore/tokens.py`.
FOR_CREDENTIALS = frozenset({"signin", "sso", "sso-oidc", "sts"})

# `SERVICE_NAME_ALIASES` in `botocore/utils.py`.
_ALIASES = {"runtime.sagemaker": "sagemaker-runtime"}


def wanted(function: Function) -> frozenset[str] | None:
    """Return the services whose descriptions a function keeps; None for all."""
    named = dict(function.options).get(KEY)
    return frozenset(map(canonical, named)) | FOR_CREDENTIALS if named else None


def canonical(name: str) -> str:
    """Return the name of a service's folder."""
    return _ALIASES.get(name, name)


def keeper(function: Function) -> Callable[[str], bool] | None:
    """Return a predicate for the paths of dependencies to keep; None if a function keeps all."""
    kept = wanted(function)
    if kept is None:
        return None

    return lambda path: keeps(kept, path)


def keeps(kept: Collection[str], path: str) -> bool:
    """Tell whether a file stays where the descriptions of the services `kept` do."""
    found = _FOLDER.match(path)
    return found is None or found[2] in kept


def described(paths: Iterable[str]) -> set[str]:
    """Return the services that botocore describes in an environment with these paths."""
    found = (_FOLDER.match(path) for path in paths)
    return {one[2] for one in found if one and one[1] == "botocore"}


def check_names(function: Function, paths: Iterable[str]) -> None:
    """Refuse names that no service has; `paths` are those of the whole environment.

    Raises:
        StageError: with each name, and a similar one that there is.

    """
    kept = wanted(function)
    known = described(paths) if kept is not None else set()
    if kept is None or not known:
        return
    problems = []
    for name in sorted(kept - FOR_CREDENTIALS - known):
        close = closest(name, sorted(known))
        hint = f"did you mean '{close}'?" if close else "use a name as in boto3.client"
        problems.append(f"{function.title}: {KEY}: botocore has no service '{name}'; {hint}")
    if problems:
        raise StageError("\n".join(problems), "aws-service")
