"""What an output is made from, as plain data; its sha256 is the key, its difference the reason.

Everything that can reach the bytes is in the recipe, and the decision to build and the explanation
both come from it, so they cannot disagree.
"""

import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from buildlib import __version__
from buildlib.model import File, Pin, Variant
from buildlib.runtimes import image_platform, platform_tag

# The version of the byte contract; see docs/byte-contract.md before changing it.
CONTRACT = 1

# The encoder of deflated members, pinned exactly in pyproject.toml.
DEFLATE_LEVEL = 6

Recipe = dict[str, Any]


def environment(variant: Variant, pins: Iterable[Pin], image: str = "") -> Recipe:
    """Return the recipe of a variant's dependencies: variants with an equal one share them.

    `image` is the pinned reference of the image in which they are installed. What only says how
    to get at packages - indexes, credentials, proxies, certificates, the engine - is not in it:
    every distribution is checked against its hash.
    """
    function = variant.function
    names = {pin.name for pin in pins}
    built = [name for name in sorted(function.allow_sdist) if name in names]
    docker = function.docker
    container: Recipe = {}
    if docker:
        # Which repository an image came from does not matter, only its content does.
        container["docker"] = {
            "image": image.rpartition("@")[2],
            "platform": image_platform(variant.architecture),
            "setup": list(docker.setup),
            "libraries": list(docker.libraries),
        }
    return container | {
        "contract": CONTRACT,
        "version": __version__,
        "python": variant.python,
        "architecture": variant.architecture,
        "platform": platform_tag(variant.python, variant.architecture),
        "install": function.install,
        "allow_sdist": built,
        "build_tools": build_tools() if built or docker else "",
        "packages": {pin.name: [pin.version, *pin.hashes] for pin in pins},
    }


def artifact(variant: Variant, dependencies: Recipe, sources: Sequence[File]) -> Recipe:
    """Return the recipe of a variant's ZIP; `sources` are its own files by their name in it."""
    function = variant.function
    return {
        "environment": dependencies,
        "handler": function.handler,
        "compression": function.compression,
        "encoder": encoder() if function.compression == "deflate" else "",
        "exclude": list(function.exclude),
        "files": {file.path: file.sha256 for file in sources},
    }


@functools.cache
def build_tools() -> str:
    """Return the hex sha256 of the pins of the tools that build what `allow_sdist` names."""
    return hashlib.sha256(build_constraints().read_bytes()).hexdigest()


def build_constraints() -> Path:
    """Return the file with the pins of the build tools."""
    return Path(__file__).with_name("build-constraints.txt")


def encoder() -> str:
    """Return the name, version and level of the compressor."""
    return f"deflate {_encoder_version()} level {DEFLATE_LEVEL}"


@functools.cache
def _encoder_version() -> str:
    return version("deflate")  # parses a file each time


def key(recipe: Recipe) -> str:
    """Return the hex sha256 of a recipe."""
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
