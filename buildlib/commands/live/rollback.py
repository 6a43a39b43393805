"""`lambdas rollback`: point an alias to code that ran before, by version, hash or commit."""

import functools
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from buildlib.artifacts import published, signed
from buildlib.artifacts.signed import Table
from buildlib.aws import changes
from buildlib.aws import functions as live
from buildlib.aws.account import Account
from buildlib.aws.descriptions import Before
from buildlib.aws.functions import Alias, Deployed
from buildlib.commands.live import code, deploy, earlier, expected, history, names, plans
from buildlib.commands.live.code import Code
from buildlib.commands.live.deploy import DEPLOYED, PLANNED, UP_TO_DATE, Outcome
from buildlib.commands.live.drift import mismatches
from buildlib.commands.live.names import Target
from buildlib.errors import AwsMissingError, DeployError
from buildlib.model import Variant
from buildlib.project.project import Project

_SHA256 = re.compile("[0-9a-f]{64}")


class Options(NamedTuple):
    """The options of the command; `to` is a version, a sha256 or a commit, or empty."""

    where: names.Where
    alias: str
    to: str = ""
    published: Path | None = None


class Plan(NamedTuple):
    """The change: the alias points to `version`, or to a new one with the code `code`.

    `before` is what ran before the present version, as far as it is known.
    """

    target: Target
    alias_now: Alias
    runs: Deployed
    sha256: str
    version: str = ""
    code: Code | None = None
    notes: tuple[str, ...] = ()
    before: Before | None = None


def roll_back(
    project: Project,
    connect: Callable[[], Account],
    variant: Variant,
    options: Options,
    *,
    dry_run: bool,
) -> Outcome:
    """Point the alias to earlier code, or say how that would be done.

    Raises:
        BuildError: there is no such code, or AWS refuses.

    """
    connect = functools.cache(connect)
    targets = names.find(connect, [variant], options.where, {})
    if len(targets.known) != 1:
        many = ", ".join(one.function for one in targets.known)
        problem = f"several functions have it: {many}" if many else "no function is known for it"
        msg = f"{variant.id}: {problem}; set 'name' in lambdas.yaml, or '--env'"
        raise DeployError(msg, "function-name")
    account = connect()
    with tempfile.TemporaryDirectory(prefix="rollback-") as folder:
        found = _plan(project, account, targets.known[0], options, Path(folder))
        now = found.alias_now.version
        if found.version == now and not found.alias_now.weights:
            text = f"alias '{options.alias}' already points to version {now}, which has this code"
            return _outcome(found, UP_TO_DATE, text)
        return _carry_out(account, found, options.alias, dry_run=dry_run)


def _plan(
    project: Project, account: Account, target: Target, options: Options, folder: Path
) -> Plan:
    try:
        alias = live.alias(account, target.function, options.alias)
    except AwsMissingError as error:
        msg = f"{error}; 'lambdas deploy --alias {options.alias}' makes it"
        raise DeployError(msg) from None
    versions = live.versions(account, target.function)
    present = next((one for one in versions if one.version == alias.version), None)
    if present is None:
        present = live.function(account, target.function, alias.version)
    plan = Plan(target, alias, present, "")
    table = signed.read(project.layout)
    if not options.to and alias.weights:
        return _to_version(plan, present)  # a rollout that goes on is what there is to undo
    if not options.to:
        before, note = earlier.version(alias, present, versions, table)
        return _to_version(plan, before)._replace(notes=(note,) if note else ())
    if options.to.isdecimal() and not _SHA256.fullmatch(options.to):
        for one in versions:
            if one.version == options.to:
                return _to_version(plan, one)
        if len(options.to) < _SHORT:
            numbers = ", ".join(one.version for one in versions[-10:]) or "none"
            msg = f"--to: '{target.function}' has no version {options.to}; it has {numbers}"
            raise DeployError(msg)
    sha256, key = _wanted(project, target.variant, _whole(options.to, versions))
    # The present version comes first: equal code is no reason to move the alias.
    if found := _version_with([*versions, present], sha256, table):
        return _to_version(plan, found)
    made = _code(project, target.variant, sha256, key, options.published, folder)
    before_now = earlier.before(alias, present, versions, table)
    return plan._replace(sha256=made.sha256, code=made, before=before_now)


# Git abbreviates no commit to fewer digits.
_SHORT = 7


