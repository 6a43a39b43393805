"""Choose the Docker engine and connect to it.

Importing the SDK takes 0.2 s and the engine may be remote, so call nothing here before something
must be installed or pinned.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from buildlib.errors import InstallError
from buildlib.model import Function

if TYPE_CHECKING:
    from docker import APIClient

# Seconds that the engine gets to answer the first ping.
_CONNECT_TIMEOUT = 10


# Seconds that it gets to answer any later call.
_CALL_TIMEOUT = 600


# The operating system's own words, which the SDK wraps several times; the innermost first.
_REASONS = (
    "no such file or directory", "permission denied", "connection refused", "no such host",
    "name or service not known", "connection reset by peer", "timed out", "connection aborted",
)  # fmt: skip


class EngineError(InstallError):
    """The engine cannot be reached, or the connection to it was lost."""


class Engine(NamedTuple):
    """A connection to an engine, and its address for messages."""

    client: "APIClient"
    address: str


@contextlib.contextmanager
def connected(
    function: Function | None, architecture: str, purpose: str = "'install: docker'"
) -> Iterator[Engine]:
    """Connect to the engine for an architecture, yield the connection, and close it.

    The manifest names the engine; otherwise DOCKER_HOST does, otherwise docker's current context.
    `purpose` names the feature that needs the engine, for the message.

    Raises:
        EngineError: the engine cannot be reached, or the connection is lost within the `with`.

    """
    import docker
    import requests
    import urllib3

    settings, origin = _settings(function, architecture)
    address = str(settings.get("base_url", "the default socket"))
    try:
        client = docker.APIClient(
            version="auto",
            timeout=_CONNECT_TIMEOUT,
            use_ssh_client=address.startswith("ssh:"),
            **settings,
        )
        client.ping()
    except (docker.errors.DockerException, OSError, requests.RequestException) as error:
        msg = (
            f"Cannot connect to the Docker engine at {address} ({origin}): {reason(error)}. Is it "
            "running? Start it, set DOCKER_HOST to a running engine, or name one in "
            f"'docker: {{engine: ...}}'; {purpose} needs one"
        )
        raise EngineError(msg, "engine-absent") from None
    client.timeout = _CALL_TIMEOUT
    try:
        yield Engine(client, address)
    except (
        docker.errors.APIError,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        ConnectionError,
    ) as error:
        lost = not isinstance(error, docker.errors.APIError) or not error.is_client_error()
        failure = "stopped answering" if lost else "refused a request"
        msg = (
            f"the Docker engine at {address} {failure}: {reason(error)}. Check "
            "that it is running and has disk space, then run the build again"
        )
        raise EngineError(msg, "engine-stopped") from error
    finally:
        client.close()


def describe() -> str:
    """Return the version and the address of the engine that builds use by default.

    Raises:
        EngineError: no engine answers.

    """
    with connected(None, "", "'install: docker'") as engine:
        version = engine.client.version()
        target = f"{version.get('Os')}/{version.get('Arch')}"
        return f"{version.get('Version')} for {target} at {engine.address}"


def _settings(function: Function | None, architecture: str) -> tuple[dict[str, Any], str]:
    """Return the client's arguments, and the setting that they come from, for messages."""
    from docker.context import ContextAPI
    from docker.utils import kwargs_from_env

    named = dict(function.docker.engine) if function and function.docker else {}
    if architecture in named:
        return {"base_url": named[architecture]}, f"'engine' for {architecture} in lambdas.yaml"
    if os.environ.get("DOCKER_HOST"):
        return {**kwargs_from_env()}, "DOCKER_HOST"
    name = os.environ.get("DOCKER_CONTEXT") or None
    context = ContextAPI.get_context(name)
    if context is None or not context.Host:
        return {**kwargs_from_env()}, "docker's default"
    settings: dict[str, Any] = {"base_url": context.Host}
    if context.TLSConfig:
        settings["tls"] = context.TLSConfig
    return settings, f"docker's context '{context.Name}'"


def reason(error: BaseException) -> str:
    """Return the innermost reason of an SDK error, in one line."""
    explanation = str(getattr(error, "explanation", None) or error)
    for phrase in _REASONS:
        if phrase in explanation.lower():
            return phrase
    return " ".join(explanation.split())[:300].rstrip(".")
