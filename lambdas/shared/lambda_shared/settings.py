"""Settings from environment variables, checked once, with errors that name the variable.

A secret may be given as it is, or as `ssm:<parameter name>`: then it is read, decrypted, from the
SSM Parameter Store with the boto3 that the Lambda runtime brings.
"""

import importlib
import ipaddress
import os
from urllib.parse import urlsplit

_SSM_PREFIX = "ssm:"


class SettingsError(Exception):
    """An environment variable is missing or has a value that cannot work."""


def text(name: str, default: str | None = None) -> str:
    """Return the variable without surrounding space; without a default it must be there."""
    value = os.environ.get(name, "").strip() or default
    if value is None:
        msg = f"environment variable {name} is not set"
        raise SettingsError(msg)
    return value


def integer(name: str, default: int | None = None, *, at_least: int = 0) -> int:
    """Return the variable as a whole number, not below `at_least`."""
    value = text(name, None if default is None else str(default))
    try:
        number = int(value)
    except ValueError:
        number = None
    if number is None or number < at_least:
        msg = f"environment variable {name} must be a whole number, at least {at_least}: {value!r}"
        raise SettingsError(msg)
    return number


def words(name: str) -> tuple[str, ...]:
    """Return the words of a variable, separated by commas or spaces; at least one."""
    found = tuple(text(name).replace(",", " ").split())
    if not found:
        msg = f"environment variable {name} holds no value"
        raise SettingsError(msg)
    return found


def secret(name: str) -> str:
    """Return a secret, from the variable itself or from the parameter that it points to."""
    value = text(name)
    if not value.startswith(_SSM_PREFIX):
        return value
    return _parameter(name, value.removeprefix(_SSM_PREFIX))


def signing_secrets(name: str) -> tuple[bytes, ...]:
    """Return the secrets of a variable, separated by spaces: two while one is being rotated."""
    found = tuple(word.encode() for word in secret(name).split())
    if not found:
        msg = f"environment variable {name} holds no secret"
        raise SettingsError(msg)
    return found


def url(name: str, default: str | None = None) -> str:
    """Return a URL: https, or http to the local machine (a proxy, an emulator)."""
    value = text(name, default)
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and _is_local(host))):
        msg = f"environment variable {name} must be an https URL: {value!r}"
        raise SettingsError(msg)
    return value


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parameter(name: str, parameter: str) -> str:
    # Here, not at the top: boto3 is slow to import, and only needed for this.
    try:
        boto3 = importlib.import_module("boto3")
    except ImportError as error:
        msg = f"environment variable {name} points to SSM, and boto3 is not installed"
        raise SettingsError(msg) from error
    try:
        answer = boto3.client("ssm").get_parameter(Name=parameter, WithDecryption=True)
    except Exception as error:  # boto3's exceptions are made at run time, per service
        msg = f"environment variable {name}: cannot read SSM parameter {parameter!r}: {error}"
        raise SettingsError(msg) from error
    return str(answer["Parameter"]["Value"])
