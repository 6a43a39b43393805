"""The Docker engine: which one, whether it answers, and the images that it has or can get.

The SDK takes a fifth of a second to import and an engine may be far away, so nothing here happens
before something has to be installed or pinned.
"""

import contextlib
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from buildlib import activity
from buildlib.errors import InstallError
from buildlib.model import Function
from buildlib.runtimes import image_platform

if TYPE_CHECKING:
    from docker import APIClient

_logger = logging.getLogger(__name__)

# Seconds that an engine has to say that it is there, and then to answer a call.
_HELLO = 10
_PATIENCE = 600
# What the operating system says, wrapped several times by the SDK; the innermost first.
_REASONS = (
    "no such file or directory", "permission denied", "connection refused", "no such host",
    "name or service not known", "connection reset by peer", "timed out", "connection aborted",
)  # fmt: skip
# Seconds between two words about a pull.
_PROGRESS = 5.0


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
    import docker  # noqa: PLC0415
    import requests  # noqa: PLC0415
    import urllib3  # noqa: PLC0415

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
            f"{address} ({origin}): {_reason(error)}. Start Docker there, point DOCKER_HOST to "
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
            f"the engine at {address} {what}: {_reason(error)}. Nothing "
            "was built from it; see that it runs, then run doit again"
        )
        raise EngineError(msg, "engine-stopped") from error
    finally:
        client.close()


def _settings(function: Function, architecture: str) -> tuple[dict[str, Any], str]:
    """Return the arguments of the client, and who said so."""
    from docker.context import ContextAPI  # noqa: PLC0415
    from docker.utils import kwargs_from_env  # noqa: PLC0415

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


def _reason(error: BaseException) -> str:
    """Return the innermost reason of an error of the SDK, in one line."""
    explanation = getattr(error, "explanation", None)
    text = str(explanation or error)
    for known in _REASONS:
        if known in text.lower():
            return known
    return " ".join(text.split())[:300].rstrip(".")


# -- images ----------------------------------------------------------------------------------------


def pin(engine: Engine, name: str, architecture: str) -> str:
    """Return the pinned reference of the image `name`.

    The registry is asked first, without pulling; its digest stands for all platforms. An image
    that no registry knows is pinned by its id, so it holds only where that very image is.

    Raises:
        InstallError: neither the registry nor the engine has it.

    """
    import docker  # noqa: PLC0415

    try:
        found = engine.client.inspect_distribution(name)  # type: ignore[no-untyped-call]
    except docker.errors.APIError as error:
        reason = _reason(error)
    else:
        return f"{_repository(name)}@{found['Descriptor']['digest']}"
    try:
        image = engine.client.inspect_image(name)  # type: ignore[no-untyped-call]
    except docker.errors.ImageNotFound:
        msg = _absent(name, image_platform(architecture), engine, reason)
        raise InstallError(msg, "image-absent") from None
    for reference in image.get("RepoDigests") or []:
        if reference.partition("@")[0] == _repository(name):
            return str(reference)
    return str(image["Id"])


def present(engine: Engine, name: str, architecture: str) -> str | None:
    """Return the id of the image `name`, if the engine has it for an architecture."""
    import docker  # noqa: PLC0415

    try:
        image = engine.client.inspect_image(name)  # type: ignore[no-untyped-call]
    except docker.errors.ImageNotFound:
        return None
    found = f"{image['Os']}/{image['Architecture']}"
    return str(image["Id"]) if found == image_platform(architecture) else None


