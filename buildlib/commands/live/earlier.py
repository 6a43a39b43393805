"""The version that ran before: the one to which `lambdas rollback` goes without `--to`."""

from collections.abc import Sequence

from buildlib.artifacts.signed import Table
from buildlib.aws import functions as live
from buildlib.aws.descriptions import Before
from buildlib.aws.functions import Alias, Deployed
from buildlib.commands.live import expected
from buildlib.errors import DeployError


def version(
    alias: Alias, runs: Deployed, versions: Sequence[Deployed], table: Table
) -> tuple[Deployed, str]:
    """Return the version with other code that an alias pointed to before, and a note or nothing.

    The description of a version names its predecessor. For a version that `lambdas deploy` did not
    publish for the alias, it is the next lower one, and the note says so.

    Raises:
        DeployError: nothing ran before, or its version no longer exists, or a version was published
            for another alias.

    """

    def code(one: Deployed) -> str:
        return table.origin(expected.hex_of(one.code_sha256))

    numbered = {one.version: one for one in versions}
    at = runs
    while (said := described(at, alias.name)) is not None:
        if not said.version:
            reason = f"version {at.version} was the first one of alias '{alias.name}'"
            raise _refused(runs, f"nothing ran before: {reason}")
        if said.version not in numbered:
            reason = f"version {said.version} ran before version {at.version}"
            raise _refused(runs, f"{reason}, but does not exist any more")
        at = numbered[said.version]
        if code(at) != code(runs):
            return at, ""
    if at.before is not None and at.before.alias != alias.name:
        reason = f"version {at.version} was published for alias '{at.before.alias}'"
        raise _refused(runs, f"{reason}, so Lambda does not say what ran before it")
    for one in reversed(versions):
        is_lower = at.version == live.LATEST or int(one.version) < int(at.version)
        if is_lower and code(one) != code(runs):
            note = (
                f"Lambda does not say what ran before version {at.version}, because 'lambdas "
                f"deploy' did not publish it; version {one.version} is the next lower one with "
                "other code, and --to names another one"
            )
            return one, note
    reason = f"alias '{alias.name}' points to version {alias.version}"
    raise _refused(runs, f"{reason}, and no earlier version has other code")


def before(alias: Alias, runs: Deployed, versions: Sequence[Deployed], table: Table) -> Before:
    """Return the predecessor of the present version, for the description of the next one."""
    if said := described(runs, alias.name):
        return said
    try:
        return Before(alias.name, version(alias, runs, versions, table)[0].version)
    except DeployError:
        return Before(alias.name, "")


def described(one: Deployed, alias: str) -> Before | None:
    """Return the predecessor that a version names for an alias.

    A later version cannot have run before: such a description was written by hand.
    """
    said = one.before
    if said is None or said.alias != alias or one.version == live.LATEST:
        return None
    return said if not said.version or int(said.version) < int(one.version) else None


def _refused(runs: Deployed, problem: str) -> DeployError:
    msg = f"'{runs.name}': {problem}; name a version, a hash or a commit with --to"
    return DeployError(msg)
