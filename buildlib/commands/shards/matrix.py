"""`lambdas shards N`: the shards as a matrix of GitHub Actions, or as jobs of GitLab CI."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from buildlib.commands.shards import balance
from buildlib.commands.shards.costs import NEEDS, measure
from buildlib.model import Variant
from buildlib.project.project import Project
from buildlib.text import closest, table

# GitHub's: "A matrix will generate a maximum of 256 jobs per workflow run."
LIMIT = 256

# The hosted runners of the two services; without a label, GitLab takes any runner.
GITHUB, GITLAB = "github", "gitlab"
RUNNERS: Mapping[str, Mapping[str, str]] = {
    GITHUB: dict.fromkeys(NEEDS, "ubuntu-latest") | {"docker-arm64": "ubuntu-24.04-arm"},
    GITLAB: dict.fromkeys(NEEDS, "") | {"docker-arm64": "saas-linux-small-arm64"},
}


class Shard(NamedTuple):
    """A job: its number from 1 on, of how many, the names to build, and the ids of these variants.

    `runner` has labels separated by commas, `docker` tells whether it needs an engine, and
    `milliseconds` is the expected duration of its build.
    """

    number: int
    of: int
    names: list[str]
    variants: list[str]
    runner: str
    docker: bool
    milliseconds: int

    @property
    def name(self) -> str:
        """The name for people."""
        return f"{self.number} of {self.of}"

    @property
    def labels(self) -> list[str]:
        """The labels of the runner."""
        return [label for label in self.runner.split(",") if label]


class Plan(NamedTuple):
    """The shards, and how many variants have recorded times, of how many."""

    shards: list[Shard]
    recorded: int
    variants: int


def plan(project: Project, number: int, runners: Mapping[str, str]) -> Plan:
    """Return the shards of all variants.

    Raises:
        BuildError: lockfiles are missing or unusable.

    """
    costs = measure(project, runners)
    found = balance.split(costs.works, costs.installs, number)
    shards = []
    for place, works in enumerate(found, 1):
        ids = [name for name in project.variants if name in {work.id for work in works}]
        members = [project.variants[name] for name in ids]
        layers = [one for variant in members for one in project.declared_layers(variant)]
        shards.append(
            Shard(
                number=place,
                of=len(found),
                names=_names(project, members),
                variants=ids,
                runner=works[0].runner,
                docker=any(one.function.docker for one in [*members, *layers]),
                milliseconds=balance.duration(works, costs.installs),
            )
        )
    return Plan(shards, costs.recorded, len(costs.works))


def _names(project: Project, members: Iterable[Variant]) -> list[str]:
    """Return the names of variants for `lambdas build`: that of a function, if all are here."""
    here = {variant.id for variant in members}
    by_function: dict[str, list[str]] = {}
    for variant in project.variants.values():
        by_function.setdefault(variant.function.name, []).append(variant.id)
    names: list[str] = []
    for name, ids in by_function.items():
        names += [name] if here.issuperset(ids) else [one for one in ids if one in here]
    return names


def runners(options: Iterable[str], service: str) -> dict[str, str]:
    """Return the runner for each need: the service's, but for `NEED=LABEL` and `LABEL` for all.

    Raises:
        ValueError: there is no such need, or a label is empty; with a message for the user.

    """
    found = dict(RUNNERS[service])
    chosen: dict[str, str] = {}
    problems = []
    for option in options:
        need, equals, label = option.rpartition("=")
        if equals and need not in NEEDS:
            close = closest(need, NEEDS)
            hint = f"did you mean '{close}'?" if close else f"expected {', '.join(NEEDS)}"
            problems.append(f"no need '{need}'; {hint}")
        elif not label.strip(", "):
            problems.append(f"'{option}' has no label; expected LABEL or NEED=LABEL")
        elif equals:
            chosen[need] = label
        else:
            found = dict.fromkeys(NEEDS, label)
    if problems:
        raise ValueError("; ".join(problems))
    return found | chosen


def github(shards: Iterable[Shard]) -> str:
    """Return the value of `strategy.matrix`, in one line; it may have no other keys."""
    return json.dumps({"include": [_job(shard) for shard in shards]}, separators=(", ", ": "))


def _job(shard: Shard) -> dict[str, Any]:
    labels = shard.labels
    return {
        "shard": shard.number,
        "name": shard.name,
        "lambdas": " ".join(shard.names),
        "runner": labels[0] if len(labels) == 1 else labels,
        "docker": shard.docker,
    }


def gitlab(shards: Iterable[Shard]) -> Iterator[str]:
    """Yield the lines of a job for each shard, for the configuration of a child pipeline.

    A job of its own, because the values of `parallel:matrix` become part of the job's name, which
    has at most 255 characters.
    """
    for shard in shards:
        variables = {"SHARD": str(shard.number), "LAMBDAS": " ".join(shard.names)}
        yield f"lambdas {shard.number}/{shard.of}:"
        yield "  extends: .lambdas"
        yield f"  variables: {json.dumps(variables)}"
        if shard.labels:
            yield f"  tags: {json.dumps(shard.labels)}"


def lines(found: Plan) -> Iterator[str]:
    """Yield a table of the shards, and where the expected durations come from."""
    rows = [("shard", "variants", "expected", "runner")]
    for one in found.shards:
        runner = f"{one.runner or 'any'}{', Docker' if one.docker else ''}"
        row = (str(one.number), str(len(one.variants)), f"{one.milliseconds / 1000:.1f} s", runner)
        rows.append(row)
    yield from table(rows)
    estimated = found.variants - found.recorded
    if not found.recorded:
        yield "Estimated from the number of locked packages; build/times.log has no recorded times"
    elif estimated:
        yield (
            f"Recorded times of {found.recorded} variants; {estimated} estimated from the number "
            "of locked packages"
        )
    else:
        yield "Expected durations are the recorded times"
