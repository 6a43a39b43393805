"""Advice for keys and values of other tools, such as Terraform, SAM and Docker."""

import re
from collections.abc import Collection

from buildlib.manifest.keys import LAMBDA_KEYS
from buildlib.text import closest

# The names of the architectures in Docker, Debian, Go and Linux.
_ARCHITECTURES = {
    **dict.fromkeys(("amd64", "x64", "x86", "x86-64", "intel"), "x86_64"),
    **dict.fromkeys(("aarch64", "arm", "armv8", "arm64v8", "graviton"), "arm64"),
}


# Keys of other tools for the content of the ZIP, and our key.
_OURS = {
    "runtime": "use 'python', as in 'python: \"3.13\"'",
    "runtimes": "use 'python', as in 'python: [\"3.12\", \"3.13\"]'",
    "codeuri": "use 'source'",
    "code_uri": "use 'source'",
    "code": "use 'source'",
    "source_dir": "use 'source'",
    "source_path": "use 'source'",
    "filename": "use 'source'; the build names the ZIP",
    "dependencies": "use 'requirements'",
    "package": "use 'include' and 'exclude'",
    "patterns": "use 'exclude'",
}


# Arguments of `aws_lambda_function` that the ZIP does not depend on, and their names in
# CloudFormation, SAM and Serverless; by the argument in Terraform.
_OF_THE_FUNCTION = {
    "description": ("description",),
    "environment": ("environment", "env", "variables"),
    "ephemeral_storage": ("ephemeral_storage", "ephemeralstorage"),
    "file_system_config": ("file_system_config", "filesystemconfigs"),
    "function_name": ("function_name", "functionname"),
    "kms_key_arn": ("kms_key_arn", "kmskeyarn"),
    "logging_config": ("logging_config", "loggingconfig"),
    "memory_size": ("memory_size", "memory", "memorysize"),
    "publish": ("publish",),
    "reserved_concurrent_executions": (
        *("reserved_concurrent_executions", "reservedconcurrentexecutions"),
        *("reserved_concurrency", "reservedconcurrency"),
    ),
    "role": ("role", "iam_role"),
    "snap_start": ("snap_start", "snapstart"),
    "tags": ("tags",),
    "timeout": ("timeout",),
    "tracing_config": ("tracing_config", "tracing", "tracingconfig"),
    "vpc_config": ("vpc_config", "vpc", "vpcconfig"),
}


_ARGUMENTS = {
    name: argument for argument, names in _OF_THE_FUNCTION.items() for name in names
}  # fmt: skip


# Values are short: "zstd" has three of the letters of "stored".
_SIMILAR = 0.75


_EVENTS = ("events", "event", "triggers", "url", "permissions", "policies")


def key_advice(key: str, known: Collection[str]) -> str:
    """Return the rest of a message about an unknown key, from its separator on."""
    if "python" in known:  # of a lambda, a layer or the defaults
        word = key.lower()
        if word in _OURS:
            return f"; {_OURS[word]}"
        if word in _ARGUMENTS:
            argument = _ARGUMENTS[word]
            place = "aws_lambda_function" if key == argument else f"aws_lambda_function: {argument}"
            return f": lambdas.yaml describes only the ZIP; set it on {place}"
        if word in _EVENTS:
            return ": lambdas.yaml describes only the ZIP; declare it where you deploy the function"
    # A key that is right elsewhere is no typo.
    close = None if key in LAMBDA_KEYS else closest(key, known)
    return f"; did you mean '{close}'?" if close else f"; allowed: {', '.join(known)}"


def value_advice(value: str, choices: Collection[str]) -> str:
    """Return the rest of a message about a value that is not one of its choices; may be empty."""
    meant = _ARCHITECTURES.get(value.lower())
    if meant in choices:
        return f"; did you mean '{meant}'?"
    version = re.fullmatch(r"(?i)(?:python|py|cp)?-?(\d)\.?(\d+)(?:\.\w+)?", value)
    if version:
        python = f"{version[1]}.{version[2]}"
        return f'; did you mean "{python}"?' if python in choices else ""
    close = closest(value, choices, _SIMILAR)
    return f"; did you mean '{close}'?" if close else ""
