"""The two ways to install dependencies, behind one signature."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from buildlib.layout import Layout
from buildlib.model import Function, Pin, Variant


class Request(NamedTuple):
    """One installation: pinned distributions for a variant, into an empty folder.

    `image` is the pinned reference of the image to install in, empty for wheels; `indexes` are the
    options of the requirements that select package indexes. The installer takes nothing of the
    distributions to `refresh` from its caches, and nothing at all unless `is_cached`.
    """

    variant: Variant
    pins: Sequence[Pin]
    image: str
    indexes: Sequence[str]
    target: Path
    layout: Layout
    log: Path
    refresh: tuple[str, ...] = ()
    is_cached: bool = True


class Installer(Protocol):
    """Installs the pins of a request.

    Raises:
        InstallError: with the end of the installer's output, and the remedy.

    """

    def __call__(self, request: Request) -> None:
        """Install the pins into the target, whose files may be links into the installer's cache."""


def requirement_line(pin: Pin) -> str:
    """Return a pin with its hashes as a line of a requirements file, for uv or pip."""
    version = f" {pin.version}" if pin.version.startswith("@") else f"=={pin.version}"
    return f"{pin.name}{version} {' '.join(f'--hash={value}' for value in pin.hashes)}\n"


def installer_for(function: Function) -> Installer:
    """Return the installer of a function; imported only when something is installed."""
    if function.docker:
        from buildlib.environment import container

        return container.install
    from buildlib.environment import wheels

    return wheels.install
