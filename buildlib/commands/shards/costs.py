"""How long each variant takes to build, and each environment to install: recorded or estimated."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from buildlib import recipe
from buildlib.commands.shards.balance import Installs, Work
from buildlib.errors import BuildError, LockError
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.recipe import Recipe
from buildlib.steps import times

# What the runner of a variant must have. Wheels for any architecture install on every machine; a
# container for another architecture than the machine's is emulated, and ten times as slow.
WHEELS = "wheels"
NEEDS = (WHEELS, "docker-x86_64", "docker-arm64")

# The estimate in ms, from builds of 1 to 40 packages: a lockfile has no sizes, so packages count.
_INSTALL, _INSTALL_PACKAGE, _CONTAINER = 200, 300, 60_000
_OWN, _OWN_PACKAGE = 100, 40

# The steps of a variant but for the installation of its environment.
_STEPS = ("stage", "touch", "zip")


class Costs(NamedTuple):
    """The variants to build, the durations of installations, and the ids with recorded times."""

    works: list[Work]
    installs: Installs
    recorded: frozenset[str]


def measure(project: Project, runners: Mapping[str, str]) -> Costs:
    """Return the costs of all variants; `runners` are the names of runners by `NEEDS`.

    Raises:
        LockError: lockfiles are missing or unusable; the message has all of them.

    """
    environments, recipes = _environments(project)
    works, recorded = list[Work](), set[str]()
    installs = {key: _estimate(one) for key, one in recipes.items()}
    known: dict[str, int] = {}
    for variant in project.variants.values():
        key, *others = environments[variant.id]
        own = _recorded(project, variant)
        if own is None:
            own = _OWN + _OWN_PACKAGE * len(recipes[key]["packages"])
        else:
            recorded.add(variant.id)
        if took := times.last(project.layout, "venv", variant.id):
            # Those that waited for the same installation took as long.
            known[key] = max(known.get(key, 0), _ms(took[1]))
        kind = need([variant, *project.declared_layers(variant)])
        works.append(Work(variant.id, runners[kind], key, max(own, 1), frozenset(others)))
    return Costs(works, installs | known, frozenset(recorded))


def need(variants: Iterable[Variant]) -> str:
    """Return what a variant, given with its layers, needs of its runner: one of `NEEDS`.

    The build of a function installs the environments of its layers, to check imports.
    """
    for variant in variants:
        if variant.function.docker is not None:
            return f"docker-{variant.architecture}"
    return WHEELS


def _environments(project: Project) -> tuple[dict[str, list[str]], dict[str, Recipe]]:
    """Return the keys of the environment of each variant and of its layers, and all recipes."""
    keys, recipes, problems = dict[str, list[str]](), dict[str, Recipe](), dict[str, str]()
    for variant in project.variants.values():
        try:
            needed = [variant, *project.layer_variants(variant)]
            found = [project.environment_recipe(one) for one in needed]
        except BuildError as error:
            problems.setdefault(str(error), error.kind)
            continue
        keys[variant.id] = [recipe.key(one) for one in found]
        recipes |= zip(keys[variant.id], found, strict=True)
    if problems:
        raise LockError("\n".join(problems), next(iter(problems.values())))
    return keys, recipes


def _recorded(project: Project, variant: Variant) -> int | None:
    """Return how long the steps of a variant last took, in ms; None if its ZIP was never built."""
    found = {step: times.last(project.layout, step, variant.id) for step in _STEPS}
    if found["zip"] is None:
        return None
    return sum(_ms(took[1]) for took in found.values() if took)


def _estimate(environment: Recipe) -> int:
    container = _CONTAINER if "docker" in environment else 0
    return _INSTALL + _INSTALL_PACKAGE * len(environment["packages"]) + container


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
