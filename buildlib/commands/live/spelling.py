"""The names of functions in lambdas.yaml with an environment: a mistake is found before a request.

Source: `FunctionName` of "GetFunction" in the API reference of AWS Lambda. The manifest takes only
templates of its characters, so that the environment alone can bring others.
"""

import re
from collections.abc import Iterable

from buildlib.commands.live.names import Where, expand
from buildlib.errors import BuildError
from buildlib.model import Variant

_NAME = re.compile("[A-Za-z0-9_-]+")


def check(variants: Iterable[Variant], where: Where) -> None:
    """Refuse an environment that is missing, or that Lambda does not take in names.

    Raises:
        BuildError: there is such a name. The message has one line for each function.

    """
    if where.state is not None:  # its names are those in Lambda
        return
    problems: dict[str, str] = {}
    for one in variants:
        template, title = one.function.deployed_as, one.function.title
        if one.function.is_layer or "{env}" not in template:
            continue
        name = expand(template, one, where.env)
        if not where.env:
            problem = "needs an environment; set '--env NAME' or LAMBDA_ZIP_ENV"
        elif not _NAME.fullmatch(name):
            problem = (
                f"in lambdas.yaml gives '{name}', and Lambda takes only letters, digits, '-' and "
                "'_'; correct '--env' or LAMBDA_ZIP_ENV"
            )
        else:
            continue
        problems.setdefault(title, f"{title}: name '{template}' {problem}")
    if problems:
        raise BuildError("\n".join(problems.values()), "function-name")
