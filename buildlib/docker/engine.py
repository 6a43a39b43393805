"""The Docker engine: which one, whether it answers, and the images that it has or can get.

The SDK takes a fifth of a second to import and an engine may be far away, so nothing here happens
before something has to be installed or pinned.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from buildlib.errors import InstallError
from buildlib.model import Function

if TYPE_CHECKING:
    from docker import APIClient

# Seconds that an engine has to say that it is there, and then to answer a call.
_HELLO = 10


_PATIENCE = 600


# What the operating system says, wrapped several times by the SDK; the innermost first.
_REASONS = (
    "no such file or directory", "permission denied", "connection refused", "no such host",
    "name or service not known", "connection reset by peer", "timed out", "connection aborted",
)  # fmt: skip


class EngineError(InstallError):
    """No engine answers, or it stopped to."""


class Engine(NamedTuple):
    """A connection to an engine: its client, and its address for messages."""

    client: "APIClient"
    address: str


@contextlib.contextmanager
def connected(
    function: Function, architecture: str, purpose: str = "'install: docker'"
) -> Iterator[Engine]:
    """Give a connection to the engine for an architecture.

    It is the one that the manifest names, else DOCKER_HOST, else docker's current context.

    Raises:
        EngineError: it does not answer, or stops to answer within the `with`.

    """
    import docker
    import requests
    import urllib3

    settings, origin = _settings(function, architecture)
    address = str(settings.get("base_url", "the default socket"))
    try:
        client = docker.APIClient(
            version="auto", timeout=_HELLO, use_ssh_client=address.startswith("ssh:"), **settings
        )
        client.ping()
    except (docker.errors.DockerException, OSError, requests.RequestException) as error:
        msg = (
            f"{purpose} needs an engine, and none answers at "
            f"{address} ({origin}): {reason(error)}. Start Docker there, point DOCKER_HOST to "
            "one that runs, or name one as 'docker: {engine: ...}'"
        )
        raise EngineError(msg, "engine-absent") from None
    client.timeout = _PATIENCE
    try:
        yield Engine(client, address)
    except (
        docker.errors.APIError,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        ConnectionError,
    ) as error:
        broken = not isinstance(error, docker.errors.APIError) or not error.is_client_error()
        what = "stopped answering" if broken else "refused"
        msg = (
            f"the engine at {address} {what}: {reason(error)}. Nothing "
            "was built from it; see that it runs, then run doit again"
        )
        raise EngineError(msg, "engine-stopped") from error
    finally:
        client.close()


def _settings(function: Function, architecture: str) -> tuple[dict[str, Any], str]:
    """Return the arguments of the client, and who said so."""
    from docker.context import ContextAPI
    from docker.utils import kwargs_from_env

    named = dict(function.docker.engine) if function.docker else {}
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
    """Return the innermost reason of an error of the SDK, in one line."""
    explanation = getattr(error, "explanation", None)
    text = str(explanation or error)
    for known in _REASONS:
        if known in text.lower():
            return known
    return " ".join(text.split())[:300].rstrip(".")
