"""The functions that the commands about deployed ones mean, by the names of a command line."""

from collections.abc import Sequence

from buildlib.cli import common
from buildlib.errors import NotStarted
from buildlib.model import Variant
from buildlib.project.project import Project


def functions(repository: Project, names: Sequence[str]) -> list[Variant]:
    """Return the variants of functions with these names; of all functions without names.

    Raises:
        NotStarted: a name is unknown or that of a layer, or there is no function.

    """
    variants = common.chosen(repository, names)
    layers = dict.fromkeys(one.function.name for one in variants if one.function.is_layer)
    problems = [_layer(repository, layer) for layer in layers] if names else []
    if not problems and len(layers) == len({one.function.name for one in variants}):
        problems = ["lambdas.yaml has layers and no function; add the functions that use them"]
    if problems:
        raise NotStarted("\n".join(problems))
    return [one for one in variants if not one.function.is_layer]


def _layer(repository: Project, name: str) -> str:
    """Return the mistake of naming a layer."""
    every = [one.function for one in repository.variants.values()]
    users = ", ".join(dict.fromkeys(one.name for one in every if name in one.layers))
    remedy = f"name a function that uses it: {users}" if users else "no function uses it"
    return f"'{name}' is a layer; {remedy}"