def _whole(to: str, versions: Sequence[Deployed]) -> str:
    """Return the sha256 of a version's code that begins with some digits, as commands show it."""
    if not re.fullmatch("[0-9a-f]{8,63}", to):
        return to
    hashes = {expected.hex_of(one.code_sha256) for one in versions}
    found = [one for one in hashes if one.startswith(to)]
    return found[0] if len(found) == 1 else to


def _version_with(versions: Sequence[Deployed], sha256: str, table: Table) -> Deployed | None:
    """Return the newest version with a ZIP, or else with one that AWS Signer made of it."""
    for wanted in ({sha256}, table.copies(sha256)):
        for one in reversed(versions):
            if expected.hex_of(one.code_sha256) in wanted:
                return one
    return None


def _to_version(plan: Plan, one: Deployed) -> Plan:
    return plan._replace(sha256=expected.hex_of(one.code_sha256), version=one.version)


def _wanted(project: Project, variant: Variant, to: str) -> tuple[str, str]:
    """Return the sha256 that `--to` means, and the key of its inputs, if that is known.

    Raises:
        DeployError: it is neither a sha256 nor a commit with a record of the variant.

    """
    root = project.layout.root
    if _SHA256.fullmatch(to):
        steps = history.read(root).steps.get(variant.id, ())
        keys = [one.entry["key"] for one in steps if one.entry["sha256"] == to]
        return to, next(iter(keys), "")
    found = history.at(root, to)
    if found is None:
        msg = (
            f"--to: '{to}' is neither a version, nor a sha256 of 64 digits, nor a commit of this "
            "clone; correct it, or fetch the history"
        )
        raise DeployError(msg, "history")
    commit, record = found
    if variant.id not in record:
        msg = f"--to: no record or published list in commit {commit.shown} has '{variant.id}'"
        raise DeployError(msg, "history")
    return record[variant.id]["sha256"], record[variant.id]["key"]


def _code(  # noqa: PLR0913, PLR0917 - one for each place to look in
    project: Project, variant: Variant, sha256: str, key: str, listed: Path | None, folder: Path
) -> Code:
    """Return code that no version has: from the published list, dist/ or the machine's cache.

    Raises:
        DeployError: none of them has it.

    """
    path = listed or project.layout.root / published.NAME
    if listed or path.exists():
        for entry in published.read(path).values():
            if sha256 in {entry["sha256"], published.origin(entry)}:
                return code.listed({variant.id: entry}, variant, path)
    written = project.status(variant).written
    if written and written.sha256 == sha256:
        code.check_size(variant.id, written.size)
        return Code(sha256, project.layout.zip(variant.id))
    taken = project.cache.store.take(key, folder / "code.zip") if key else None
    if taken and taken.sha256 == sha256:
        code.check_size(variant.id, taken.size)
        return Code(sha256, folder / "code.zip")
    msg = (
        f"{variant.id}: neither a version of the function, nor {path.name}, nor dist/ or the "
        f"machine's cache has the code {sha256[:12]}. Check out its commit, run 'lambdas build "
        f"{variant.id}', then this command again"
    )
    raise DeployError(msg)


def _carry_out(account: Account, plan: Plan, alias: str, *, dry_run: bool) -> Outcome:
    name, before = plan.target.function, plan.alias_now.version
    if plan.code is not None:
        now = live.function(account, name)
        notes = tuple(mismatches(plan.target.variant, now))
        change = plans.Plan(
            plan.target, plan.code, now, alias, plan.alias_now, is_behind=True, notes=notes
        )
        # So that the next rollback does not go to the code that this one takes out of use.
        change = change._replace(before=plan.before, rolled_back=before)
        # A rollback ends a rollout, so that shares of other versions are no problem.
        whole = change._replace(alias_now=plan.alias_now._replace(weights=()))
        if problems := [*plans.refusals(whole)]:
            raise DeployError("\n".join(problems))
        return deploy.planned(change) if dry_run else deploy.carried_out(account, change)
    text = f"alias '{alias}' {'would point' if dry_run else 'points'} to version {plan.version}"
    if not dry_run:
        changes.point(account, name, alias, plan.version, plan.alias_now)
    found = _outcome(
        plan, PLANNED if dry_run else DEPLOYED, f"{text}{deploy.ended(plan.alias_now)}"
    )
    return found._replace(version=plan.version)


def _outcome(plan: Plan, state: str, text: str) -> Outcome:
    return Outcome(
        id=plan.target.variant.id,
        function=plan.target.function,
        state=state,
        text=text,
        sha256=plan.sha256,
        previous=expected.hex_of(plan.runs.code_sha256),
        version=plan.alias_now.version,
        notes=plan.notes,
    )
