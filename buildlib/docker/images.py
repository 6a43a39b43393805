"""The images that an engine has or can pull."""

import logging
import time

from buildlib import progress
from buildlib.docker.engine import Engine, reason
from buildlib.docker.log import Log
from buildlib.errors import InstallError
from buildlib.runtimes import image_platform

_logger = logging.getLogger(__name__)


# Seconds between two progress messages of a pull.
_PROGRESS = 5.0


def pin(engine: Engine, name: str, architecture: str) -> str:
    """Return the pinned reference of the image `name`.

    Ask the registry first, without pulling: its digest covers all platforms. Pin an image that no
    registry knows by its id, which is valid only on engines that hold this very image.

    Raises:
        InstallError: neither the registry nor the engine has the image.

    """
    import docker

    try:
        manifest = engine.client.inspect_distribution(name)  # type: ignore[no-untyped-call]
    except docker.errors.APIError as error:
        registry_error = reason(error)
    else:
        return f"{_repository(name)}@{manifest['Descriptor']['digest']}"
    try:
        image = engine.client.inspect_image(name)  # type: ignore[no-untyped-call]
    except docker.errors.ImageNotFound:
        msg = _absent(name, image_platform(architecture), engine, registry_error)
        raise InstallError(msg, "image-absent") from None
    for reference in image.get("RepoDigests") or []:
        if reference.partition("@")[0] == _repository(name):
            return str(reference)
    return str(image["Id"])


def present(engine: Engine, name: str, architecture: str) -> str | None:
    """Return the id of the image `name` for an architecture; None if the engine lacks it."""
    import docker

    try:
        image = engine.client.inspect_image(name)  # type: ignore[no-untyped-call]
    except docker.errors.ImageNotFound:
        return None
    platform = f"{image['Os']}/{image['Architecture']}"
    return str(image["Id"]) if platform == image_platform(architecture) else None


def get(engine: Engine, reference: str, architecture: str, log: Log) -> str:
    """Return the id of the image `reference` for an architecture; pull it if it is missing.

    An engine keeps one platform of a reference, and another process may pull another platform at
    any time, so the caller must use the id.

    Raises:
        InstallError: it is missing and cannot be pulled, or is for another platform.

    """
    import docker

    platform = image_platform(architecture)
    present_platform = ""
    for _ in range(3):
        try:
            image = engine.client.inspect_image(reference)  # type: ignore[no-untyped-call]
        except docker.errors.ImageNotFound:
            present_platform = ""
        else:
            present_platform = f"{image['Os']}/{image['Architecture']}"
            if present_platform == platform:
                return str(image["Id"])
        if "@" not in reference:
            break
        try:
            _pull(engine, reference, platform, log)
        except docker.errors.APIError as error:
            msg = _absent(reference, platform, engine, reason(error))
            raise InstallError(msg, "image-absent") from None
    if present_platform:
        msg = (
            f"the image {reference} is for {present_platform}, but {platform} is needed; in "
            "'docker:', name an 'image' that exists for both platforms, or another 'engine'"
        )
        raise InstallError(msg, "image-platform")
    msg = _absent(
        reference, platform, engine, "the lockfile pins it by its id, and no registry has it"
    )
    raise InstallError(msg, "image-absent")


def _absent(name: str, platform: str, engine: Engine, reason: str) -> str:
    return (
        f"the image {name} ({platform}) is not on the Docker engine at {engine.address} and cannot "
        f"be pulled: {reason}. Check the name in 'docker: image:', log in to its registry, or load "
        "it there with 'docker load'; if the image has changed, run 'lambdas lock --upgrade <name>'"
    )


def _repository(name: str) -> str:
    """Return the name of an image without its tag and digest."""
    name = name.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def _pull(engine: Engine, reference: str, platform: str, log: Log) -> None:
    """Pull an image; write its events to the log, and a progress message every few seconds."""
    import docker

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
        progress.update(f"pulling: {done} of {total} MB in {len(sizes)} layers", often=True)
        if time.monotonic() - last > _PROGRESS and not progress.is_watched():
            last = time.monotonic()
            _logger.warning("pulling %s: %d of %d MB", reference, done, total)
