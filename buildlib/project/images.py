"""The images in which dependencies are installed, and the digests that lockfiles pin them to."""

from collections.abc import Iterable

from buildlib.errors import LockError
from buildlib.model import Function, Image, Variant
from buildlib.runtimes import RUNTIMES


def image_name(variant: Variant) -> str:
    """Return the name of the image in which a variant's dependencies are installed."""
    docker = variant.function.docker
    return (docker.image if docker else None) or RUNTIMES[variant.python].image


def wanted(variants: Iterable[Variant], lockfile: str | None) -> list[Image]:
    """Return the images that a lockfile has to pin; their references are empty."""
    return sorted({
        Image(variant.python, variant.architecture, image_name(variant), "")
        for variant in variants
        if variant.function.docker
        and variant.function.lockfile == lockfile
        and "@" not in image_name(variant)
    })  # fmt: skip


def missing(wanted_images: Iterable[Image], pinned: Iterable[Image]) -> list[Image]:
    """Return the wanted images that are not pinned."""
    known = {image[:3] for image in pinned}
    return [image for image in wanted_images if image[:3] not in known]


def reference(variant: Variant, pinned: Iterable[Image]) -> str:
    """Return the pinned reference of a variant's image; empty if it installs from wheels.

    Raises:
        LockError: neither the manifest nor the lockfile has its digest.

    """
    function = variant.function
    if function.docker is None:
        return ""
    name = image_name(variant)
    if "@" in name:
        return name
    for image in pinned:
        if image[:3] == (variant.python, variant.architecture, name):
            return image.reference
    raise LockError(_unpinned(function, variant, name), "image-unpinned")


def _unpinned(function: Function, variant: Variant, name: str) -> str:
    if function.lockfile is None:
        return (
            f"{function.title}: it has no requirements.lock to pin the image in; write its "
            f"digest into the manifest: 'image: {name}@sha256:<hex>'"
        )
    return (
        f"{function.lockfile}: no digest of the image {name} for Python {variant.python} on "
        f"{variant.architecture}; run 'lambdas lock {function.name}' and commit the file"
    )
