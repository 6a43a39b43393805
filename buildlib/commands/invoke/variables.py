"""The environment variables of a function: Lambda's own, and those of its configuration.

Source: "Defined runtime environment variables" in the AWS Lambda developer guide.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from buildlib.errors import InvokeError
from buildlib.model import Variant
from buildlib.runtimes import RUNTIMES

# Lambda refuses these in a function's configuration. It reserves credentials and the region too,
# but here a user sets them in place of the function's role.
_RESERVED = frozenset({
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_TIMEOUT", "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
})  # fmt: skip


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


REGION = "us-east-1"  # as in the emulator's made-up ARN


MEMORY = 512  # MB; reported to the function, not enforced


def lambda_variables(
    variant: Variant, timeout: int, task: str, own: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of an invocation; `task` is the folder used as /var/task.

    They contain none of this machine's variables: no credentials, no proxies.
    """
    name = variant.id
    region = own.get("AWS_REGION") or own.get("AWS_DEFAULT_REGION") or REGION
    return {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        **own,
        "_HANDLER": variant.function.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{RUNTIMES[variant.python].identifier}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "$LATEST",
        "LAMBDA_TASK_ROOT": task,
    }


def read_env_file(path: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables in a file. Each line is NAME=VALUE, or NAME to copy this machine's.

    The format is that of `docker run --env-file`: no quotes, no escapes, `#` begins a comment line.

    Raises:
        InvokeError: with every invalid line.

    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"--env-file {path}: cannot be read as text ({error}); name a file of NAME=VALUE"
        raise InvokeError(msg) from None
    own: dict[str, str] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name = name.strip()
        if not _NAME.fullmatch(name):
            problems.append(f"{path}:{number}: expected NAME=VALUE or NAME, found '{name}'")
        elif name in _RESERVED:
            problems.append(f"{path}:{number}: Lambda sets {name}; remove this line")
        elif equals:
            own[name] = value
        elif name in environment:
            own[name] = environment[name]
    if problems:
        raise InvokeError("\n".join(problems))
    return own