def get(engine: Engine, reference: str, architecture: str, log: "Log") -> str:
    """Return the id of the image `reference` for an architecture, after pulling it if need be.

    An engine keeps one platform of a reference, so another process may pull the other one at any
    time; only the id stays what it is.

    Raises:
        InstallError: it is absent and cannot be pulled, or is of another platform.

    """
    import docker  # noqa: PLC0415

    platform = image_platform(architecture)
    found = ""
    for _ in range(3):
        try:
            image = engine.client.inspect_image(reference)  # type: ignore[no-untyped-call]
        except docker.errors.ImageNotFound:
            found = ""
        else:
            found = f"{image['Os']}/{image['Architecture']}"
            if found == platform:
                return str(image["Id"])
        if "@" not in reference:
            break
        try:
            _pull(engine, reference, platform, log)
        except docker.errors.APIError as error:
            msg = _absent(reference, platform, engine, _reason(error))
            raise InstallError(msg, "image-absent") from None
    if found:
        msg = (
            f"the image {reference} is for {found} and {platform} is needed; "
            "name one that exists for both in 'docker: image:', or another 'engine:'"
        )
        raise InstallError(msg, "image-platform")
    msg = _absent(reference, platform, engine, "it was never in a registry")
    raise InstallError(msg, "image-absent")


def _absent(name: str, platform: str, engine: Engine, reason: str) -> str:
    return (
        f"the image {name} ({platform}) is not on the engine at {engine.address} and cannot be "
        f"pulled: {reason}. Check the name in 'docker: image:', log in to its registry, or load it "
        "there with 'docker load'; an image that has changed needs 'doit lock:<name>'"
    )


def _repository(name: str) -> str:
    """Return the name of an image without its tag and digest."""
    name = name.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def _pull(engine: Engine, reference: str, platform: str, log: "Log") -> None:
    """Pull an image, with its progress in the log and a word about it now and then."""
    import docker  # noqa: PLC0415

    _logger.warning("pulling %s (%s)", reference, platform)
    repository, _, digest = reference.partition("@")
    events = engine.client.pull(
        _repository(repository), tag=digest, platform=platform, stream=True, decode=True
    )
    sizes: dict[str, tuple[int, int]] = {}
    last = time.monotonic()
    for event in events:
        if "error" in event:
            raise docker.errors.APIError(event["error"])
        detail = event.get("progressDetail") or {}
        if detail.get("total"):
            sizes[event.get("id", "")] = (detail.get("current", 0), detail["total"])
        else:
            log.line(f"{event.get('id', '')} {event.get('status', '')}".strip())
        if not sizes:
            continue
        done, total = (sum(column) >> 20 for column in zip(*sizes.values(), strict=True))
        activity.say(f"pulling: {done} of {total} MB in {len(sizes)} layers", often=True)
        if time.monotonic() - last > _PROGRESS and not activity.is_watched():
            last = time.monotonic()
            _logger.warning("pulling %s: %d of %d MB", reference, done, total)


# -- the log ---------------------------------------------------------------------------------------


class Log:
    """The log of an installation, in which no secret is readable.

    `secrets` are hidden wherever they are in what is written, and credentials in addresses too.
    """

    def __init__(self, path: os.PathLike[str], secrets: Iterable[str]) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._stream = open(path, "w", encoding="utf-8")  # noqa: SIM115 - closed by __exit__
        # The longest first: one may be part of another.
        self._secrets = sorted({s for s in secrets if s}, key=lambda s: (-len(s), s))
        self._rest = b""
        self.output = ""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._stream.close()

    def clean(self, text: str) -> str:
        """Return a text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "****")
        return re.sub(r"(?<=://)[^/\s@\"']+(?=@)", "****", text)

    def line(self, text: str) -> None:
        """Write a line."""
        self._stream.write(self.clean(text) + "\n")
        self._stream.flush()

    def start(self, text: str) -> None:
        """Begin the output of a command, which is kept in `output`."""
        self.output = ""
        self.line(f"$ {text}")

    def feed(self, chunk: bytes) -> None:
        """Write a command's output as it comes; whole lines, so that no secret is cut in two."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._add(line)

    def end(self, code: int) -> None:
        """End the output of a command."""
        if self._rest:
            self._add(self._rest)
        self._rest = b""
        self.line(f"[exit code {code}]")

    def _add(self, line: bytes) -> None:
        text = self.clean(line.decode(errors="replace").rstrip("\r"))
        self.output = f"{self.output}{text}\n"[-20_000:]
        self.line(text)
        activity.say(text, often=True)
