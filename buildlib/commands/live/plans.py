"""The plan of a deployment: all functions are checked before the first one is changed."""

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.artifacts import published, signed
from buildlib.aws import changes
from buildlib.aws import functions as live
from buildlib.aws.account import Account, together
from buildlib.aws.descriptions import Before
from buildlib.aws.functions import Alias, Deployed
from buildlib.commands.live import code, expected, layers, names, origin
from buildlib.commands.live.code import Code
from buildlib.commands.live.compare import SAME, Known
from buildlib.commands.live.drift import mismatches
from buildlib.commands.live.names import Target
from buildlib.errors import AwsMissingError, BuildError, DeployError
from buildlib.model import Variant
from buildlib.project.project import Project


class Options(NamedTuple):
    """The options of the command; `published` is the list to deploy from, instead of dist/.

    `is_named` says that the user named the variants.
    """

    where: names.Where
    alias: str = ""
    published: Path | None = None
    is_named: bool = False


class Plan(NamedTuple):
    """The change of one function: `now` and `alias_now` are the states that it was planned for.

    `alias` is the name of the alias to move, empty for none; `is_behind` says that it points to
    a version with other code. `rolled_back` is the version that the change takes out of use, if it
    is a rollback, and `before` what ran before that one.
    """

    target: Target
    code: Code
    now: Deployed
    alias: str = ""
    alias_now: Alias | None = None
    is_behind: bool = False
    notes: tuple[str, ...] = ()
    before: Before | None = None
    rolled_back: str = ""

    @property
    def earlier(self) -> Before:
        """The version to which a rollback from the new one goes."""
        was = self.alias_now.version if self.alias_now else ""
        return self.before or Before(self.alias, was)

    @property
    def updates(self) -> bool:
        """Tell whether the function needs new code."""
        return not self.code.is_in(self.now.code_sha256)

    @property
    def steps(self) -> str:
        """The changes in words; empty without any."""
        steps = [f"update the code to {self.code.sha256[:12]}"] if self.updates else []
        if self.alias and (self.updates or self.is_behind):
            rollout = self.alias_now.rollout if self.alias_now else ""
            ends = f", which ends the rollout ({rollout})" if rollout else ""
            steps.append(f"publish a version, and point the alias '{self.alias}' to it{ends}")
        return ", ".join(steps)


def plan(
    project: Project,
    connect: Callable[[], Account],
    variants: Sequence[Variant],
    options: Options,
) -> tuple[Account, list[Plan]]:
    """Return the account, and the change of each function, without changing anything.

    Raises:
        BuildError: a function is refused. The message has every problem, one a line.

    """
    wanted = [one for one in variants if not one.function.is_layer]
    connect = functools.cache(connect)
    codes = _codes(project, wanted, options.published)
    hashes = {name: expected.base64_of(one.sha256) for name, one in codes.items()}
    targets = names.find(connect, wanted, options.where, hashes)
    _check(targets)
    account = connect()
    plans = together(
        lambda target: _plan(account, target, codes[target.variant.id], options.alias),
        targets.known,
    )
    if problems := [str(one) for one in plans if isinstance(one, BuildError)]:
        raise DeployError("\n".join(problems))
    found = [one for one in plans if isinstance(one, Plan)]
    problems = [problem for one in found for problem in refusals(one)]
    if options.where.state is None and not options.is_named:
        problems += _foreign(project, found)
    if problems:
        raise DeployError("\n".join(problems))
    return account, _with_layers(project, account, found)


def _foreign(project: Project, plans: Sequence[Plan]) -> Iterator[str]:
    """Yield the refusals of functions that only a tag names, and whose code is not from here.

    Repositories that share an account may use the same id.
    """
    tagged = {
        one.target.variant.id: one
        for one in plans
        if one.updates and not one.now.is_image and not one.target.variant.function.deployed_as
    }
    codes = {id_: expected.hex_of(one.now.code_sha256) for id_, one in tagged.items()}
    for id_ in origin.foreign(project, codes):
        yield (
            f"{id_}: found by its tag as '{tagged[id_].target.function}', whose code is not from "
            "this repository: no list and no record in the commits of this clone has its hash. "
            "Commit lambdas.hashes.json ('lambdas record'), and in a shallow clone run 'git fetch "
            f"--unshallow'. If it is the right function, name it: 'lambdas deploy {id_} ...'"
        )


