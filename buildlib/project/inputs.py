"""The inputs of one variant as they are now: worked out once, handed to each step."""

from typing import NamedTuple

from buildlib.model import Origin, Pin, Variant
from buildlib.recipe import Recipe


class Inputs(NamedTuple):
    """Everything that a variant is built from.

    `image` is the pinned reference of the image to install in, empty for wheels, and `compiler` the
    full version of the CPython that compiles, empty without bytecode; `indexes` are the options of
    its requirements that say where packages come from, as arguments of uv or pip; `own` are the
    function's own files, and `bytecode` is theirs, once it is compiled. The keys are the hex sha256
    of the recipes: that of the dependencies, and that of the ZIP, which holds the former.
    `left_out` are the paths that are left out of the ZIP by default. `unread` are notes about
    declared dependencies that the ZIP lacks, `unread_hints` additions to the error about a missing
    import. `services` are the AWS services that botocore describes, there or in a layer; None for
    all.
    """

    variant: Variant
    pins: tuple[Pin, ...]
    image: str
    indexes: tuple[str, ...]
    own: tuple[Origin, ...]
    environment_recipe: Recipe
    environment_key: str
    recipe: Recipe
    key: str
    left_out: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    unread_hints: tuple[str, ...] = ()
    compiler: str = ""
    bytecode: tuple[Origin, ...] = ()
    services: tuple[str, ...] | None = None
