"""How long each variant takes to build, and each environment to install: recorded or estimated."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from buildlib import recipe
from buildlib.commands.shards.balance import Installs, Work
from buildlib.errors import BuildError, LockError
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.recipe import Recipe
from buildlib.steps import times

# The needs of a variant. Wheels for any architecture install on every machine; a
# container for another architecture than the machine's is emulated, which is much slower.
WHEELS = "wheels"
NEEDS = (WHEELS, "docker-x86_64", "docker-arm64")

# The estimate in ms, from the functions of this repository. A lockfile of ours has no sizes, so
# the number of its packages decides.
_INSTALL, _INSTALL_PACKAGE, _CONTAINER = 100, 200, 60_000
_OWN, _OWN_PACKAGE = 60, 10


class Costs(NamedTuple):
    """The variants to build, the durations of installations, and how many have recorded times."""

    works: list[Work]
    installs: Installs
    recorded: int


def measure(project: Project, runners: Mapping[str, str]) -> Costs:
    """Return the costs of all variants; `runners` are the names of runners by `NEEDS`.

    Raises:
        BuildError: lockfiles are missing or unusable; the message has all of them.

    """
    environments, recipes = _environments(project)
    known = times.read(project.layout)
    times_of: dict[str, list[_Times]] = {}
    for variant in project.variants.values():
        if took := _recorded(known, variant):
            times_of.setdefault(environments[variant.id][0], []).append(took)
    installs = {key: _install(one, times_of.get(key, ())) for key, one in recipes.items()}
    works = []
    for variant in project.variants.values():
        key, *others = environments[variant.id]
        took = _recorded(known, variant)
        own = _own(recipes[key], took, times_of.get(key, ()))
        kind = need([variant, *project.declared_layers(variant)])
        works.append(Work(variant.id, runners[kind], key, max(own, 1), frozenset(others)))
    recorded = sum(map(len, times_of.values()))
    return Costs(works, installs, recorded)


def need(variants: Iterable[Variant]) -> str:
    """Return the need of a variant, given with its layers: one of `NEEDS`.

    The build of a function installs the environments of its layers, to check imports.
    """
    for variant in variants:
        if variant.function.docker is not None:
            return f"docker-{variant.architecture}"
    return WHEELS


def _environments(project: Project) -> tuple[dict[str, list[str]], dict[str, Recipe]]:
    """Return the keys of the environment of each variant and of its layers, and all recipes."""
    keys, recipes, problems = dict[str, list[str]](), dict[str, Recipe](), dict[str, BuildError]()
    for variant in project.variants.values():
        try:
            needed = [variant, *project.layer_variants(variant)]
            found = [project.environment_recipe(one) for one in needed]
        except BuildError as error:
            problems.setdefault(str(error), error)
            continue
        keys[variant.id] = [recipe.key(one) for one in found]
        recipes |= zip(keys[variant.id], found, strict=True)
    if len(problems) == 1:
        raise next(iter(problems.values()))
    if problems:
        raise LockError("\n".join(problems), "lock-missing")
    return keys, recipes


class _Times(NamedTuple):
    """How long the steps of a variant last took, in ms; `stage` includes `touch`."""

    venv: int
    stage: int
    zip: int


def _recorded(known: times.Times, variant: Variant) -> _Times | None:
    """Return how long the steps of a variant last took; None if its ZIP was never built."""

    def last(step: str) -> int:
        took = known.last(step, variant.id)
        return round(took[1] * 1000) if took else 0

    if known.last("zip", variant.id) is None:
        return None
    return _Times(last("venv"), last("stage") + last("touch"), last("zip"))


def _own(environment: Recipe, took: _Times | None, alike: Sequence[_Times]) -> int:
    """Return how long the other steps of a variant take; `alike` share its environment."""
    if took is None:
        return _OWN + _OWN_PACKAGE * _packages(environment)
    return took.stage + min(took.zip, _typical(environment, alike))


def _install(environment: Recipe, alike: Sequence[_Times]) -> int:
    """Return how long it takes to install an environment and to compress it.

    Of the variants that share it, the first one compresses it in its step `zip`. Others may have
    waited for that, or for the installation.
    """
    if alike:
        compression = max(one.zip for one in alike) - _typical(environment, alike)
        return max(one.venv for one in alike) + compression
    container = _CONTAINER if "docker" in environment else 0
    return _INSTALL + _INSTALL_PACKAGE * _packages(environment) + container


def _typical(environment: Recipe, alike: Sequence[_Times]) -> int:
    """Return the longest that `zip` takes for one variant without compressing the environment."""
    durations = sorted(one.zip for one in alike)
    return durations[(len(durations) - 1) // 2 if _packages(environment) else -1]


def _packages(environment: Recipe) -> int:
    return len(environment["packages"])