def warnings(project: Project, plans: Sequence[Plan]) -> list[str]:
    """Return the warning about ZIPs to deploy that no commit records; objects are of a list."""
    codes = {one.target.variant.id: one.code.sha256 for one in plans if one.steps and one.code.path}
    if names := ", ".join(origin.unrecorded(project, codes)):
        advice = "run 'lambdas record' and commit, so that 'lambdas drift' knows it"
        return [f"{names}: no commit records this code; {advice}"]
    return []


def _codes(project: Project, wanted: Sequence[Variant], path: Path | None) -> dict[str, Code]:
    code_of: Callable[[Variant], Code]
    if path:
        code_of = functools.partial(code.listed, published.read(path), path=path)
    else:
        code_of = functools.partial(code.built, project, table=signed.read(project.layout))
    found, problems = {}, []
    for one in wanted:
        try:
            found[one.id] = code_of(one)
        except BuildError as error:
            problems.append(str(error))
    if problems:
        raise DeployError("\n".join(problems))
    return found


def _check(targets: names.Targets) -> None:
    """Refuse variants without a function, and those with several.

    Raises:
        DeployError: there are such variants.

    """
    problems = [f"{name}: {targets.why_not}" for name in targets.unknown]
    by_id: dict[str, list[str]] = {}
    for one in targets.known:
        by_id.setdefault(one.variant.id, []).append(one.function)
    problems += [
        f"{name}: several functions have it: {', '.join(found)}; choose one with '--env', or set "
        "'name' in lambdas.yaml"
        for name, found in by_id.items()
        if len(found) > 1
    ]
    by_function: dict[str, list[str]] = {}
    for one in targets.known:
        by_function.setdefault(one.function, []).append(one.variant.id)
    problems += [
        f"'{name}' is the function of {' and of '.join(found)}; correct its tags, or 'name' in "
        "lambdas.yaml"
        for name, found in by_function.items()
        if len(found) > 1
    ]
    if problems:
        msg = "\n".join(problems)
        raise DeployError(msg, "function-name")


def _plan(account: Account, target: Target, wanted: Code, alias: str) -> Plan:
    try:
        now = live.function(account, target.function)
    except AwsMissingError as error:
        msg = f"{target.variant.id}: {error}; create the function first, such as with Terraform"
        raise AwsMissingError(msg) from None
    if now.update == "InProgress":
        now = changes.wait(account, target.function)
    found = Plan(target, wanted, now, alias, notes=tuple(mismatches(target.variant, now)))
    if not alias:
        return found
    try:
        alias_now = live.alias(account, target.function, alias)
    except AwsMissingError:
        return found._replace(is_behind=True)
    behind = live.function(account, target.function, alias_now.version)
    is_behind = not wanted.is_in(behind.code_sha256)
    return found._replace(alias_now=alias_now, is_behind=is_behind)


def refusals(one: Plan) -> Iterator[str]:
    """Yield the reasons why a function cannot get its code."""
    variant, name = one.target
    about = f"{variant.id}: '{name}'"
    if one.now.is_image:
        yield f"{about} runs a container image; deploy ZIPs to another function"
        return
    if one.now.architecture != variant.architecture:
        yield (
            f"{about} has the architecture {one.now.architecture}, and the ZIP is for "
            f"{variant.architecture}; change one of them, in Terraform or in lambdas.yaml"
        )
    if one.updates and one.now.signing_job and not one.code.is_signed:
        yield (
            f"{about} runs code that AWS Signer signed; run 'lambdas publish --signing-profile "
            f"NAME', and deploy with --from {published.NAME}"
        )
    if one.updates and one.now.object and one.code.object is None:
        yield (
            f"{about} uses an object of S3 in place; run 'lambdas publish', and deploy with "
            f"--from {published.NAME}"
        )
    if one.alias_now and one.alias_now.weights:
        yield (
            f"{about}: the alias '{one.alias}' sends {one.alias_now.rollout}; finish this rollout "
            "first, or roll back"
        )


def _with_layers(project: Project, account: Account, plans: Sequence[Plan]) -> list[Plan]:
    """Return plans with a note about each layer that is not the one of this commit."""
    deployed = {one.target.function: one.now for one in plans}
    used = layers.used(account, project, [one.target for one in plans], deployed)
    if not used and not any(project.declared_layers(one.target.variant) for one in plans):
        return [*plans]
    known = Known(project, "", {}, signed.read(project.layout))
    found = []
    for one in plans:
        notes = [
            f"layer '{finding.id}': {finding.text}; deploy it with Terraform"
            for finding in layers.findings(known, one.target.variant, one.now, used)
            if finding.state != SAME
        ]
        found.append(one._replace(notes=(*one.notes, *notes)))
    return found
